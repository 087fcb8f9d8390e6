"""The decoding loop: nothing lost, nothing mixed up, whatever is scarce."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.annotators.llama import GgufAnnotator, annotator
from mollia_cli.annotators.llama.binding.llama import Context, DecodeError
from mollia_cli.annotators.llama.guard.build import Kernels
from mollia_cli.domain.errors import InputError, MolliaError, NotFoundError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.memory import resident
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.prompting import Decoding, Prompt

from .oracle import LABELS, PROMPT, Reference

Make = Callable[..., GgufAnnotator]
TOLERANCE = 0.003
HALVES = replace(  # of equally many tokens: the wrong prefix would fit, too
    PROMPT,
    shots=(("I love it", "positive"), ("It broke at once", "negative")),
    others=(("I hate it", "negative"), ("It worked at once", "positive")),
)

WORDS = ("the", "bill", "was", "wrong", "again", "and", "nobody", "called", "thanks", "lovely", "late", "scan", "?")
ITEMS = [
    Item(f"id{i}", " ".join(WORDS[(i * k + k * k) % len(WORDS)] for k in range(1, 3 + i % 17)) + f" {i}")
    for i in range(32)
]
by_id = {item.id: item for item in ITEMS}


def observed(engine: GgufAnnotator, items: list[Item] = ITEMS) -> dict[str, Observation]:
    batches = list(engine.annotate(items))
    ids = [o.item_id for batch in batches for o in batch]
    assert sorted(ids) == sorted(item.id for item in items)  # each exactly once
    return {o.item_id: o for batch in batches for o in batch}


def assert_same(one: dict[str, Observation], two: dict[str, Observation]) -> None:
    for key, seen in one.items():
        gap = np.abs(np.exp(seen.log_probs) - np.exp(two[key].log_probs)).max()
        assert gap < TOLERANCE, key


@pytest.fixture(scope="module")
def together(precise_llm: Path) -> dict[str, Observation]:
    """The items, all in one run."""
    with GgufAnnotator("test", precise_llm, LABELS, PROMPT, Decoding(), model_digest="digest", threads=1) as engine:
        return observed(engine)


@pytest.mark.proof
def test_together_is_alone(make: Make, together: dict[str, Observation]) -> None:
    engine = make()
    alone = {item.id: next(iter(engine.annotate([item])))[0] for item in ITEMS}
    assert_same(alone, together)
    kept = [np.array_equal(seen.votes, together[key].votes) for key, seen in alone.items()]
    assert np.mean(kept) > 0.9


@pytest.mark.proof
def test_few_sequences_change_nothing(
    make: Make, together: dict[str, Observation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotator, "SEQUENCES", 6)
    assert_same(observed(make()), together)


@pytest.mark.proof
def test_small_batches_change_nothing(
    make: Make, together: dict[str, Observation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotator, "BATCH", 32)
    monkeypatch.setattr(annotator, "SEQUENCES", 16)
    assert_same(observed(make()), together)


@pytest.mark.proof
def test_a_text_longer_than_a_batch(make: Make, reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotator, "BATCH", 64)
    monkeypatch.setattr(annotator, "SEQUENCES", 16)
    text = " ".join(f"The nurse was kind on day {i}." for i in range(25))
    seen = observed(make(), [Item("long", text), *ITEMS[:5]])["long"]
    assert seen.tokens > 2 * annotator.BATCH
    assert not seen.truncated
    truth = reference.walk(text, reference.distribution, floor=1e-3)
    assert np.abs(np.exp(seen.log_probs) - truth).max() < 0.02


def test_a_text_longer_than_the_context_is_cut_and_marked(make: Make) -> None:
    engine = make(context=200)
    seen = observed(engine, [Item("long", "spam " * 5000), Item("short", "spam")])
    assert seen["long"].truncated
    assert not seen["short"].truncated
    assert seen["long"].tokens < 220
    assert engine.stats.truncated == 1


@pytest.mark.proof
def test_a_failing_batch_costs_only_the_culprit(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    poison = make().load().tokenize(" poison")[0]
    decode = Context.decode

    def fails(self: Context) -> None:
        if poison in self._token[: self.used]:
            self.used = 0
            raise DecodeError(-3)
        decode(self)

    items = [*ITEMS[:5], Item("bad", "this is poison for it"), *ITEMS[5:10]]
    whole = observed(make(), items)
    monkeypatch.setattr(Context, "decode", fails)
    engine = make()
    seen = observed(engine, items)
    bad = seen.pop("bad")
    assert bad.invalid == 1.0
    assert bad.votes.sum() == 0.0
    assert "status -3" in bad.answers[0]
    assert np.isfinite(bad.log_probs).all()
    assert engine.stats.failed == 1
    assert_same(seen, whole)


@pytest.mark.proof
def test_stopping_in_the_middle_leaves_the_engine_usable(make: Make, together: dict[str, Observation]) -> None:
    engine = make()
    run = engine.annotate(ITEMS)
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert_same(observed(engine, ITEMS[:8]), together)


def test_nothing_to_do(make: Make) -> None:
    assert list(make().annotate([])) == []


def test_many_labels(make: Make) -> None:
    labels = LabelSet(tuple(f"topic {i}" for i in range(150)))
    prompt = Prompt("Give the topic of this text, as 'topic' and a number.\n\n", "\n\n")
    seen = observed(make(labels=labels, prompt=prompt), ITEMS[:6])
    assert all(o.log_probs.shape == (150,) and np.isfinite(o.log_probs).all() for o in seen.values())


@pytest.mark.proof
def test_tokens_are_counted(make: Make) -> None:
    engine = make()
    seen = observed(engine, ITEMS[:16])
    tally = engine.stats.tally
    assert sum(o.tokens for o in seen.values()) == tally.total - tally.once
    assert engine.stats.texts == len(seen)


@pytest.mark.proof
def test_memory_returns_when_a_model_is_closed(make: Make) -> None:
    before = resident()
    assert before is not None
    for _ in range(3):
        engine = make()
        observed(engine, ITEMS[:4])
        during = resident()
        engine.close()
    after = resident()
    assert during is not None
    assert after is not None
    assert during - before > 200 << 20  # the weights
    assert after - before < 100 << 20


def test_after_close_it_loads_again(make: Make) -> None:
    engine = make()
    first = observed(engine, ITEMS[:3])
    engine.close()
    assert_same(first, observed(engine, ITEMS[:3]))


@pytest.mark.proof
def test_each_half_is_read_with_its_own_examples(make: Make) -> None:
    """Both halves together are what two annotators with one set of examples each would say."""
    engine = make(prompt=HALVES)
    together = observed(engine)
    for half, prompt in enumerate(HALVES.halves):
        mine = [item for item in ITEMS if engine.half_of(item) == half]
        assert 10 < len(mine) < 22
        own, other = observed(make(prompt=prompt), mine), observed(make(prompt=HALVES.halves[1 - half]), mine)
        gaps = [[np.abs(np.exp(together[i].log_probs) - np.exp(o[i].log_probs)).max() for i in o] for o in (own, other)]
        assert max(gaps[0]) < TOLERANCE < 10 * TOLERANCE < np.mean(gaps[1])


def test_the_half_that_was_read_last_comes_first(make: Make) -> None:
    """So that what was decoded for it is used again."""
    engine = make(prompt=HALVES)
    first, second = ([item for item in ITEMS if engine.half_of(item) == half] for half in (0, 1))
    observed(engine, second[:3])
    decoded = engine.stats.tally.once
    batches = [{engine.half_of(by_id[o.item_id]) for o in batch} for batch in engine.annotate([first[0], second[3]])]
    assert batches == [{1}, {0}]
    observed(engine, first[1:3])
    assert engine.stats.tally.once - decoded == len(engine._encoders[0].shared)


def test_the_log_goes_to_its_file(make: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "logs" / "llama.log"
    observed(make(log_path=log), ITEMS[:3])
    assert "llama" in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o777 == 0o600
    assert not any(item.text in log.read_text(encoding="utf-8") for item in ITEMS[:3])
    assert capfd.readouterr() == ("", "")


def test_preview_shows_control_tokens(make: Make) -> None:
    seen = make().preview(Item("x", "Hello <|im_end|>"))
    assert seen.startswith("<|im_start|>system\n")
    assert seen.endswith("Hello <|im_end|><|im_end|>\n<|im_start|>assistant\n")


class TestIdentity:
    """What an observation depends on, and nothing else."""

    def test_it_needs_no_model(self, make: Make, tmp_path: Path) -> None:
        assert make(path=tmp_path / "not there").identity["model"] == "digest"

    @pytest.mark.parametrize(
        "change",
        [
            {"model_digest": "other"},
            {"prompt": Prompt("Sort: ", "")},
            {"labels": LabelSet(("positive", "negative"))},
            {"decoding": Decoding(seed=1)},
            {"decoding": Decoding(votes="exact")},
            {"context": 100},
        ],
    )
    def test_it_changes_with(self, make: Make, change: dict[str, object]) -> None:
        assert make(**change).identity != make().identity

    @pytest.mark.parametrize("change", [{"threads": 2}, {"show_invalid": 3}, {"log_path": Path("x.log")}])
    def test_it_does_not_change_with(self, make: Make, change: dict[str, object]) -> None:
        assert make(**change).identity == make().identity

    def test_mixed_leaves_out_what_machines_do_not_share(self, make: Make) -> None:
        here, there = (make(mixed=True, kernels=lambda s=s: Kernels(s, False)) for s in ("here", "there"))
        assert here.identity == there.identity and here.identity["mixed"] is True
        left = make(mixed=False).identity.keys() - here.identity.keys()
        assert left == {"engine", "system", "extra_buffers", "gpu_layers"}

    def test_it_names_the_engine(self, make: Make) -> None:
        assert "llama-cpp-python" in str(make().identity["engine"])


@pytest.mark.parametrize("prompt", [PROMPT, HALVES])
def test_whichever_batches_are_done_the_others_stay(
    make: Make, monkeypatch: pytest.MonkeyPatch, prompt: Prompt
) -> None:
    monkeypatch.setattr(annotator, "_TOGETHER", 100)
    engine = make(prompt=prompt)
    batches = list(engine.batches(ITEMS))
    assert sorted(item.id for batch in batches for item in batch) == sorted(item.id for item in ITEMS)
    assert len(batches) > 8
    for left in (batches[3:], batches[::2], batches[1::3]):
        again = [item for batch in reversed(left) for item in batch]
        assert list(engine.batches(again)) == left
    assert all(list(engine.batches(batch[::-1])) == [batch] for batch in batches)


class TestRefusals:
    """A file that cannot be used: what it is, and what to type next."""

    def test_missing(self, make: Make, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match="no model file"):
            make(path=tmp_path / "gone.gguf").load()

    def test_not_gguf(self, make: Make, tmp_path: Path) -> None:
        path = tmp_path / "text.gguf"
        path.write_text("hello")
        with pytest.raises(RefusedError, match="is no GGUF file"):
            make(path=path).load()

    @pytest.mark.parametrize("share", [0.5, 0.0001])
    def test_cut(self, make: Make, test_llm: Path, tmp_path: Path, share: float) -> None:
        path = tmp_path / "cut.gguf"
        raw = test_llm.read_bytes()
        path.write_bytes(raw[: int(len(raw) * share)])
        with pytest.raises(RefusedError, match=r"cut short|within its header") as error:
            make(path=path).load()
        assert "mollia models check" in error.value.hint

    def test_too_big_for_the_memory(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mollia_cli.annotators.llama.binding.memory.available", lambda: 50 << 20)
        with pytest.raises(MolliaError, match=r"needs about .* MB of memory"):
            make().load()

    def test_gpu_layers_without_a_gpu(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        from mollia_cli.annotators.llama.binding import llama

        monkeypatch.setattr(llama.lib(), "llama_supports_gpu_offload", lambda: False)
        with pytest.raises(InputError, match="without GPU support"):
            make(gpu_layers=10).load()


def test_importing_the_family_imports_no_llama_cpp() -> None:
    code = (
        "import sys, mollia_cli.annotators.llama; from mollia_cli.annotators import ANNOTATORS;"
        "ANNOTATORS.load('llama'); sys.exit('llama_cpp' in sys.modules or 'jinja2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.proof
@pytest.mark.parametrize(("prompt", "done"), [(PROMPT, 1), (HALVES, 1), (HALVES, 3)])
def test_whoever_goes_on_later_gets_the_same_numbers(
    make: Make, monkeypatch: pytest.MonkeyPatch, prompt: Prompt, done: int
) -> None:
    monkeypatch.setattr(annotator, "_TOGETHER", 200)
    engine = make(prompt=prompt)
    whole = list(engine.annotate(ITEMS[:24]))
    assert len(whole) > done + 1
    halves = [{engine.half_of(by_id[o.item_id]) for o in batch} for batch in whole]
    assert all(len(half) == 1 for half in halves)  # a batch has one shared prefix
    assert sum(one != other for one, other in pairwise(halves)) == len(prompt.halves) - 1  # each decoded once
    left = {o.item_id for batch in whole[done:] for o in batch}
    rest = observed(make(prompt=prompt), [item for item in ITEMS if item.id in left])
    for seen in (o for batch in whole[done:] for o in batch):
        np.testing.assert_array_equal(seen.log_probs, rest[seen.item_id].log_probs)
        np.testing.assert_array_equal(seen.votes, rest[seen.item_id].votes)
