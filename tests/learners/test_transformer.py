import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import transformers  # noqa: E402
from learner_cases import LABELS, colour_examples  # noqa: E402

from mollia_cli.domain.errors import InputError, NotFoundError, RefusedError  # noqa: E402
from mollia_cli.domain.labels import LabelSet  # noqa: E402
from mollia_cli.domain.metrics import micro_f1  # noqa: E402
from mollia_cli.learners.base import Examples  # noqa: E402
from mollia_cli.learners.transformer import TransformerLearner  # noqa: E402

NOTHING = Examples.gold([], np.zeros(0, dtype=np.int64), 3)
BOTH = frozenset({"probabilities", "embeddings"})


def learner(encoder, **settings):
    return TransformerLearner(
        encoder, LABELS, **{"max_tokens": 24, "learning_rate": 3e-3, "batch_size": 20, "threads": 1} | settings
    )


@pytest.fixture(scope="module")
def trained(encoders):
    model = learner(encoders["bert"], epochs=8)
    model.fit(colour_examples(250, 0), NOTHING, 0.0, 1)
    return model


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "mpnet"])
def test_every_encoder_class_learns_saves_and_loads(encoders, tmp_path, kind):
    model, test = learner(encoders[kind], epochs=8), colour_examples(100, 9)
    model.fit(colour_examples(250, 0), colour_examples(50, 1), 0.0, 1)
    found = model.signals(test.texts, BOTH, 0)
    assert micro_f1(test.targets, found["probabilities"].argmax(axis=1)) > 0.9
    assert found["embeddings"].shape == (100, 32)
    model.save(tmp_path / "model")
    again = TransformerLearner.load(tmp_path / "model", threads=1)
    assert again.labels.names == LABELS.names
    np.testing.assert_array_equal(again.predict_proba(test.texts), found["probabilities"])


def test_a_pipeline_loads_the_saved_folder_unchanged(trained, tmp_path):
    trained.save(tmp_path / "model")
    pipe = transformers.pipeline("text-classification", model=str(tmp_path / "model"), device="cpu", top_k=None)
    answers = {answer["label"]: answer["score"] for answer in pipe(["w21 w29 w32"])[0]}
    ours = dict(zip(LABELS.names, trained.predict_proba(["w21 w29 w32"])[0], strict=True))
    assert answers == pytest.approx(ours, abs=0.03)
    assert max(answers, key=answers.get) == "green"
    assert pipe("w1 " * 500, truncation=True)


