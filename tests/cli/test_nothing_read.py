"""What is piped in is read as it was meant, and a command that has read nothing fails."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.project.context import Project

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(make_project: Callable[..., Project]) -> Call:
    """Runs a command in a project with a trained classifier: (status, stdout, stderr or the error's message)."""
    root = str(make_project().root)

    def run(*words: str, typed: str = "") -> tuple[int, str, str]:
        done = CliRunner().invoke(app, [*words, "-p", root], input=typed)
        status = getattr(done.exception, "exit_code", done.exit_code)
        return status, done.stdout, done.stderr + getattr(done.exception, "message", "")

    assert run("train")[0] == 0
    return run


def test_a_text_with_a_comma_is_predicted(call: Call) -> None:
    status, out, told = call("predict", "-", typed="text, with comma\n")
    assert (status, [json.loads(line)["line"] for line in out.splitlines()]) == (0, [1])
    assert "standard input is read as lines of text; --format csv reads a table" in told


NOTHING = {
    "empty": ("", "standard input is empty"),
    "a header alone": ("text,label\n", "standard input, read as csv, has no row below its header"),
    "empty lines": ("\n\n", "no row of standard input could be used"),
}


@pytest.mark.parametrize("case", NOTHING)
@pytest.mark.parametrize("words", [["predict", "-"], ["predict", "-", "-o", "out.csv"], ["import", "-"]], ids=" ".join)
def test_nothing_read_is_an_error(
    call: Call, words: list[str], case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    typed, message = NOTHING[case]
    status, out, told = call(*words, typed=typed)
    assert (status, out) == (2, "")
    assert message in told
    assert not (tmp_path / "out.csv").exists()


def test_no_answer_is_an_error(call: Call) -> None:
    status, out, told = call("label", "--plain", "--seed", "30", typed="")
    assert (status, out) == (2, "")
    assert "standard input is empty: no answer was read" in told
