"""What only the learner with a frozen encoder does: texts are read once, and the head is fitted to its end."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from learner_cases import LABELS, colour_examples, save_encoder  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402

from mollia_cli.domain.errors import InputError  # noqa: E402
from mollia_cli.learners import frozen  # noqa: E402
from mollia_cli.learners.base import Examples, take  # noqa: E402
from mollia_cli.learners.head import GRID, Head, Scaling, choose_ridge, fit_head, softmax  # noqa: E402
from mollia_cli.learners.linear import LinearLearner  # noqa: E402
from mollia_cli.learners.losses import robust_loss  # noqa: E402


def learner(encoder: Path, keep: Path | None, **settings: object) -> LinearLearner:
    return LinearLearner(encoder, LABELS, **{"max_tokens": 24, "threads": 1, "embeddings": keep} | settings)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each reading of the encoder was of."""
    seen: list[int] = []
    pooled = frozen.pooled_layers

    def counted(body, encoded, *rest):
        seen.append(len(encoded))
        return pooled(body, encoded, *rest)

    monkeypatch.setattr(frozen, "pooled_layers", counted)
    return seen


def test_a_text_is_read_once_for_all_learners_of_the_encoder(encoder: Path, tmp_path: Path, reads: list[int]) -> None:
    data, keep = colour_examples(40, 0), tmp_path / "embeddings"
    first = learner(encoder, keep)
    first.fit(data, take(data, []), 0.0, 1)
    assert reads == [40]
    expected = first.signals(data.texts, frozenset({"embeddings"}), 0)["embeddings"]
    first.save(tmp_path / "model")

    again = LinearLearner.load(tmp_path / "model", embeddings=keep, threads=1)
    again.fit(data, take(data, []), 0.0, 2)
    np.testing.assert_array_equal(again.signals(data.texts, frozenset({"embeddings"}), 0)["embeddings"], expected)
    assert reads == [40]
    assert again._encoder._body is None  # nothing to read, nothing to load
    assert again.unread([*data.texts, "w1 w2", "w1 w2", "w1 w2 w3"]) == ["w1 w2 w3", "w1 w2"]
    again.predict_proba(["w1 w2", data.texts[0], "w1 w2"])
    assert reads == [40, 1]

    other = learner(encoder, keep, max_tokens=12)  # another longest text is another encoder
    other.fit(data, take(data, []), 0.0, 1)
    assert reads == [40, 1, 40]


def states_by_hand(encoder: Path, text: str) -> list[np.ndarray]:
    """The mean over a text's tokens of each layer's states, the embeddings' first, [d] each."""
    import transformers

    body = transformers.AutoModel.from_pretrained(encoder, local_files_only=True).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(encoder)(text, return_tensors="pt")
    tokens.pop("token_type_ids", None)
    with torch.inference_mode():
        return [state[0].mean(dim=0).numpy() for state in body(**tokens, output_hidden_states=True).hidden_states]


@pytest.mark.parametrize(("layers", "thirds"), [(2, [[1], [2]]), (7, [[1, 2, 3], [4, 5], [6, 7]])])
def test_a_text_is_its_mean_states_over_the_thirds_of_the_layers(
    tmp_path: Path, layers: int, thirds: list[list[int]]
) -> None:
    encoder, text = save_encoder(tmp_path / "encoder", "bert", layers), "w1 w2 w3"
    model = learner(encoder, None)
    model._encoder._dtype = torch.float32
    model.fit(colour_examples(10, 0), colour_examples(0, 0), 0.0, 1)
    model.save(tmp_path / "model")
    states = states_by_hand(encoder, text)
    assert len(states) == 1 + layers
    means = [np.mean([states[layer] for layer in third], axis=0) for third in thirds]
    head = load_file(tmp_path / "model" / "head.safetensors")
    found = model.signals([text, "w9 " * 12], frozenset({"embeddings", "probabilities"}), 0)
    half = 2.0**-11  # what rounding to half precision changes at most, relative to a number
    np.testing.assert_allclose(found["embeddings"][0], means[-1], rtol=half, atol=1e-5)
    logits = head["weight"] @ np.concatenate(means) + head["bias"]
    np.testing.assert_allclose(found["probabilities"][0], np.exp(logits) / np.exp(logits).sum(), atol=1e-4)


