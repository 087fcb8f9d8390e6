"""Dawid and Skene's model: each annotator has a confusion matrix, found by EM.

Written here rather than taken from crowd-kit (1.4.2): crowd-kit needs pandas, pyarrow,
scikit-learn, nltk and transformers for these thirty lines, and has no E-step for items that come
later. On the same answers both give the same labels (see benchmarks/README.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.features import array, normalised, one_hot, softmax, votes
from mollia_cli.domain.observations import FloatArray, IntArray, Panel

# Added to every count: no answer is impossible because 50 seeds did not show it.
_SMOOTHING = 0.01


@dataclass(eq=False)
class DawidSkene(Aggregator):
    """Classes and confusion matrices that explain each annotator's most voted labels.

    EM over seed and pool from a majority vote; the seeds' classes stay at their gold labels. An
    annotator without a valid answer gives no evidence.
    """

    name: ClassVar[str] = "dawid_skene"
    source: ClassVar[str] = "Dawid and Skene 1979 (Applied Statistics)"
    learns: ClassVar[bool] = True

    passes: int = 2000
    tolerance: float = 1e-5

    def _fit(self, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        gold = one_hot(labels, self.classes)
        answers = np.concatenate([_answers(seed), _answers(pool)])
        belief = normalised(answers.sum(axis=1))
        belief[: len(gold)] = gold
        for _ in range(self.passes):
            # Eq. 2.3: error[i, k, l] is how often annotator i answers l where the class is k.
            counts = np.einsum("nk,nil->ikl", belief, answers)
            self._log_error = np.log(normalised(counts + _SMOOTHING))
            self._log_prior = np.log(normalised(belief.sum(axis=0) + _SMOOTHING))
            changed = self._belief(answers)
            changed[: len(gold)] = gold
            done = np.abs(changed - belief).max() < self.tolerance
            belief = changed
            if done:
                break

    def _belief(self, answers: FloatArray) -> FloatArray:
        """Eq. 2.5: the class given the answers."""
        return softmax(np.einsum("nil,ikl->nk", answers, self._log_error) + self._log_prior)

    def _predict(self, panel: Panel) -> FloatArray:
        return self._belief(_answers(panel))

    def _state(self) -> dict[str, Any]:
        return {"log_error": self._log_error.tolist(), "log_prior": self._log_prior.tolist()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._log_error, self._log_prior = array(state["log_error"]), array(state["log_prior"])


def _answers(panel: Panel) -> FloatArray:
    """[n, N, K] one-hot most voted labels; all 0 where there is none."""
    shares = votes(panel)
    valid = shares.sum(axis=2, keepdims=True) > 0
    answers: FloatArray = one_hot(shares.argmax(axis=2), panel.classes) * valid
    return answers
