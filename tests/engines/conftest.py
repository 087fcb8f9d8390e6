"""Workers in other processes that have the functions of ``made.py`` as if they were mollia's own."""

import os
from pathlib import Path

import pytest

import mollia_cli

_MADE = Path(__file__).with_name("made.py")
_AT_START = f"""
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("mollia_cli.made", {str(_MADE)!r})
made = sys.modules["mollia_cli.made"] = module_from_spec(spec)
spec.loader.exec_module(made)
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The module's name for workers that are started now, by whatever program."""
    folder = tmp_path / "at-start"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_AT_START)
    tree = str(Path(mollia_cli.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), tree]))
    return "mollia_cli.made"
