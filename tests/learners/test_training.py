import numpy as np
import pytest

torch = pytest.importorskip("torch")

from learner_cases import LABELS, colour_examples  # noqa: E402

from mollia_cli.learners.base import Examples  # noqa: E402
from mollia_cli.learners.losses import robust_loss  # noqa: E402
from mollia_cli.learners.pretrained import load_pretrained, load_tokenizer  # noqa: E402
from mollia_cli.learners.tokens import TokenStore, plan_batches  # noqa: E402
from mollia_cli.learners.training import Part, Schedule, Trainer  # noqa: E402

CPU = torch.device("cpu")
# A bias of keys moves all scores of a query alike, so it has exactly no gradient, and AdamW blows rounding up.
KEY_BIASES = ("key.bias", "k_lin.bias", "attn.k.bias")


@pytest.fixture
def part(encoder):
    tokens = TokenStore(load_tokenizer(encoder), 24)
    return lambda examples: Part.of(examples, tokens.encode(examples.texts), CPU)


def model_without_dropout(encoder):
    model = load_pretrained(encoder, LABELS.names, 0)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def noisy_examples(n):
    rng, gold = np.random.default_rng(4), colour_examples(n, 0)
    negatives = rng.random((n, 3)) < 0.3
    negatives[np.arange(n), gold.targets] = False
    return Examples(gold.texts, gold.targets, rng.choice([0.5, 1.0], n), negatives)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "mpnet"])
def test_two_steps_over_parts_are_two_plain_steps_on_the_mean_of_eq_9(encoders, part, kind):
    data, schedule = part(noisy_examples(30)), Schedule(1e-3, 30, 2, 1)
    rows = np.arange(30)
    assert len(plan_batches(data.encoded.lengths, 2048)) > 1

    stepped = model_without_dropout(encoders[kind])
    Trainer(stepped, schedule, 0.7, CPU, torch.float32).fit(data, part(noisy_examples(0)), 0)

    plain = model_without_dropout(encoders[kind]).train()
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-3)
    ids, mask = (torch.from_numpy(array) for array in data.encoded.padded(rows))
    for _ in range(2):
        optimizer.zero_grad()
        logits = plain(input_ids=ids, attention_mask=mask).logits
        robust_loss(logits, data.targets, data.weights, data.negatives, 0.7).mean().backward()
        optimizer.step()
    ours = dict(stepped.named_parameters())
    for name, theirs in plain.named_parameters():
        if not name.endswith(KEY_BIASES):
            torch.testing.assert_close(ours[name], theirs, atol=2e-5, rtol=1e-4, msg=name)


def test_early_stopping_fires_and_keeps_the_best_epoch(encoder, part):
    noisy = colour_examples(100, 0)
    noisy.targets[::3] = (noisy.targets[::3] + 1) % 3  # learnt by heart after a while, at the cost of new texts
    train, validation = part(noisy), part(colour_examples(60, 1))
    model = load_pretrained(encoder, LABELS.names, 0)
    trainer = Trainer(model, Schedule(3e-3, 20, 60, 3), 0.0, CPU, torch.float32)
    report = trainer.fit(train, validation, 0)
    assert report.stopped_early
    assert report.epochs == report.best_epoch + 3 < 60
    losses = [row["validation_loss"] for row in report.history]
    assert min(losses) == losses[report.best_epoch - 1]
    assert trainer.evaluate(validation)["validation_loss"] == pytest.approx(min(losses))


def test_without_validation_every_epoch_runs(encoder, part):
    model = load_pretrained(encoder, LABELS.names, 0)
    trainer = Trainer(model, Schedule(3e-3, 20, 4, 1), 0.0, CPU, torch.float32)
    report = trainer.fit(part(colour_examples(30, 0)), part(colour_examples(0, 0)), 0)
    assert (report.epochs, report.best_epoch, report.stopped_early) == (4, 4, False)
    assert "validation_loss" not in report.history[0]


@pytest.mark.parametrize(("n", "batch"), [(1, 4), (39, 4), (40, 4), (80, 8), (499, 49), (500, 50), (5000, 50)])
def test_small_sets_get_small_batches_so_that_an_epoch_has_its_steps(n, batch):
    assert Schedule(5e-5, 50, 40, 10, steps=10).batch_for(n) == batch


def test_the_papers_batches_are_the_default(encoder, part):
    model = load_pretrained(encoder, LABELS.names, 0)
    trainer = Trainer(model, Schedule(3e-3, 50, 2, 1), 0.0, CPU, torch.float32)
    sizes = []
    trainer._step = lambda train, rows: sizes.append(len(rows)) or 0.0
    trainer.fit(part(colour_examples(70, 0)), part(colour_examples(0, 0)), 0)
    assert sizes == [50, 20, 50, 20]
