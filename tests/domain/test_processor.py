"""The processor as the system describes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mollia_cli.domain import processor
from mollia_cli.domain.errors import RefusedError

CPUINFO = "processor\t: 0\nmodel name\t: {name}\nflags\t\t: {flags}\n\nprocessor\t: 1\nmodel name\t: other\n"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What is known of the processor is asked again, before and after."""
    for known in (processor.flags, processor.processor_name):
        known.cache_clear()
    yield
    for known in (processor.flags, processor.processor_name):
        known.cache_clear()


def describe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, flags: str) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(CPUINFO.format(name=name, flags=flags))
    monkeypatch.setattr(processor, "_CPUINFO", path)
    monkeypatch.setattr(processor.platform, "machine", lambda: "x86_64")


def test_name_and_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(tmp_path, monkeypatch, "Xeon", "sse4_2 avx avx2")
    assert processor.processor_name() == "Xeon" and processor.flags() == {"sse4_2", "avx", "avx2"}
    processor.check_processor()


def test_a_processor_that_the_libraries_crash_on_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(tmp_path, monkeypatch, "Core i7 2600", "sse4_2 popcnt avx")
    with pytest.raises(RefusedError, match=r"this processor \(Core i7 2600\) has no AVX2") as caught:
        processor.check_processor()
    assert "2015" in caught.value.hint


def test_nothing_is_refused_where_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "none")
    assert processor.flags() == frozenset() and processor.processor_name()
    processor.check_processor()


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="Linux")
def test_other_programs_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three seconds of a clock that is ours, the processor worked four and this program one."""
    clock, busy, own = iter([10.0, 13.0]), iter([100.0, 104.0]), iter([7.0, 8.0])
    monkeypatch.setattr(processor.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(processor, "_busy_seconds", lambda: next(busy))
    monkeypatch.setattr(processor, "_own_seconds", lambda: next(own))
    assert processor.Others().cores() == pytest.approx(1.0)


def test_the_system_counts_what_this_program_does() -> None:
    before, own = processor._busy_seconds(), processor._own_seconds()
    sum(n * n for n in range(3_000_000))
    used = processor._own_seconds() - own
    assert used > 0.0 and (not before or processor._busy_seconds() - before >= 0.5 * used - 0.05)
