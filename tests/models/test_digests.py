"""What is remembered of a file holds only as long as the file is the same."""

import os
import time
from pathlib import Path

import pytest

from mollia_cli import models
from mollia_cli.domain.errors import RefusedError
from mollia_cli.models.digests import digest

from .samples import LARGE, sha256

OTHER = LARGE[:-1] + b"!"  # as long as the first


def overwrite(path: Path, data: bytes, *, keep_time: bool) -> None:
    """Other bytes, with or without the old time of change; the clock of the file system has gone on since."""
    before = path.stat()
    while True:
        time.sleep(0.01)
        path.write_bytes(data)
        if path.stat().st_mtime_ns > before.st_mtime_ns:
            break
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("keep_time", [False, True])
def test_a_file_that_changes_at_equal_size_is_read_again(home: Path, tmp_path: Path, keep_time: bool) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(LARGE)
    assert digest(path) == sha256(LARGE)
    overwrite(path, OTHER, keep_time=keep_time)
    assert digest(path) == sha256(OTHER)


@pytest.mark.parametrize("keep_time", [False, True])
def test_an_installed_model_that_changes_at_equal_size_is_refused(home: Path, gguf: Path, keep_time: bool) -> None:
    gguf.write_bytes(LARGE)
    models.add(gguf, "m")
    path = models.resolve_llm("m").path
    overwrite(path, OTHER, keep_time=keep_time)
    with pytest.raises(RefusedError, match="has changed since it was installed"):
        models.resolve_llm("m")


def test_the_digests_of_two_files_are_kept_apart(home: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.gguf", tmp_path / "b.gguf"
    for path, data in ((first, LARGE), (second, OTHER)):
        path.write_bytes(data)
        os.utime(path, ns=(10**18, 10**18))
    for _ in range(2):
        assert (digest(first), digest(second)) == (sha256(LARGE), sha256(OTHER))