def test_a_panels_encoder_and_the_learners_read_each_text_once(encoder: Path, tmp_path: Path, reads: list[int]) -> None:
    data, keep = colour_examples(10, 0), tmp_path / "embeddings"
    seen = frozen.FrozenEncoder.open(encoder, 24, threads=1, keep=keep).thirds(data.texts)
    model = learner(encoder, keep)
    assert model.unread(data.texts) == []
    model.fit(data, take(data, []), 0.0, 1)
    np.testing.assert_array_equal(model.signals(data.texts, frozenset({"embeddings"}), 0)["embeddings"], seen[:, -1])
    assert reads == [10]
    assert len(list(keep.iterdir())) == 1


def test_a_large_pool_is_looked_at_in_parts_and_found_the_same(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, needs = colour_examples(40, 0), frozenset({"probabilities", "embeddings", "perturbed"})
    model = learner(encoder, tmp_path / "embeddings")
    model.fit(data, take(data, []), 0.0, 1)
    whole = model.signals(data.texts, needs, 3)
    dropout = model.signals(data.texts, frozenset({"dropout"}), 3)["dropout"]
    seen: list[int] = []
    logits = Head.logits

    def counted(head, features):
        seen.append(len(features))
        return logits(head, features)

    monkeypatch.setattr(Head, "logits", counted)
    monkeypatch.setattr(frozen, "AT_ONCE", 7)
    parts = model.signals(data.texts, needs, 3)
    assert max(seen) == 7
    for name in needs:
        np.testing.assert_allclose(parts[name], whole[name], atol=1e-12)
    drawn = model.signals(data.texts, frozenset({"dropout"}), 3)["dropout"]
    assert drawn.shape == dropout.shape
    np.testing.assert_allclose(drawn[0, :7], dropout[0, :7], atol=1e-12)
    np.testing.assert_allclose(drawn.mean(), dropout.mean(), atol=1e-6)


def test_no_part_of_the_features_outweighs_another() -> None:
    parts = np.random.default_rng(0).normal(size=(50, 3, 4)) * [[1], [100], [0.01]] + [[5], [-300], [0]]
    scaling = Scaling.of(parts)
    x = scaling.apply(parts)
    assert x.shape == (50, 12)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-12)
    for part in np.split(x, 3, axis=1):
        assert (part**2).sum(axis=1).mean() == pytest.approx(1 / 3)
    head = Head(np.arange(24.0).reshape(2, 12), np.array([1.0, -1.0]))
    np.testing.assert_allclose(scaling.fold(head).logits(parts.reshape(50, 12)), head.logits(x))
    same = np.full((2, 3, 4), 0.1)  # texts that say the same leave nothing to learn from
    np.testing.assert_allclose(Scaling.of(same).apply(same), 0.0, atol=1e-6)


def test_what_is_learned_is_the_least_loss_on_the_scaled_thirds(encoder: Path) -> None:
    data = colour_examples(40, 0)
    model = learner(encoder, None)
    model.fit(data, take(data, []), 0.0, 1)
    parts = [part.astype(np.float64) for part in np.moveaxis(model._encoder.thirds(data.texts), 1, 0)]
    centred = [part - part.mean(axis=0) for part in parts]
    x = np.hstack([part / np.sqrt(2 * (part**2).sum(axis=1).mean()) for part in centred])  # two layers, two thirds
    head = fit_head(x, data, 0.0, choose_ridge(x, data, 0.0, 1))
    np.testing.assert_allclose(model.predict_proba(data.texts), softmax(head.logits(x)), atol=1e-4)


def test_the_head_minimises_the_loss_of_eq_9_to_its_end() -> None:
    rng = np.random.default_rng(0)
    x, targets = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    negatives = (rng.random((60, 3)) < 0.3) & (np.eye(3)[targets] == 0)
    examples = Examples(("t",) * 60, targets, rng.choice([0.5, 1.0], 60), negatives)
    head = fit_head(x, examples, 0.7, 0.1)
    weight, bias = (torch.tensor(part, requires_grad=True) for part in (head.weight, head.bias))
    loss = (
        robust_loss(
            torch.tensor(x) @ weight.T + bias,
            torch.tensor(targets),
            torch.tensor(examples.weights),
            torch.tensor(negatives),
            0.7,
        ).sum()
        + 0.05 * (weight**2).sum()
    )
    loss.backward()
    assert max(float(part.grad.abs().max()) for part in (weight, bias)) < 1e-2
    assert softmax(np.array([[1e4, 0.0]]))[0].tolist() == [1.0, 0.0]


