"""The doubles do what the real ones are relied on for: what a test hands in decides what comes out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from doubles import FakeLLM, TinyLearner, fake_file, tiny_encoder

from mollia_cli.annotators import ANNOTATORS
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.prompting import Decoding, Prompt
from mollia_cli.learners import LEARNERS
from mollia_cli.learners.base import DROPOUT, EMBEDDINGS, PERTURBED, PROBABILITIES, Examples

ITEMS = [Item(f"i{n}", f"text number {n}") for n in range(20)]
LABELS = LabelSet(("red", "green", "blue"))
COLOURS = {"red": "rose blood fire", "green": "grass leaf moss", "blue": "sea sky ice"}
Ask = Callable[..., list[Observation]]


@pytest.fixture
def ask(fake_llm: type[FakeLLM], tmp_path: Path) -> Ask:
    """The observations of the items, or of some, by an LLM from the registry."""

    def observations(
        items: list[Item] = ITEMS, name: str = "one", prompt: str = "Sort: ", **decoding: object
    ) -> list[Observation]:
        path = fake_file(tmp_path, name)
        llm = ANNOTATORS.load("llama")(
            name, path, LABELS, Prompt(prompt, ""), Decoding(**decoding), model_digest=name, threads=1
        )
        return [seen for batch in llm.annotate(items) for seen in batch]

    return observations


def log_probs(seen: list[Observation]) -> np.ndarray:
    return np.array([one.log_probs for one in seen])


def test_it_answers_from_its_queue(ask: Ask, fake_llm: type[FakeLLM]) -> None:
    fake_llm.queue.extend(["blue", "mauve", "red"])
    blue, invalid, red = ask(ITEMS[:3])
    assert [int(seen.log_probs.argmax()) for seen in (blue, red)] == [2, 0]
    assert (invalid.invalid, invalid.votes.sum(), invalid.mass, invalid.answers) == (1.0, 0.0, 0.0, ("mauve",))
    fake_llm.queue.append(KeyError("the engine failed"))
    with pytest.raises(KeyError, match="the engine failed"):
        ask(ITEMS[3:])
    assert fake_llm.asked == ["i0", "i1", "i2", "i3"]


def test_without_a_queue_what_it_depends_on_decides(ask: Ask) -> None:
    first = log_probs(ask())
    np.testing.assert_array_equal(first, log_probs(ask(ITEMS[::-1]))[::-1])
    for change in ({"name": "two"}, {"prompt": "Class: "}, {"seed": 1}):
        assert (first != log_probs(ask(**change))).any()
    for seen in ask():
        assert seen.votes.sum() + seen.invalid == pytest.approx(1.0)
        assert np.exp(seen.log_probs).sum() == pytest.approx(seen.mass) == 1.0
        assert 10 * seen.votes == pytest.approx(np.round(10 * seen.votes))
    for seen in ask(votes="exact"):
        np.testing.assert_allclose(seen.votes, np.exp(seen.log_probs))


@pytest.fixture
def learner(tiny_learner: type[TinyLearner], tmp_path: Path) -> TinyLearner:
    """An untrained classifier from the registry."""
    made: TinyLearner = LEARNERS.load("transformer")(
        tiny_encoder(tmp_path / "encoder"), LABELS, epochs=5, steps=10, patience=3, batch_size=8, token_file=None
    )
    return made


def examples(n: int, weights: float = 1.0) -> Examples:
    rng = np.random.default_rng(n)
    targets = rng.integers(0, 3, n)
    words = [COLOURS[LABELS.names[target]].split() for target in targets]
    texts = tuple(f"{words[row][rng.integers(3)]} {words[row][rng.integers(3)]}" for row in range(n))
    return Examples(texts, targets, np.full(n, weights), np.zeros((n, 3), dtype=bool))


def test_it_learns_and_the_same_again(learner: TinyLearner) -> None:
    train, held_out = examples(40), examples(15)
    report = learner.fit(train, held_out, 0.0, 1)
    first = learner.predict_proba(held_out.texts)
    assert (first.argmax(axis=1) == held_out.targets).all()
    assert (report.best_epoch, report.stopped_early) == (1, True)  # it could not get better
    learner.fit(train, held_out, 0.0, 1)
    np.testing.assert_array_equal(first, learner.predict_proba(held_out.texts))
    learner.fit(train, held_out, 0.0, 2)
    assert (first != learner.predict_proba(held_out.texts)).any()


def test_weights_and_negatives_reach_what_it_learns(learner: TinyLearner) -> None:
    train, text = examples(40), ["sea of fire"]
    learner.fit(train, examples(0), 0.0, 1)
    before = learner.predict_proba(text)[0]
    learner.fit(
        Examples(train.texts, train.targets, np.where(train.targets == 0, 0.1, 1.0), train.negatives),
        examples(0),
        0.0,
        1,
    )
    assert learner.predict_proba(text)[0, 0] < before[0]
    negatives = np.tile([True, False, False], (40, 1)) & (train.targets != 0)[:, None]
    learner.fit(Examples(train.texts, train.targets, train.weights, negatives), examples(0), 1.0, 1)
    assert learner.predict_proba(text)[0, 0] < before[0]


def test_saved_and_loaded_it_says_the_same(learner: TinyLearner, tmp_path: Path) -> None:
    texts = examples(9).texts
    learner.fit(examples(40), examples(0), 0.0, 1)
    learner.save(tmp_path / "model")
    loaded = TinyLearner.load(tmp_path / "model", labels=LABELS, threads=1)
    needs = frozenset({PROBABILITIES, EMBEDDINGS, DROPOUT, PERTURBED})
    for name, values in learner.signals(texts, needs, 3).items():
        np.testing.assert_array_equal(values, loaded.signals(texts, frozenset({name}), 3)[name])
        assert values.shape[1 if name == DROPOUT else 0] == len(texts)
