"""Re-encoding keeps the values; tuning keeps the best file and nothing else; the benchmark's numbers."""

from pathlib import Path

import numpy as np
import pytest

from mollia_cli.annotators.llama import GgufAnnotator, tuning
from mollia_cli.annotators.llama.bench import bench_annotate
from mollia_cli.annotators.llama.binding.doctor import engine
from mollia_cli.annotators.llama.binding.formats import reencode
from mollia_cli.annotators.llama.binding.header import read_header
from mollia_cli.annotators.llama.tuning import Encoding, TextSample, Tuned, explain, measure_threads, tune
from mollia_cli.domain.errors import InputError, MolliaError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.prompting import Decoding

from .oracle import LABELS, PROMPT
from .test_engine import ITEMS


def probabilities(path: Path) -> np.ndarray:
    with GgufAnnotator("x", path, LABELS, PROMPT, Decoding(votes="exact"), model_digest="", threads=1) as annotator:
        found = {o.item_id: o.log_probs for batch in annotator.annotate(ITEMS) for o in batch}
    return np.exp(np.array([found[item.id] for item in ITEMS]))


@pytest.mark.proof
def test_bf16_keeps_the_values(test_llm: Path, precise_llm: Path, tmp_path: Path) -> None:
    bf16, q4_0 = tmp_path / "b.gguf", tmp_path / "q.gguf"
    reencode(test_llm, bf16, "BF16", threads=1)
    reencode(test_llm, q4_0, "Q4_0", threads=1)
    assert read_header(bf16).main_type == "BF16"
    exact = probabilities(precise_llm)
    kept, coarse = (np.abs(probabilities(path) - exact).max() for path in (bf16, q4_0))
    assert kept < 0.05
    assert coarse > 2 * kept
    assert not list(tmp_path.glob("*.part"))


def test_a_failed_reencoding_leaves_nothing(shallow_llm: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weight format"):
        reencode(shallow_llm, tmp_path / "x.gguf", "Q99")
    with pytest.raises(MolliaError, match="cannot write"):
        reencode(tmp_path / "none.gguf", tmp_path / "x.gguf", "BF16")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.proof
def test_tune_keeps_the_winner_beside_the_original(
    test_llm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = {"Q4_1": 500.0, "BF16": 2000.0, "F16": 900.0}
    monkeypatch.setattr(tuning, "_race", lambda files, threads, extra_buffers: {name: speeds[name] for name in files})
    said: list[str] = []
    sample = TextSample(ITEMS[:12], LABELS, PROMPT)
    found = tune(test_llm, tmp_path, sample=sample, threads=1, say=said.append)
    assert found.best.format == "BF16"
    assert found.gain == pytest.approx(4.0)
    assert [path.name for path in tmp_path.iterdir()] == [f"{test_llm.stem}.bf16.gguf"]
    assert found.best.path == tmp_path / f"{test_llm.stem}.bf16.gguf"
    assert found.keeps_values
    assert found.change is not None
    assert found.change.texts == 12
    assert set(found.layer_speeds) == set(speeds)
    assert "4.0 times" in explain(found)
    assert said


def test_tune_leaves_nothing_when_the_original_is_best(
    shallow_llm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        tuning, "_race", lambda files, threads, extra_buffers: {name: 1.0 + (name == "Q4_1") for name in files}
    )
    found = tune(shallow_llm, tmp_path, threads=1)
    assert found.best is found.original
    assert found.change is None
    assert list(tmp_path.iterdir()) == []
    assert "already the fastest" in explain(found)


def test_an_original_in_a_coarse_format_keeps_its_own_values() -> None:
    original = Encoding("Q8_0", Path("a"), 1, 1.0)
    assert Tuned(original, original, {}, {}, {}, None).keeps_values
    assert not Tuned(original, Encoding("Q4_0", Path("b"), 1, 2.0), {}, {}, {}, None).keeps_values


@pytest.mark.proof
def test_coarser_formats_only_when_asked_for(
    shallow_llm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        tuning, "_race", lambda files, threads, extra_buffers: {name: 1.0 + (name == "Q4_0") for name in files}
    )
    assert "Q4_0" not in tune(shallow_llm, tmp_path, threads=1).layer_speeds
    found = tune(shallow_llm, tmp_path, coarser=True, threads=1, sample=TextSample(ITEMS[:6], LABELS, PROMPT))
    assert found.best.format == "Q4_0"
    assert not found.keeps_values
    assert found.change is not None
    assert "coarser" in explain(found)


def test_formats_that_do_not_fit_are_skipped(test_llm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_race", lambda files, threads, extra_buffers: dict.fromkeys(files, 1.0))
    monkeypatch.setattr(tuning, "available", lambda: 200 << 20)
    found = tune(test_llm, tmp_path, coarser=True, threads=1)
    assert "GiB of memory" in found.skipped["BF16"]
    assert set(found.layer_speeds) == {"Q4_1", "Q8_0", "Q4_0"}


def test_threads_are_measured(shallow_llm: Path) -> None:
    rates = measure_threads(shallow_llm, [1])
    assert rates[1] > 0


@pytest.mark.proof
def test_bench_numbers(quick_llm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mollia_cli.annotators.llama.bench._CEILING_SHARE", 0.0)
    stored: list[Observation] = []
    items = [Item(f"{i}", item.text) for i, item in enumerate(ITEMS)]
    with GgufAnnotator("x", quick_llm, LABELS, PROMPT, Decoding(), model_digest="", threads=1) as annotator:
        found = bench_annotate(annotator, items, stored.extend)
    assert len(stored) == len(items) == found.texts
    assert found.tokens_per_s == pytest.approx(found.texts_per_s * found.new_tokens_per_text)
    assert found.ratio == pytest.approx(found.tokens_per_s / found.ceiling_tokens_per_s)
    assert found.new_tokens_per_text == pytest.approx(np.mean([o.tokens for o in stored]))
    assert 0 < found.extra_tokens_per_text < found.new_tokens_per_text
    assert 0.2 < found.ratio_cpu < 1.5
    assert found.peak_rss_mb > 100


def test_doctor_names_what_is_used() -> None:
    found = engine()
    assert found.llama_cpp_python
    assert "CPU" in found.system
    assert any(device.type == "CPU" for device in found.devices)
    assert isinstance(found.gpu_offload, bool)
