"""A view: the embeddings of several encoders' layers as one row of moderate length for each text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from mollia_cli.domain.observations import FloatArray

_WIDTH = 384


@dataclass(frozen=True, slots=True)
class View:
    """The layers of each encoder on their ``_WIDTH`` largest principal components, and the encoders' together again.

    Layers, then encoders, are centred and scaled to rows of mean squared length 1, so that none outweighs another.
    All layers, mean-pooled, because what a label is about may stand in early ones (a question's type does).
    """

    encoders: tuple["_Rotation", ...]
    joint: "_Rotation"

    @classmethod
    def fit(cls, encoders: Sequence[Sequence[FloatArray]]) -> Self:
        """From [n, d_l] embeddings of each layer of each encoder; at least one of each."""
        rotations = tuple(_Rotation.fit(layers) for layers in encoders)
        parts = [rotation(layers) for rotation, layers in zip(rotations, encoders, strict=True)]
        return cls(rotations, _Rotation.fit(parts))

    def __call__(self, encoders: Sequence[Sequence[FloatArray]]) -> FloatArray:
        """[m, d] rows of mean squared length about 1, d <= 384."""
        return self.joint([rotation(layers) for rotation, layers in zip(self.encoders, encoders, strict=True)])

    def unrolled(self, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(weights [D, K], intercept [K]) on all layers of all encoders side by side, of a head on this view.

        coefficients: [d + 1, K], the intercept last.
        """
        weights, intercept = self.joint.unrolled(coefficients[:-1], coefficients[-1])
        blocks, at = [], 0
        for rotation in self.encoders:
            width = rotation.basis.shape[1]
            own, intercept = rotation.unrolled(weights[at : at + width], intercept)
            blocks.append(own)
            at += width
        return np.concatenate(blocks), intercept


@dataclass(frozen=True, slots=True)
class _Rotation:
    means: tuple[FloatArray, ...]
    basis: FloatArray  # [sum of d_l, d], scaled

    @classmethod
    def fit(cls, blocks: Sequence[FloatArray]) -> Self:
        means = tuple(np.asarray(block, dtype=np.float64).mean(axis=0) for block in blocks)
        centred = [np.asarray(block, dtype=np.float64) - mean for block, mean in zip(blocks, means, strict=True)]
        scales = [_length(block) for block in centred]
        rows = np.concatenate([block / scale for block, scale in zip(centred, scales, strict=True)], axis=1)
        basis = _principal(rows, _WIDTH)
        basis /= _length(rows @ basis)
        per_column = np.repeat(scales, [block.shape[1] for block in blocks])
        return cls(means, basis / per_column[:, None])

    def __call__(self, blocks: Sequence[FloatArray]) -> FloatArray:
        centred = [np.asarray(block, dtype=np.float64) - mean for block, mean in zip(blocks, self.means, strict=True)]
        rotated: FloatArray = np.concatenate(centred, axis=1) @ self.basis
        return rotated

    def unrolled(self, weights: FloatArray, intercept: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The same linear map on the blocks themselves. weights: [d, K]."""
        own = self.basis @ weights
        return own, intercept - np.concatenate(self.means) @ own


def _length(rows: FloatArray) -> float:
    return max(float(np.sqrt((rows**2).sum(axis=1).mean())), 1e-12)


def _principal(rows: FloatArray, width: int) -> FloatArray:
    """[D, d] the leading right singular vectors, by subspace iteration (Halko et al. 2011, algorithm 4.4)."""
    width = min(width, *rows.shape)
    seeds = np.random.default_rng(0).standard_normal((rows.shape[1], min(width + 16, *rows.shape)))
    basis = np.linalg.qr(rows @ seeds)[0]
    for _ in range(2):
        basis = np.linalg.qr(rows @ np.linalg.qr(rows.T @ basis)[0])[0]
    found: FloatArray = np.linalg.svd(basis.T @ rows, full_matrices=False)[2][:width].T
    return found
