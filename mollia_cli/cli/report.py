"""``mollia report``: what is worth knowing beside the labels."""

import typer

from mollia_cli.cli import report_detectors

app = typer.Typer(no_args_is_help=True, help="What is worth knowing beside the labels.")
app.command("detectors")(report_detectors.detectors)
