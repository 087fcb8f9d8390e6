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
    describe(tmp_path, monkeypatch, "Core i7 920", "sse4_2 popcnt")
    with pytest.raises(RefusedError, match=r"this processor \(Core i7 920\) has no AVX") as caught:
        processor.check_processor()
    assert "2011" in caught.value.hint


def test_nothing_is_refused_where_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "none")
    assert processor.flags() == frozenset() and processor.processor_name()
    processor.check_processor()
