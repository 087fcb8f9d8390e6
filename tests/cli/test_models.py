"""``mollia models``, as it is typed."""

import hashlib
import json
import struct
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import RefusedError

GGUF = b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(8)  # no metadata, no tensors
ENTRY = """
[[model]]
name = "tiny"
kind = "llm"
family = "f"
licence = "L"
size = 32
[model.files]
"tiny.gguf" = "{sha256}"
[[model.source]]
local = '{path}'
"""


@pytest.fixture
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the home's own catalogue offers as "tiny"."""
    monkeypatch.setenv("MOLLIA_HOME", str(tmp_path / "home"))
    path = tmp_path / "some.gguf"
    path.write_bytes(GGUF)
    (tmp_path / "home").mkdir()
    entry = ENTRY.format(sha256=hashlib.sha256(GGUF).hexdigest(), path=path)
    (tmp_path / "home" / "models.toml").write_text(entry)
    return path


def run(*arguments: str, code: int = 0) -> str:
    """Standard output of a command; its exit status is checked."""
    result = CliRunner().invoke(app, ["models", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def test_pull_check_remove(gguf: Path) -> None:
    (report,) = json.loads(run("pull", "tiny", "--json"))
    assert report["attempts"] == [[f"local {gguf}", "ok"]] and report["model"]["name"] == "tiny"
    assert [row["installed"] for row in json.loads(run("list", "--json")) if row["name"] == "tiny"] == [True]
    assert json.loads(run("pull", "tiny", "--json"))[0]["attempts"] == []
    assert json.loads(run("check", "--json"))[0]["state"] == "ok"
    (Path(report["folder"]) / "tiny.gguf").write_bytes(b"GGUF")
    assert "differs" in run("check", "tiny", code=4)
    run("remove", "tiny", "--yes")
    assert run("check", "--json").strip() == "[]"


def test_the_list_says_what_a_pull_downloads_and_compares(gguf: Path) -> None:
    before = CliRunner().invoke(app, ["models", "list"])
    assert {row["name"]: row["download"] for row in json.loads(before.stdout)}["tiny"] == 32
    assert "compares its SHA-256 with the catalogue's" in before.stderr
    run("pull", "tiny")
    rows = {row["name"]: row for row in json.loads(run("list"))}
    assert (rows["tiny"]["download"], rows["tiny"]["size"]) == (0, 32)


def test_add_and_list(gguf: Path) -> None:
    added = json.loads(run("add", str(gguf), "--json"))
    assert added["name"] == "tiny"
    table = run("list", "--kind", "llm")
    assert "tiny" in table and "all-minilm-l6-v2" not in table


def test_a_cut_file_is_refused_at_once(gguf: Path, tmp_path: Path, test_llm: Path) -> None:
    with test_llm.open("rb") as whole:
        (tmp_path / "cut.gguf").write_bytes(whole.read(3_000_000))
    result = CliRunner().invoke(app, ["models", "add", str(tmp_path / "cut.gguf")])
    assert isinstance(result.exception, RefusedError)
    assert "cut.gguf is cut short" in result.exception.message and "3,000,000 bytes" in result.exception.message
    assert run("list", "--json").count('"installed": true') == 0


@pytest.mark.parametrize("command", ["list", "pull", "add", "tune", "check", "remove"])
def test_every_command_has_an_example(command: str) -> None:
    assert f"Example: mollia models {command}" in run(command, "--help")