def test_the_saved_folder_holds_no_pickle(trained, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").write_text("from an earlier save")
    trained.save(tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert "old" not in names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["id2label"] == {"0": "red", "1": "green", "2": "blue"}


def test_the_same_seed_gives_the_same_model_and_another_does_not(encoder):
    def outcome(seed):
        model = learner(encoder, epochs=2)
        report = model.fit(colour_examples(60, 0), colour_examples(20, 1), 0.5, seed)
        return report.history, model.predict_proba(["w0 w5"])

    (history, first), (same_history, same), (_, other) = outcome(1), outcome(1), outcome(2)
    assert history == same_history
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_every_fit_starts_from_the_pretrained_weights(encoder):
    once, twice, data = learner(encoder, epochs=2), learner(encoder, epochs=2), colour_examples(60, 0)
    twice.fit(colour_examples(60, 5), NOTHING, 0.0, 7)
    for model in (once, twice):
        model.fit(data, NOTHING, 0.0, 1)
    np.testing.assert_array_equal(once.predict_proba(["w0 w5"]), twice.predict_proba(["w0 w5"]))


def test_training_leaves_the_global_random_state_alone(encoder):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model = learner(encoder, epochs=1)
    model.fit(colour_examples(10, 0), NOTHING, 0.0, 1)
    model.signals(["w0"], frozenset({"dropout", "perturbed"}), 0)
    assert torch.equal(torch.rand(3), expected)


def test_only_what_is_needed_is_computed(trained):
    assert trained.signals(["w0"], frozenset(), 0) == {}
    assert set(trained.signals(["w0"], frozenset({"embeddings"}), 0)) == {"embeddings"}


def test_dropout_members_differ_and_repeat_under_a_seed(trained):
    texts = colour_examples(30, 3).texts
    first, same, other = (trained.signals(texts, frozenset({"dropout"}), seed)["dropout"] for seed in (1, 1, 2))
    assert first.shape == (10, 30, 3)
    np.testing.assert_allclose(first.sum(axis=2), 1.0)
    assert (first.std(axis=0) > 0).any(axis=1).all()
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(trained.predict_proba(texts), trained.predict_proba(texts))


def test_perturbed_outputs_are_small_and_repeat_under_a_seed(trained):
    texts = colour_examples(30, 3).texts
    before = trained.predict_proba(texts)
    first, same = (trained.signals(texts, frozenset({"perturbed"}), 1)["perturbed"] for _ in range(2))
    assert first.shape == (30, 90)
    assert 0 < np.abs(first).max() < 0.1
    np.testing.assert_allclose(first.reshape(30, 30, 3).sum(axis=2), 0.0, atol=1e-6)  # probabilities keep their sum
    np.testing.assert_array_equal(first, same)
    np.testing.assert_array_equal(trained.predict_proba(texts), before)


def test_probabilities_are_near_those_of_float32(trained, encoder):
    texts = colour_examples(100, 3).texts
    exact = learner(encoder)
    exact._model, exact._dtype = trained._model, torch.float32
    np.testing.assert_allclose(trained.predict_proba(texts), exact.predict_proba(texts), atol=0.03)


def test_rows_do_not_depend_on_their_neighbours_beyond_rounding(trained):
    texts = colour_examples(40, 3).texts
    together = trained.predict_proba(texts)
    alone = np.concatenate([trained.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=0.03)


def test_no_texts_no_rows(trained):
    found = trained.signals([], frozenset({"probabilities", "embeddings", "dropout", "perturbed"}), 0)
    shapes = {name: array.shape for name, array in found.items()}
    assert shapes == {"probabilities": (0, 3), "embeddings": (0, 32), "dropout": (10, 0, 3), "perturbed": (0, 90)}


def test_three_examples_and_a_label_that_never_occurs(encoder):
    model = learner(encoder, epochs=2)
    report = model.fit(Examples.gold(["w0", "w1", "w0 w1"], np.array([0, 1, 0]), 3), NOTHING, 1.0, 0)
    assert (report.epochs, report.best_epoch, report.stopped_early) == (2, 2, False)
    assert model.predict_proba(["w0", "", "w0 " * 33_334]).shape == (3, 3)


def test_progress_ends_each_piece_of_work(encoder):
    seen = []
    model = learner(encoder, epochs=30, patience=2)
    data = colour_examples(50, 0)
    model.fit(data, data, 0.0, 1, lambda what, done, total: seen.append((what, done, total)))
    assert [entry for entry in seen if entry[1] == entry[2]] == [("train", 30, 30)]


def test_wrong_settings_and_folders_say_what_to_do(encoder, tmp_path):
    with pytest.raises(InputError, match="epochs is 0"):
        learner(encoder, epochs=0)
    with pytest.raises(InputError, match="takes 40 at most"):
        learner(encoder, max_tokens=41).fit(colour_examples(3, 0), NOTHING, 0.0, 0)
    with pytest.raises(InputError, match="nothing to train on"):
        learner(encoder).fit(NOTHING, NOTHING, 0.0, 0)
    with pytest.raises(RefusedError, match="not trained"):
        learner(encoder).predict_proba(["w0"])
    with pytest.raises(InputError, match="'probs'"):
        learner(encoder).signals(["w0"], frozenset({"probs"}), 0)
    with pytest.raises(NotFoundError, match=r"config\.json"):
        learner(tmp_path)
    with pytest.raises(InputError, match="device 'abacus'"):
        learner(encoder, device="abacus")


def test_pickled_weights_are_refused(encoder, tmp_path):
    for path in encoder.iterdir():
        if path.name != "model.safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(RefusedError, match="safetensors"):
        learner(tmp_path)


def test_a_damaged_model_file_is_an_input_error(encoder, tmp_path):
    for path in encoder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be loaded"):
        learner(tmp_path).fit(colour_examples(3, 0), NOTHING, 0.0, 0)


def test_a_model_of_other_labels_is_refused(trained, tmp_path):
    trained.save(tmp_path / "model")
    with pytest.raises(RefusedError, match="red, green, blue"):
        TransformerLearner.load(tmp_path / "model", labels=LabelSet(("red", "blue", "green")))


def test_a_loaded_learner_trains_only_from_an_encoder(trained, encoder, tmp_path):
    trained.save(tmp_path / "model")
    with pytest.raises(RefusedError, match="loaded to predict"):
        TransformerLearner.load(tmp_path / "model").fit(colour_examples(3, 0), NOTHING, 0.0, 0)
    again = TransformerLearner.load(tmp_path / "model", encoder=encoder, max_tokens=24, epochs=1)
    assert again.fit(colour_examples(3, 0), NOTHING, 0.0, 0).epochs == 1
    with pytest.raises(InputError, match="max_tokens is 300"):
        TransformerLearner.load(tmp_path / "model", max_tokens=300)
