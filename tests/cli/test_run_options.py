"""The options of a run and the arguments of the API are the fields of RunConfig."""

import inspect

import pytest
import typer

from mollia_cli import Project
from mollia_cli.cli.main import app
from mollia_cli.domain.declared import keys
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.settings import ENDS, RunConfig

OPTIONS = {name for name, key in keys(RunConfig).items() if key.description}


def options(command: str) -> dict[str, str]:
    """The help of a command's options, by parameter."""
    parameters = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
    return {parameter.name: parameter.help or "" for parameter in parameters}


def test_a_field_is_an_option_with_its_remark_and_its_choices() -> None:
    assert {"alpha", "strategy", "rounds", "annotator", "unlabelled"} <= OPTIONS
    for command in ("run", "estimate"):
        assert options(command).keys() >= OPTIONS
    assert options("round").keys() & OPTIONS == OPTIONS - set(ENDS)
    for name, key in keys(RunConfig).items():
        if key.description:
            assert key.description.removesuffix(".") in options("run")[name]
    assert "coreset" in options("run")["strategy"] and "plateau" in options("run")["stop"]
    assert "distil, mollia" in options("run")["method"]
    assert options("annotate")["threshold"] == options("run")["threshold"]


def test_a_field_is_an_argument_of_the_api() -> None:
    for method in (Project.run, Project.round, Project.estimate):
        arguments = inspect.signature(method).parameters
        assert list(arguments)[:2] == ["self", "run"]
        assert arguments.keys() >= keys(RunConfig).keys()
        assert arguments["alpha"].annotation == inspect.signature(RunConfig).parameters["alpha"].annotation


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InputError, match=r"--no-discrepancy and --alpha 0\.3 contradict each other"):
        app(["run", "--no-discrepancy", "--alpha", "0.3"], standalone_mode=False)
