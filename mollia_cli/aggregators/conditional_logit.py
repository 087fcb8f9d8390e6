"""The default: a conditional logit with shared trust, self-trained, and mixed with cross-fitted trees."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.boosting import boost, booster_from_json, booster_to_json, predict
from mollia_cli.aggregators.features import array, folds, log_scores, log_softmax, most_confident, one_hot, softmax
from mollia_cli.aggregators.logit import Logit, Ridge, fit_logit, start
from mollia_cli.domain.observations import FloatArray, IntArray, Panel
from mollia_cli.domain.rng import stream

# Log-scores go from log(1e-3) to 0: a fifth of that range is a unit.
_UNIT = 5.0
_PASSES = 25  # of k-means
_CLUSTERED = 1_000  # points at most: its landmarks are rough anyway, and of 5,000 it took half of a fit's time
_FOREST = {
    "objective": "multi:softprob",
    "learning_rate": 0.1,
    "max_depth": 3,
    "colsample_bynode": 0.3,
    "nthread": 1,
}


@dataclass(eq=False)
class ConditionalLogit(Aggregator):
    """score_k = w . F_k + b_k + G . M_k, and its own confident predictions on the pool as further seeds.

    F_k are the 2N log-scores of class k, with weights w (the trust in each LLM) shared by all
    classes and pulled towards the panel's geometric mean. G are all 2NK of them, which correct
    confusions, and ``landmarks`` radial features (k-means of some of seed and pool), which let trust differ
    between regions. It is refitted ``rounds`` times with the most confident ``keep`` of the pool
    of each predicted class as hard labels, whose total weight is the seeds'. Small trees, trained
    on one half of these verdicts and used on the other, correct what no logit can; they are mixed
    in as logarithms with ``tree_weight``. One set of settings for all data sets
    (benchmarks/README.md says how it was chosen).
    """

    name: ClassVar[str] = "conditional_logit"
    source: ClassVar[str] = "McFadden 1974 (conditional logit); class-balanced self-training: Zou et al. 2018 (ECCV)"

    ridge_shared: float = 50.0
    ridge_bias: float = 1.0
    ridge_free: float = 3.0
    ridge_radial: float = 10.0
    landmarks: int = 100
    rounds: int = 4
    keep: float = 0.9
    trees: int = 60
    tree_weight: float = 0.5

    def _fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        self._random_seed = random_seed
        shared, unlabelled = log_scores(seed), log_scores(pool)
        flat = np.concatenate([shared, unlabelled]).reshape(len(seed) + len(pool), -1)
        self._mean = flat.mean(axis=0)
        flat = (flat - self._mean) / _UNIT
        rng = stream(random_seed, "landmarks")
        some = flat if len(flat) <= _CLUSTERED else rng.choice(flat, _CLUSTERED, replace=False)
        self._centres = _centres(some, self.landmarks, rng)
        # The median distance as bandwidth is the usual heuristic for radial kernels.
        self._bandwidth = float(np.median(_squared_distances(flat, self._centres))) / 2 or 1.0
        self._kernel_mean = self._kernel(flat).mean(axis=0)
        self._logit = self._self_train(shared, labels, unlabelled)
        self._boosters = self._fit_trees(shared, labels, pool, unlabelled)

    def _self_train(self, shared: FloatArray, labels: IntArray, pool: FloatArray) -> Logit:
        n, rows, classes = shared.shape
        free, pool_free = self._free(shared), self._free(pool)
        radial = len(self._centres)
        ridge = Ridge(
            self.ridge_shared,
            self.ridge_bias,
            np.concatenate([np.full(rows * classes, self.ridge_free), np.full(radial, self.ridge_radial)]),
        )
        targets = one_hot(labels, classes)
        model = fit_logit(shared, free, targets, np.ones(n), ridge, start(rows, classes, rows * classes + radial))
        for _ in range(self.rounds if len(pool) else 0):
            probabilities = softmax(model.logits(pool, pool_free))
            confident = most_confident(probabilities, self.keep)
            model = fit_logit(
                np.concatenate([shared, pool[confident]]),
                np.concatenate([free, pool_free[confident]]),
                np.concatenate([targets, one_hot(probabilities[confident].argmax(axis=1), classes)]),
                np.concatenate([np.ones(n), np.full(len(confident), n / len(confident))]),
                ridge,
                model,
            )
        return model

    def _fit_trees(self, shared: FloatArray, labels: IntArray, pool: Panel, unlabelled: FloatArray) -> list[Any]:
        """Two forests: the i-th learned from the verdicts on the items that are not in fold i."""
        if not self.trees or not len(pool):
            return []
        probabilities = softmax(self._logit.logits(unlabelled, self._free(unlabelled)))
        fold = folds(pool.ids, self._random_seed)
        made = []
        for i in (0, 1):
            rows = np.flatnonzero(fold != i)
            rows = rows[most_confident(probabilities[rows], self.keep)]
            features = np.concatenate([shared, unlabelled[rows]]).reshape(len(shared) + len(rows), -1)
            targets = np.concatenate([labels, probabilities[rows].argmax(axis=1)])
            # The seeds weigh a fifth of the verdicts together, and one each where the pool is small.
            weights = np.ones(len(features))
            weights[: len(shared)] += 0.2 * len(rows) / len(shared)
            settings = {**_FOREST, "num_class": self.classes, "seed": 0}
            made.append(boost(features, targets, settings, self.trees, weights))
        return made

    def _free(self, shared: FloatArray) -> FloatArray:
        """G, [n, 2NK + landmarks], centred on seed and pool."""
        flat = (shared.reshape(len(shared), len(self._mean)) - self._mean) / _UNIT
        return np.concatenate([flat, self._kernel(flat) - self._kernel_mean], axis=1)

    def _kernel(self, flat: FloatArray) -> FloatArray:
        kernel: FloatArray = np.exp(-_squared_distances(flat, self._centres) / self._bandwidth)
        return kernel

    def _predict(self, panel: Panel) -> FloatArray:
        shared = log_scores(panel)
        mixed = log_softmax(self._logit.logits(shared, self._free(shared)))
        if self._boosters:
            flat, fold = shared.reshape(len(shared), -1), folds(panel.ids, self._random_seed)
            both = np.stack([predict(booster, flat) for booster in self._boosters])
            by_trees = np.log(np.maximum(both[fold, np.arange(len(flat))], 1e-9))
            mixed = (mixed + self.tree_weight * by_trees) / (1 + self.tree_weight)
        return softmax(mixed)

    def _state(self) -> dict[str, Any]:
        return {
            "random_seed": self._random_seed,
            "mean": self._mean.tolist(),
            "centres": self._centres.tolist(),
            "bandwidth": self._bandwidth,
            "kernel_mean": self._kernel_mean.tolist(),
            "logit": self._logit.to_json(),
            "boosters": [booster_to_json(booster) for booster in self._boosters],
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._random_seed, self._bandwidth = int(state["random_seed"]), float(state["bandwidth"])
        self._mean, self._centres = array(state["mean"]), array(state["centres"])
        self._kernel_mean = array(state["kernel_mean"])
        self._logit = Logit.from_json(state["logit"])
        self._boosters = [booster_from_json(model) for model in state["boosters"]]


def _centres(points: FloatArray, k: int, rng: np.random.Generator) -> FloatArray:
    """[k', d] by k-means; k' < k where there are fewer distinct points."""
    from scipy.cluster.vq import kmeans2

    distinct = len(np.unique(points, axis=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a centre that lost all its points stays where it is
        centres: FloatArray = kmeans2(points, min(k, distinct), iter=_PASSES, minit="++", rng=rng)[0]
    return centres


def _squared_distances(points: FloatArray, centres: FloatArray) -> FloatArray:
    """[n, k], Euclidean."""
    from scipy.spatial.distance import cdist

    distances: FloatArray = cdist(points, centres, "sqeuclidean")
    return distances
