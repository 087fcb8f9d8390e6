"""The peak of one piece of work, though the kernel's mark is a process's."""

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mollia_cli
from mollia_cli.domain import memory
from mollia_cli.domain.memory import Peak, megabytes, peak_rss, resident

MB = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="the mark can be set back on Linux alone")


def touched(size: int) -> mmap.mmap:
    """So many bytes of memory, resident; closing it gives them back."""
    made = mmap.mmap(-1, size * MB)
    for page in range(0, size * MB, mmap.PAGESIZE):
        made[page] = 1
    return made


@linux
def test_the_second_of_two_has_its_own_peak() -> None:
    large, small = Peak(), Peak()
    with large:
        touched(200).close()
    with small:
        touched(50).close()
    assert large.held < 10 * MB and small.held < 10 * MB
    with large:
        touched(200).close()
        assert 195 < large.added / MB < 215
    with small:
        assert small.added / MB < 10
        touched(50).close()
        assert 45 < small.added / MB < 65
        assert small.process - small.added == pytest.approx(resident(), abs=10 * MB)
    assert peak_rss() >= (resident() or 0) + 190 * MB  # the process's own peak is not forgotten


@linux
def test_what_stays_loaded_belongs_to_its_owner() -> None:
    first, second = Peak(), Peak()
    with first:
        kept = touched(120)
    with second:
        also = touched(80)
        assert 75 < second.added / MB < 95
    with first:  # both are there now, and the second is not the first's
        assert 115 < first.added / MB < 135
        touched(40).close()
        assert 155 < first.added / MB < 175
    with second:
        assert 75 < second.added / MB < 95
    kept.close()
    also.close()


@linux
def test_a_mapped_file_counts_as_far_as_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"\1" * (100 * MB))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as weights, Peak() as peak:
        before = peak.added
        assert sum(weights[page] for page in range(0, 50 * MB, mmap.PAGESIZE))
        assert 45 < (peak.added - before) / MB < 75  # the kernel maps some pages around those that are read


@linux
def test_a_process_has_not_the_mark_of_the_one_that_started_it() -> None:
    """getrusage's mark outlives exec: a worker of a large process seemed to take no memory at all."""
    program = (
        "import mmap; from mollia_cli.domain.memory import Peak\nwith Peak() as peak:\n"
        f"    made = mmap.mmap(-1, {50 * MB}); made.write(bytes({50 * MB}))\n    print(peak.added)"
    )
    large = touched(300)
    tree = {**os.environ, "PYTHONPATH": str(Path(mollia_cli.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=tree)
    large.close()
    assert 45 < int(done.stdout) / MB < 65


def test_where_the_mark_cannot_be_set_back_only_a_higher_one_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "nothing" / "here")
    marks = iter([300, 300, 300, 500, 500, 500, 500])  # set back (peak_rss), before, then as it is asked for
    monkeypatch.setattr(memory, "_mark", lambda: next(marks))
    with Peak() as peak:
        assert peak.process is None
        assert peak.process == 500
        assert peak.added == 200
    assert peak.held == 200  # all of it, so that what is counted without it is no more than there was


def test_where_there_is_no_mark_nothing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "nothing" / "here")
    monkeypatch.setattr(memory, "_mark", lambda: 0)
    with Peak() as peak:
        assert peak.process is None and peak.added is None
    assert megabytes(None) is None and megabytes(3 * MB + 1) == 3
