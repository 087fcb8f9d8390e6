"""The default: LLMs and frozen encoders together, what a panel observes of a text and what its embeddings tell.

A linear head on the embeddings learns the verdicts of all texts and predicts each one as if it had not
learned from it (leave-one-out, in closed form). A small conditional logit, fitted on the gold labels,
weighs its prediction and the LLMs'. The verdicts of both are learned in the next round: the head finds out what
like texts have in common, where LLMs err each by itself.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, ClassVar, Self

import numpy as np

from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.calibration import cross_fitted
from mollia_cli.aggregators.conditional_logit import ConditionalLogit
from mollia_cli.aggregators.features import array, log_softmax, one_hot, softmax
from mollia_cli.aggregators.logit import Logit, Ridge, fit_logit, start
from mollia_cli.aggregators.views import View
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.observations import FloatArray, IntArray, Panel, Texts

_FLOOR = 1e-3  # of probabilities, before their logarithm
_SHARPNESS = np.exp(np.linspace(0.0, 4.5, 46))
_FOLDS = 5
_KEY_BYTES = 8


def panel_logit() -> Aggregator:
    """What aggregates the LLMs alone; its trees add nothing beside encoders, and take most of its time."""
    return ConditionalLogit(trees=0)


@dataclass(frozen=True, slots=True)
class Head:
    """Ridge regression of one-hot verdicts on features, as probabilities.

    coefficients: [d + 1, K], the intercept last; sharpness: of the softmax of its scores.
    """

    coefficients: FloatArray
    sharpness: float

    def predict_proba(self, features: FloatArray) -> FloatArray:
        """[n, K] from features [n, d]."""
        return softmax(self.sharpness * (features @ self.coefficients[:-1] + self.coefficients[-1]))


@dataclass(frozen=True, slots=True)
class Solver:
    """Weighted ridge regression on one design [n, d + 1] for any targets.

    solved: [d + 1, n], which targets are multiplied by; leverage: [n], the hat matrix's diagonal.
    """

    design: FloatArray
    weights: FloatArray
    solved: FloatArray
    leverage: FloatArray

    @classmethod
    def of(cls, design: FloatArray, weights: FloatArray, ridge: float) -> Self:
        """weights: [n]; the design's last column is the intercept's, which is hardly penalised."""
        penalty = np.full(design.shape[1], ridge)
        penalty[-1] = 1e-6
        weighted = design.T * weights
        solved = np.asarray(np.linalg.solve(weighted @ design + np.diag(penalty), weighted), dtype=np.float64)
        leverage = np.minimum(np.einsum("nd,dn->n", design, solved), 1.0 - 1e-6)
        return cls(design, weights.copy(), solved, leverage)


@dataclass(frozen=True, slots=True)
class Mixed:
    """Probabilities [n, K] of the gold texts and [m, K] of the pool's, and what predicts other texts.

    ``gold``: the head left out each one's target, but the logits have seen it.
    """

    gold: FloatArray
    pool: FloatArray
    head: Head
    beside: Logit
    alone: Logit


@dataclass(eq=False)
class Mixture(Aggregator):
    """``rounds`` times a head learns the verdicts on seeds and pool, and a logit weighs its predictions and the LLMs'.

    ridge: of the head, on rows of mean length 1; gold_weight: of one gold label against one verdict; shared, bias: the
    logit's penalties. Without encoders it is the conditional logit. benchmarks/README.md says how it was chosen.
    """

    name: ClassVar[str] = "mixture"
    source: ClassVar[str] = (
        "conditional logit over LLMs and a leave-one-out ridge head (Allen 1974: PRESS); self-training: Zou et al. 2018"
    )
    reads: ClassVar[bool] = True

    rounds: int = 12
    ridge: float = 1.0
    gold_weight: float = 20.0
    shared: float = 20.0
    bias: float = 1.0

    def _fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        self._encoders = seed.texts.encoders if seed.texts is not None else ()
        self._listens = not self._encoders or bool(seed.observed.any())  # else no LLM has read a labelled text
        read = pool.take(np.flatnonzero(pool.observed))
        if not self._encoders or (self._listens and len(set(labels.tolist())) < 2):
            self._encoders = ()
            self._panel: Aggregator = ConditionalLogit().fit(seed, labels, read, random_seed)
            return
        both, observed = seed.joined(pool), None
        view, rows = _view_of(both, self._encoders)
        if self._listens:
            self._panel = panel_logit().fit(seed, labels, read, random_seed)
            observed = np.full((len(both), seed.classes), np.nan)
            observed[: len(seed)] = cross_fitted(panel_logit, seed, labels, read, random_seed, _FOLDS)
            observed[len(seed) + np.flatnonzero(pool.observed)] = self._panel.predict_proba(read)
        mixed = self.mix(rows, labels, seed.classes, observed)
        self._beside, self._alone = mixed.beside, mixed.alone
        self._sharpness = mixed.head.sharpness
        self._weights, self._intercept = view.unrolled(mixed.head.coefficients)
        self._known = dict(zip(map(_key, both.ids), np.concatenate([mixed.gold, mixed.pool]), strict=True))

    def mix(self, view: FloatArray, labels: IntArray, classes: int, observed: FloatArray | None = None) -> Mixed:
        """The rounds.

        view: [n + m, d], rows of mean length 1, of the n gold texts, then of the pool; labels: [n]; observed:
        [n + m, K], the LLMs' aggregated probabilities of the same texts (of the gold ones cross-fitted), nan for
        texts that none has observed, which take part by their embeddings; None for no LLMs at all.
        """
        n = len(labels)
        gold = one_hot(labels, classes)
        design = np.concatenate([np.asarray(view, dtype=np.float64), np.ones((len(view), 1))], axis=1)
        seen = np.zeros(len(view), dtype=bool) if observed is None else ~np.isnan(observed[:, 0])
        verdicts = np.zeros((len(view), classes))
        if observed is not None:
            verdicts[seen] = observed[seen]
        weights = seen.astype(np.float64)
        weights[:n] = self.gold_weight
        solver = Solver.of(design, weights, self.ridge)
        # A head that is sure of verdicts which are its own would outvote LLMs that are right: they say how sure it is.
        witnesses = None if observed is None else (np.concatenate([gold, verdicts[n:]]), weights.copy())
        for number in range(self.rounds):
            targets = one_hot(verdicts.argmax(axis=1), classes)
            targets[:n] = gold
            if number == 1:  # what no LLM has read has a verdict now, and from here on only verdicts change
                weights[n:] = 1.0
                solver = Solver.of(design, weights, self.ridge)
            predicted, head = _left_out(solver, targets, *(witnesses or (targets, weights)))
            alone = beside = self._weigher([predicted[:n]], gold)
            verdicts = _weighed(alone, [predicted])
            if observed is not None:
                beside = self._weigher([observed[:n], predicted[:n]], gold)
                verdicts[seen] = _weighed(beside, [observed[seen], predicted[seen]])
        return Mixed(verdicts[:n], verdicts[n:], head, beside, alone)

    def _weigher(self, members: list[FloatArray], gold: FloatArray) -> Logit:
        n, classes = gold.shape
        ridge = Ridge(self.shared, self.bias, np.zeros(0))
        return fit_logit(_logs(members), np.zeros((n, 0)), gold, np.ones(n), ridge, start(len(members), classes, 0))

    def knows(self, item_id: str) -> bool:
        """Whether it has learned from the text, whose probabilities it keeps."""
        return bool(self._encoders) and _key(item_id) in self._known

    def _predict(self, panel: Panel) -> FloatArray:
        """What it learned from as it was predicted then, without its own target; other texts by the head of all."""
        if not self._encoders:
            return self._panel.predict_proba(panel)
        keys = [_key(item_id) for item_id in panel.ids]
        new = np.array([row for row, key in enumerate(keys) if key not in self._known], dtype=np.int64)
        found = np.array([self._known.get(key, np.zeros(self.classes)) for key in keys]).reshape(-1, self.classes)
        if len(new):
            others = panel.take(new)
            if others.texts is None or not set(self._encoders) <= set(others.texts.encoders):
                raise RefusedError(
                    f"aggregator {self.name!r} was fitted with the encoders {', '.join(self._encoders)}",
                    "restore them (mollia panel list), or fit again: mollia aggregate",
                )
            features = np.concatenate(
                [layer for block in _layers(others.texts, self._encoders, others.ids) for layer in block], axis=1
            )
            predicted = softmax(self._sharpness * (features @ self._weights + self._intercept))
            found[new] = _weighed(self._alone, [predicted])
            if not self._listens:
                return found
            seen = np.flatnonzero(others.observed)
            observed = self._panel.predict_proba(others.take(seen))
            found[new[seen]] = _weighed(self._beside, [observed, predicted[seen]])
        return found

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"encoders": list(self._encoders)}
        if self._listens:
            state["panel"] = self._panel.to_json()
        if self._encoders:
            state |= {
                "beside": self._beside.to_json(),
                "alone": self._alone.to_json(),
                "sharpness": self._sharpness,
                "weights": _packed(self._weights),
                "intercept": self._intercept.tolist(),
                "keys": base64.b64encode(b"".join(self._known)).decode(),
                "known": _packed(np.array(list(self._known.values()))),
            }
        return state

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._encoders = tuple(state["encoders"])
        self._listens = "panel" in state
        if self._listens:
            self._panel = ConditionalLogit.from_json(state["panel"])
        if self._encoders:
            self._beside, self._alone = Logit.from_json(state["beside"]), Logit.from_json(state["alone"])
            self._sharpness = float(state["sharpness"])
            self._weights = _unpacked(state["weights"], self.classes)
            self._intercept = array(state["intercept"])
            keys = base64.b64decode(state["keys"])
            known = _unpacked(state["known"], self.classes)
            starts = range(0, len(keys), _KEY_BYTES)
            self._known = dict(zip((keys[at : at + _KEY_BYTES] for at in starts), known, strict=True))


def _view_of(panel: Panel, encoders: tuple[str, ...]) -> tuple[View, FloatArray]:
    """The view of a panel's texts, and [n, d] its rows."""
    assert panel.texts is not None
    ids = tuple(sorted(panel.ids))
    view, rows = _sorted_view(panel.texts, encoders, ids)
    place = {item_id: row for row, item_id in enumerate(ids)}
    return view, rows[[place[item_id] for item_id in panel.ids]]


