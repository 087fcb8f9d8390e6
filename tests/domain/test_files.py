"""Files and folders that appear whole or not at all."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mollia_cli.domain.files import new_file, new_folder, write_private


@pytest.fixture(autouse=True)
def open_to_all() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_takes_its_place_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "labels[1].csv"
    target.write_text("old")
    with new_file(target) as unfinished:
        assert mode(unfinished) == 0o600
        unfinished.unlink()  # as a library does that makes it anew
        unfinished.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert mode(target) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_takes_its_place_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with new_folder(target) as unfinished:
        assert mode(unfinished) == 0o700
        (unfinished / "weights").write_text("new")
        assert not target.exists()
    assert (target / "weights").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_does_not_take_the_place_of_another(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with pytest.raises(OSError, match="not empty"), new_folder(target):
        target.mkdir()
        (target / "somebody's").write_text("own")
    assert (target / "somebody's").read_text() == "own"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("new", [new_file, new_folder])
def test_after_an_error_nothing_is_there(tmp_path: Path, new: Callable[[Path], AbstractContextManager[Path]]) -> None:
    with pytest.raises(KeyboardInterrupt), new(tmp_path / "target"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_have_left_of_the_same_file_goes(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name, pid in (("mine[1]", dead.pid), ("mine[1]", os.getppid()), ("other", dead.pid)):
        (tmp_path / f".{name}.{pid}.part").write_text("half")
    write_private(tmp_path / "mine[1]", "whole \u00e9")
    assert (tmp_path / "mine[1]").read_text(encoding="utf-8") == "whole \u00e9"
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"mine[1]", f".mine[1].{os.getppid()}.part", f".other.{dead.pid}.part"}


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "nowhere" / "labels.csv"
    with pytest.raises(FileNotFoundError) as caught:
        write_private(target, "text")
    assert caught.value.filename == str(target)