def test_soft_targets_stand_for_the_targets_in_the_cross_entropy() -> None:
    rng = np.random.default_rng(0)
    x, soft = rng.normal(size=(60, 5)), rng.dirichlet(np.ones(3), 60)
    weights = rng.choice([0.5, 1.0], 60)
    examples = Examples(("t",) * 60, np.zeros(60, dtype=np.int64), weights, np.zeros((60, 3), dtype=bool), soft=soft)
    head = fit_head(x, examples, 0.7, 0.1)
    weight, bias = (torch.tensor(part, requires_grad=True) for part in (head.weight, head.bias))
    logits = torch.tensor(x) @ weight.T + bias
    each = torch.nn.functional.cross_entropy(logits, torch.tensor(soft), reduction="none")
    ((torch.tensor(weights) * each).sum() + 0.05 * (weight**2).sum()).backward()
    assert max(float(part.grad.abs().max()) for part in (weight, bias)) < 1e-2


def test_the_penalty_is_chosen_on_gold_labels() -> None:
    rng = np.random.default_rng(1)
    gold, wrong = np.arange(60), np.arange(60, 300)
    x = rng.normal(size=(300, 40))
    truth = (x[:, 0] > 0).astype(np.int64)
    targets = truth.copy()
    targets[wrong] = rng.integers(0, 2, len(wrong))  # these labels mean nothing
    none = np.zeros((300, 2), dtype=bool)
    some = Examples(("t",) * 300, targets, np.ones(300), none, np.arange(300) < 60)
    clean = Examples.gold(("t",) * 300, truth, 2)
    chosen = choose_ridge(x, some, 0.0, 0)
    assert chosen > choose_ridge(x, clean, 0.0, 0)
    assert chosen == choose_ridge(x, some, 0.0, 0)
    assert chosen in GRID
    assert choose_ridge(x[:1], take(clean, gold[:1]), 0.0, 0) == GRID[0]


def test_beside_many_labels_that_are_not_gold_the_penalty_is_stronger() -> None:
    rng = np.random.default_rng(4)
    x = 0.1 * rng.normal(size=(60, 40))
    labels = Examples.gold(("t",) * 60, (x[:, 0] + 0.2 * x[:, 1] > 0).astype(np.int64), 2)
    all_gold, one_not, most_not = (
        choose_ridge(x, replace(labels, known=np.arange(60) < gold), 0.0, 0) for gold in (60, 59, 20)
    )
    assert all_gold == one_not < most_not


def test_the_saved_folder_says_what_it_is(encoder: Path, tmp_path: Path) -> None:
    model = learner(encoder, None)
    model.fit(colour_examples(60, 0), colour_examples(0, 0), 0.0, 1)
    model.save(tmp_path / "model")
    about = json.loads((tmp_path / "model" / "head.json").read_text())
    assert (about["labels"], about["learner"], about["max_tokens"]) == (["red", "green", "blue"], "linear", 24)
    assert about["ridge"] in GRID
    shapes = {name: values.shape for name, values in load_file(tmp_path / "model" / "head.safetensors").items()}
    assert shapes == {"weight": (3, 64), "bias": (3,)}
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "model" / name).read_bytes() == (encoder / name).read_bytes()
    (tmp_path / "model" / "head.safetensors").write_bytes(b"half")
    with pytest.raises(InputError, match="cannot be loaded"):
        LinearLearner.load(tmp_path / "model")


@pytest.mark.proof
def test_onnx_says_what_the_learner_says(encoder: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from mollia_cli.learners.onnx import export_onnx
    from mollia_cli.learners.pretrained import load_tokenizer

    model, texts = learner(encoder, None), ["w1 w2", "w21 w22 w23 w24", "w45"]
    model._encoder._dtype = torch.float32
    model.fit(colour_examples(60, 0), colour_examples(0, 0), 0.0, 1)
    model.save(tmp_path / "model")
    export_onnx(tmp_path / "model", tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    tokens = load_tokenizer(tmp_path / "model")(texts, padding=True, return_tensors="np")
    [logits] = session.run(["logits"], {one.name: tokens[one.name].astype(np.int64) for one in session.get_inputs()})
    np.testing.assert_allclose(softmax(logits), model.predict_proba(texts), atol=1e-3)


def test_like_texts_have_like_embeddings_in_any_company(test_encoder: Path) -> None:
    texts = ["Who was Galileo ?", "How far is it from Denver to Aspen ?", "Who was Newton ?"]
    encoder = frozen.FrozenEncoder.open(test_encoder, 128, threads=1)
    found = encoder.thirds(texts)
    assert found.shape == (3, 3, 384)
    last = found[:, -1] / np.linalg.norm(found[:, -1], axis=1, keepdims=True)
    assert last[0] @ last[2] > last[0] @ last[1]
    # a text is read alike in any company, to bfloat16's rounding
    np.testing.assert_allclose(encoder.thirds(texts[:1])[0, -1], found[0, -1], atol=0.02)
