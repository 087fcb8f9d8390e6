"""The word embedding of which only the used rows are trained."""

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from learner_cases import LABELS, colour_examples  # noqa: E402

from mollia_cli.learners.inference import DROPOUT_SAMPLES, dropout_samples, frozen_copy  # noqa: E402
from mollia_cli.learners.pretrained import load_pretrained, load_tokenizer  # noqa: E402
from mollia_cli.learners.tokens import TokenStore  # noqa: E402
from mollia_cli.learners.vocabulary import UsedRows  # noqa: E402


def test_used_rows_are_trained_and_the_others_decay():
    full = torch.nn.Embedding(5, 2)
    before = full.weight.detach().clone()
    held = [full]
    model = SimpleNamespace(
        get_input_embeddings=lambda: held[-1], set_input_embeddings=lambda module: held.append(module)
    )
    rows = UsedRows.install(model, torch.tensor([1, 3]))
    assert held[-1] is rows
    torch.testing.assert_close(rows(torch.tensor([3, 1, 3])), before[[3, 1, 3]])
    with torch.no_grad():
        rows.weight += 1.0
    rows.remove(model, 0.5)
    assert held[-1] is full
    torch.testing.assert_close(full.weight.detach()[[1, 3]], before[[1, 3]] + 1.0)
    torch.testing.assert_close(full.weight.detach()[[0, 2, 4]], before[[0, 2, 4]] * 0.5)


def test_no_two_dropout_members_are_the_same(encoder):
    encoded = TokenStore(load_tokenizer(encoder), 24).encode(colour_examples(20, 0).texts)
    model = frozen_copy(load_pretrained(encoder, LABELS.names, 0), torch.float32)
    samples = dropout_samples(model, encoded, torch.device("cpu"), 1)
    assert len(np.unique(samples.reshape(DROPOUT_SAMPLES, -1), axis=0)) == DROPOUT_SAMPLES