@lru_cache(maxsize=1)
def _sorted_view(texts: Texts, encoders: tuple[str, ...], ids: tuple[str, ...]) -> tuple[View, FloatArray]:
    """Cross-fits look at the same texts in other orders, and a view takes seconds."""
    blocks = _layers(texts, encoders, ids)
    view = View.fit(blocks)
    return view, view(blocks)


def _layers(texts: Texts, encoders: Sequence[str], ids: Sequence[str]) -> list[list[FloatArray]]:
    """Of each encoder, [n, d] of each place in it."""
    found = (texts.read(encoder, ids) for encoder in encoders)
    return [[block[:, layer] for layer in range(block.shape[1])] for block in found]


def _logs(members: list[FloatArray]) -> FloatArray:
    """[n, D, K] from D times [n, K] probabilities."""
    return np.log(np.stack(members, axis=1) + _FLOOR)


def _weighed(logit: Logit, members: list[FloatArray]) -> FloatArray:
    return softmax(logit.logits(_logs(members), np.zeros((len(members[0]), 0))))


def _left_out(
    solver: Solver, targets: FloatArray, witnesses: FloatArray, trusted: FloatArray
) -> tuple[FloatArray, Head]:
    """([n, K] predictions that no row's own target had a part in, the head fitted on all).

    Leaving row i out changes its residual r_i to r_i / (1 - h_i), where h_i is its leverage (Allen 1974: PRESS).
    A row of weight 0 has leverage 0. witnesses: [n, K], what the sharpness is fitted to, each row by its weight in
    ``trusted`` [n].
    """
    coefficients = solver.solved @ targets
    leverage = solver.leverage[:, None]
    scores = (solver.design @ coefficients - leverage * targets) / (1.0 - leverage)
    weighted = trusted[:, None] * witnesses
    losses = [-(weighted * log_softmax(s * scores)).sum() for s in _SHARPNESS]
    sharpness = float(_SHARPNESS[int(np.argmin(losses))])
    return softmax(sharpness * scores), Head(coefficients, sharpness)


def _key(item_id: str) -> bytes:
    """What a text that was learned from is found by; the fit outlives what is forgotten, so it holds no id."""
    return blake2b(item_id.encode("utf-8", "replace"), digest_size=_KEY_BYTES).digest()


def _packed(table: FloatArray) -> str:
    return base64.b64encode(np.asarray(table, dtype="<f8").tobytes()).decode()


def _unpacked(packed: str, columns: int) -> FloatArray:
    return np.frombuffer(base64.b64decode(packed), dtype="<f8").reshape(-1, columns).astype(np.float64)
