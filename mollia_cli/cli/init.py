"""``mollia init``."""

from pathlib import Path
from typing import Annotated

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import PaperOption, excluded, read_text, split_names, talk
from mollia_cli.cli.run_options import option
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.settings import Settings


def init(
    folder: Annotated[Path, typer.Argument(help="The new project's folder.")] = Path(),
    labels: Annotated[str, typer.Option(help="The labels, separated by commas.")] = "",
    labels_from: Annotated[
        str,
        typer.Option(
            "--labels-from",
            help="A CSV file: label,description, or as its header names them; - reads standard input."
            " Descriptions go into the prompt.",
        ),
    ] = "",
    noun: Annotated[str, typer.Option(help="What one text is, for example question, review, message.")] = "text",
    task: Annotated[str, typer.Option(help="The task in one sentence, as the LLMs will read it.")] = "",
    panel: Annotated[
        str,
        typer.Option(
            help="The LLMs that annotate: names or GGUF files, separated by commas. Default: those that are installed.",
            autocompletion=complete.models,
        ),
    ] = "",
    encoder: Annotated[
        str, typer.Option(help="The pretrained encoder to train: a name or a folder.", autocompletion=complete.models)
    ] = "",
    guidelines: Annotated[
        str,
        typer.Option(
            help="A text file: what people who label read, and the LLMs where it helps; - reads standard input."
        ),
    ] = "",
    random_seed: Annotated[int, option(Settings, "random_seed")] = 0,
    paper: PaperOption = False,
    multilabel: Annotated[
        bool, typer.Option("--multilabel", help="A text may have several of the labels, or none (docs/multilabel.md).")
    ] = False,
) -> None:
    """Make a new project.

    It holds mollia.toml (the settings), prompt.txt (the prompt), mollia.db (the data) and, if they are
    given, guidelines.md (what people read when they label).

    Example: mollia init trec --labels human,location,entity --noun question
    """
    from mollia_cli.domain.labels import parse_labels
    from mollia_cli.project.create import create, new_settings, parse_label_file

    if bool(labels) == bool(labels_from):
        raise InputError("give the labels once", "--labels a,b,c or --labels-from labels.csv")
    if multilabel and paper:
        excluded("--multilabel", "--paper", "in the paper a text has one label")
    label_set = (
        parse_label_file(read_text(labels_from), labels_from, talk)
        if labels_from
        else parse_labels(split_names(labels))
    )
    if guidelines == labels_from == "-":
        raise InputError("standard input cannot be both the labels and the guidelines", "name a file for one of them")
    told = read_text(guidelines) if guidelines else ""
    if guidelines and not told.strip():
        raise InputError(f"the guidelines {guidelines} are empty", "write in them how to label, or leave them away")
    settings = new_settings(label_set, noun, task, split_names(panel), encoder, random_seed, paper, multilabel)
    created = create(folder, settings, paper, told)
    talk(f"made a project in {created.root} with {len(label_set)} labels: {', '.join(label_set.names)}")
    if multilabel and guidelines:
        talk("the guidelines are for people; for the LLMs, too: annotate.guidelines = true in mollia.toml")
    names = ", ".join(member.name for member in settings.panel.members)
    talk(f"panel: {names or 'empty: no LLM is installed yet (mollia models list, then mollia panel add NAME)'}")
    talk(f"encoder: {created.settings.learner.encoder}")
    if created.missing:
        talk(f"not installed yet: mollia models pull {' '.join(created.missing)}")
    talk(f"next: mollia import -p {folder} texts.csv")
