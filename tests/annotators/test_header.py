"""GGUF headers, and the memory that they predict."""

from pathlib import Path

import pytest

from mollia_cli.annotators.llama.binding import header as headers
from mollia_cli.annotators.llama.binding.header import read_header
from mollia_cli.annotators.llama.binding.llama import Context, Model
from mollia_cli.annotators.llama.binding.memory import available, check_fits, disk_free, predict
from mollia_cli.domain.errors import MolliaError, NotFoundError, RefusedError
from mollia_cli.domain.memory import peak_rss, resident


def test_what_a_file_says_of_itself(test_llm: Path) -> None:
    header = read_header(test_llm)
    assert header.architecture == "llama"
    assert header.main_type == "Q4_1"
    assert header.setting("block_count") == 30
    assert header.metadata["tokenizer.ggml.tokens"] == 49152  # an array is known by its length
    assert header.expected_size == test_llm.stat().st_size
    assert sum(tensor.elements for tensor in header.tensors) == pytest.approx(135e6, rel=0.01)
    header.check_whole()


@pytest.mark.parametrize("size", [0, 3, 4, 20, 100, 5000, 1_000_000])
def test_a_cut_header_is_refused(test_llm: Path, tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(test_llm.read_bytes()[:size])
    with pytest.raises(RefusedError):
        read_header(path)


@pytest.mark.parametrize("place", range(24, 400, 8))
def test_damage_is_refused_or_read_but_never_crashes(test_llm: Path, tmp_path: Path, place: int) -> None:
    path = tmp_path / "damaged.gguf"
    raw = bytearray(test_llm.read_bytes()[:3_000_000])
    raw[place : place + 8] = b"\xff" * 8
    path.write_bytes(raw)
    try:
        read_header(path)
    except RefusedError as error:
        assert str(path) in error.message


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_header(tmp_path / "none.gguf")


def test_the_predicted_cache_is_what_llama_cpp_takes(test_llm: Path) -> None:
    before = resident()
    with Model(test_llm) as model:
        small, large = (Context(model, cells=cells, sequences=4, batch=64, threads=1) for cells in (256, 16384))
        assert before is not None
        predicted = predict(test_llm, cells=16384, batch=64).cache - predict(test_llm, cells=256, batch=64).cache
        assert predicted == (16384 - 256) * 30 * 2 * 192 * 2  # layers, K and V, 3 heads of 64, two bytes
        small.close()
        large.close()


def test_memory_that_is_not_there(test_llm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need = check_fits(test_llm, cells=2048, batch=512)
    assert need.total > need.weights == test_llm.stat().st_size
    monkeypatch.setattr("mollia_cli.annotators.llama.binding.memory.available", lambda: need.total - 1)
    with pytest.raises(MolliaError, match="are free") as error:
        check_fits(test_llm, cells=2048, batch=512)
    assert "smaller model" in error.value.hint


def test_what_the_machine_has(tmp_path: Path) -> None:
    assert (available() or 1) > 0
    assert peak_rss() >= (resident() or 0) > 0
    assert disk_free(tmp_path / "not" / "yet") > 0


def test_a_header_is_parsed_once_until_the_file_changes(
    test_llm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[Path] = []
    parse = headers._parse
    monkeypatch.setattr(headers, "_parse", lambda path, handle: parsed.append(path) or parse(path, handle))
    path = tmp_path / "own.gguf"
    raw = test_llm.read_bytes()[:3_000_000]
    path.write_bytes(raw)
    assert read_header(path) is read_header(path)
    assert parsed == [path]
    path.write_bytes(raw)  # of equal size
    read_header(path)
    assert parsed == [path] * 2
