import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mollia_cli.learners.losses import log_complement, robust_loss  # noqa: E402


def one_row(probabilities, target, negatives, weight, negative_weight):
    logits = torch.log(torch.tensor([probabilities], dtype=torch.float64))
    loss = robust_loss(
        logits,
        torch.tensor([target]),
        torch.tensor([weight], dtype=torch.float64),
        torch.tensor([negatives]),
        negative_weight,
    )
    return float(loss[0])


def test_eq_9_by_hand():
    # CE = -ln .7; y- = {1, 2}: -ln .8 - ln .9; W_d = .5, lambda = .4
    expected = 0.5 * -math.log(0.7) + 0.4 * (-math.log(0.8) - math.log(0.9))
    assert one_row([0.7, 0.2, 0.1], 0, [False, True, True], 0.5, 0.4) == pytest.approx(expected, rel=1e-12)


def test_the_weight_touches_the_cross_entropy_only():
    full, half = (one_row([0.6, 0.4], 0, [False, True], weight, 1.0) for weight in (1.0, 0.5))
    assert full - half == pytest.approx(0.5 * -math.log(0.6), rel=1e-12)


def test_without_negatives_it_is_weighted_cross_entropy():
    assert one_row([0.25, 0.75], 1, [False, False], 2.0, 1.0) == pytest.approx(2 * -math.log(0.75), rel=1e-12)


def test_lambda_zero_switches_negative_learning_off():
    assert one_row([0.25, 0.75], 1, [True, False], 1.0, 0.0) == pytest.approx(-math.log(0.75), rel=1e-12)


@pytest.mark.parametrize("gap", [-200.0, -30.0, 0.0, 30.0, 200.0])
def test_log_complement_is_exact_where_p_rounds_to_one_or_zero(gap):
    # two classes: log(1 - sigmoid(gap)) = -log(1 + e^gap)
    expected = -gap - math.log1p(math.exp(-gap)) if gap > 0 else -math.log1p(math.exp(gap))
    found = log_complement(torch.tensor([[gap, 0.0]], dtype=torch.float32))[0, 0]
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_loss_and_gradient_stay_finite_where_a_negative_label_has_all_the_probability():
    logits = torch.tensor([[120.0, 0.0, -3.0]], requires_grad=True)
    robust_loss(logits, torch.tensor([1]), torch.ones(1), torch.tensor([[True, False, True]]), 1.0).sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0, 0] == pytest.approx(2.0, abs=1e-5)  # p from the CE, p from the negative


def test_gradient_agrees_with_finite_differences():
    rng = np.random.default_rng(3)
    logits = torch.tensor(rng.normal(0, 3, (5, 4)), requires_grad=True)
    targets, weights = torch.tensor([0, 1, 2, 3, 0]), torch.tensor(rng.uniform(0.2, 1, 5))
    negatives = torch.tensor(rng.random((5, 4)) < 0.5)
    assert torch.autograd.gradcheck(lambda z: robust_loss(z, targets, weights, negatives, 0.7), (logits,))


def test_bfloat16_logits_are_widened():
    logits = torch.tensor([[1.0, 2.0]], dtype=torch.bfloat16)
    loss = robust_loss(logits, torch.tensor([0]), torch.ones(1), torch.zeros(1, 2, dtype=torch.bool), 1.0)
    assert loss.dtype == torch.float32
