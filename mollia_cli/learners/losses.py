"""The robust training loss."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid


def log_complement(logits: Tensor) -> Tensor:
    """log(1 - p) of every class, shaped as ``logits`` [n, K]; exact as p -> 1 and as p -> 0.

    1 - p_k = sigmoid(logsumexp over j != k of logits_j - logits_k), so neither p nor 1 - p is
    ever formed. In a single-class row 1 - p is 0 and the result -inf.
    """
    classes = logits.shape[-1]
    own = torch.eye(classes, dtype=torch.bool, device=logits.device)
    others = logits.unsqueeze(-2).expand(*logits.shape, classes).masked_fill(own, -torch.inf)
    return logsigmoid(torch.logsumexp(others, dim=-1) - logits)


def robust_loss(logits: Tensor, targets: Tensor, weights: Tensor, negatives: Tensor, negative_weight: float) -> Tensor:
    """[n] losses W_d * CE + lambda * sum over k in y- of -log(1 - p_k) (Eqs. 7 and 9), in float32 or wider.

    logits: [n, K]. targets: [n] indices of y+, or [n, K] distributions. weights: [n], W_d of Eq. 8. negatives: [n, K]
    booleans, y-. negative_weight: lambda.
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    loss = weights * cross_entropy(wide, targets, reduction="none")
    if negative_weight and negatives.any():
        loss = loss - negative_weight * log_complement(wide).masked_fill(~negatives, 0.0).sum(dim=-1)
    return loss
