"""The contract that every registered learner keeps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from learner_cases import LABELS, colour_examples  # noqa: E402

from mollia_cli.domain.errors import InputError, RefusedError  # noqa: E402
from mollia_cli.domain.labels import LabelSet  # noqa: E402
from mollia_cli.domain.metrics import micro_f1  # noqa: E402
from mollia_cli.learners import LEARNERS  # noqa: E402
from mollia_cli.learners.base import SIGNALS, Examples, Learner, join, take  # noqa: E402

NOTHING = Examples.gold([], np.zeros(0, dtype=np.int64), 3)
# As project/learner.py makes them: every setting of [learner], whether the learner has epochs or not.
SETTINGS = {
    "max_tokens": 24,
    "learning_rate": 3e-3,
    "batch_size": 20,
    "epochs": 6,
    "patience": 6,
    "steps": 1,
    "threads": 1,
}
Make = Callable[..., Learner]


@pytest.fixture(params=list(LEARNERS))
def kind(request: pytest.FixtureRequest) -> type[Learner]:
    found: type[Learner] = LEARNERS.load(request.param)
    return found


@pytest.fixture
def make(kind: type[Learner], encoder: Path) -> Make:
    """An untrained learner."""

    def made(**settings: object) -> Learner:
        return kind(encoder, LABELS, **{**SETTINGS, **settings})  # type: ignore[call-arg]

    return made


@pytest.fixture
def trained(make: Make) -> Learner:
    learner = make()
    learner.fit(colour_examples(200, 0), NOTHING, 0.4, 1)
    return learner


def test_it_learns_and_its_signals_have_the_contracts_shapes(trained: Learner) -> None:
    test = colour_examples(60, 9)
    found = trained.signals(test.texts, SIGNALS, 3)
    assert found.keys() == SIGNALS
    assert micro_f1(test.targets, found["probabilities"].argmax(axis=1)) > 0.8
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1.0)
    np.testing.assert_allclose(found["dropout"].sum(axis=2), 1.0)
    shapes = {name: values.shape for name, values in found.items()}
    assert shapes == {"probabilities": (60, 3), "embeddings": (60, 32), "dropout": (10, 60, 3), "perturbed": (60, 90)}
    assert all(np.isfinite(values).all() for values in found.values())
    assert (found["dropout"].std(axis=0) > 0).any(axis=1).all()
    assert 0 < np.abs(found["perturbed"]).max() < 0.1
    np.testing.assert_allclose(trained.predict_proba(test.texts), found["probabilities"])


def test_a_saved_folder_can_call_its_labels_otherwise(trained: Learner, kind: type[Learner], tmp_path: Path) -> None:
    trained.save(tmp_path / "saved")
    encoder_before = (tmp_path / "saved" / "model.safetensors").read_bytes()
    others = LabelSet(("red", "grass", "blue"))
    kind.rename(tmp_path / "saved", others)
    with pytest.raises(RefusedError, match="was trained on the labels red, grass, blue"):
        kind.load(tmp_path / "saved", labels=LABELS)
    texts = colour_examples(20, 9).texts
    found = kind.load(tmp_path / "saved", labels=others)
    np.testing.assert_allclose(found.predict_proba(texts), trained.predict_proba(texts), atol=1e-6)
    assert (tmp_path / "saved" / "model.safetensors").read_bytes() == encoder_before


def test_no_texts_no_rows_and_no_needs_no_signals(trained: Learner) -> None:
    shapes = {name: values.shape for name, values in trained.signals([], SIGNALS, 0).items()}
    assert shapes == {"probabilities": (0, 3), "embeddings": (0, 32), "dropout": (10, 0, 3), "perturbed": (0, 90)}
    assert trained.signals(["w0"], frozenset(), 0) == {}


def test_a_seed_gives_the_same_and_another_other_samples(make: Make, trained: Learner) -> None:
    texts, same = colour_examples(20, 3).texts, make()
    same.fit(colour_examples(50, 5), NOTHING, 0.0, 7)
    same.fit(colour_examples(200, 0), NOTHING, 0.4, 1)  # every fit is a cold start
    for name, values in trained.signals(texts, SIGNALS, 3).items():
        np.testing.assert_array_equal(values, same.signals(texts, frozenset({name}), 3)[name])
    for name in ("dropout", "perturbed"):
        first, other = (trained.signals(texts, frozenset({name}), seed)[name] for seed in (3, 4))
        assert not np.array_equal(first, other)


def test_weights_negatives_and_soft_targets_reach_what_is_learned(make: Make) -> None:
    data, texts, learner = colour_examples(60, 0), colour_examples(60, 9).texts, make()

    def red(examples: Examples, negative_weight: float) -> float:
        learner.fit(examples, NOTHING, negative_weight, 1)
        return float(learner.predict_proba(texts)[:, 0].mean())

    own = data.targets == 0
    plain = red(data, 0.0)
    light = Examples(data.texts, data.targets, np.where(own, 0.05, 1.0), data.negatives, data.known)
    assert red(light, 0.0) < plain
    against = Examples(data.texts, data.targets, data.weights, ~own[:, None] & (np.arange(3) == 0), data.known)
    assert red(against, 0.0) == pytest.approx(plain)
    assert red(against, 5.0) < plain
    soft = np.where(own[:, None], [0.4, 0.3, 0.3], data.distributions)
    assert red(Examples(data.texts, data.targets, data.weights, data.negatives, data.known, soft), 0.0) < plain
    assert red(
        Examples(data.texts, data.targets, data.weights, data.negatives, soft=data.distributions), 0.0
    ) == pytest.approx(plain, abs=0.02)


def test_saved_and_loaded_it_says_the_same(trained: Learner, kind: type[Learner], tmp_path: Path) -> None:
    texts = colour_examples(30, 3).texts
    trained.save(tmp_path / "model")
    assert not [path for path in (tmp_path / "model").iterdir() if path.suffix in (".bin", ".pt", ".pkl")]
    again = kind.load(tmp_path / "model", labels=LABELS, threads=1)
    np.testing.assert_allclose(again.predict_proba(texts), trained.predict_proba(texts), atol=1e-5)
    trained.save(tmp_path / "model")  # over the old one
    with pytest.raises(RefusedError, match="red, green, blue"):
        kind.load(tmp_path / "model", labels=LabelSet(("red", "blue", "green")))


def test_transformers_loads_the_saved_encoder(trained: Learner, tmp_path: Path) -> None:
    import transformers

    trained.save(tmp_path / "model")
    body, loading = transformers.AutoModel.from_pretrained(
        tmp_path / "model", local_files_only=True, output_loading_info=True
    )
    assert body.config.hidden_size == 32
    assert not [name for name in loading["missing_keys"] if "pooler" not in name]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model", local_files_only=True)
    assert len(tokenizer("w1 " * 500, truncation=True)["input_ids"]) == 24


def test_three_examples_and_a_label_that_never_occurs(make: Make) -> None:
    learner = make()
    learner.fit(Examples.gold(["w0", "w1", "w0 w1"], np.array([0, 1, 0]), 3), NOTHING, 1.0, 0)
    assert learner.predict_proba(["w0", "", "w0 " * 33_334]).shape == (3, 3)
    learner.fit(Examples.gold(["w0"], np.array([2]), 3), NOTHING, 0.0, 0)
    assert learner.predict_proba(["w0"]).argmax() == 2


def test_wrong_use_says_what_to_do(make: Make, trained: Learner, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to train on"):
        make().fit(NOTHING, NOTHING, 0.0, 0)
    with pytest.raises(RefusedError, match="not trained"):
        make().predict_proba(["w0"])
    with pytest.raises(RefusedError, match="not trained"):
        make().save(tmp_path / "model")
    with pytest.raises(InputError, match="'probs'"):
        trained.signals(["w0"], frozenset({"probs"}), 0)
    with pytest.raises(InputError, match="takes 40 at most"):
        make(max_tokens=41).fit(colour_examples(3, 0), NOTHING, 0.0, 0)
    with pytest.raises(InputError, match="max_tokens is 0"):
        make(max_tokens=0)


def test_examples_are_joined_and_taken_with_all_that_is_known_of_them() -> None:
    gold, plain = colour_examples(4, 0), colour_examples(3, 1)
    plain = Examples(plain.texts, plain.targets, plain.weights, plain.negatives, soft=np.full((3, 3), 1 / 3))
    both = join(gold, plain)
    assert both.gold_rows.tolist() == [True] * 4 + [False] * 3
    np.testing.assert_array_equal(both.distributions[:4], np.eye(3)[gold.targets])
    some = take(both, [6, 0])
    assert some.texts == (plain.texts[2], gold.texts[0])
    assert some.gold_rows.tolist() == [False, True]
    assert some.distributions[0].tolist() == [1 / 3] * 3
