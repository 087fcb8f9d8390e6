"""Which uncertainty estimator finds wrong verdicts? Those of the paper's Fig. 6, against gold labels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray

DISCREPANCY = "discrepancy"


@dataclass(frozen=True, slots=True)
class Detection:
    """One detector on n verdicts, where ``flagged`` of them are suspected.

    found: share of the wrong verdicts that are flagged. precision: share of the flagged that are
    wrong. accepted_right: correct and not flagged, as a share of all (Fig. 6). auroc: probability
    that a wrong verdict looks more suspicious than a correct one (Hanley & McNeil 1982); nan where
    all or none are wrong.
    """

    detector: str
    flagged: int
    found: float
    precision: float
    accepted_right: float
    auroc: float


def suspicions(
    probabilities: FloatArray, votes: FloatArray, verdicts: IntArray, predictions: IntArray
) -> dict[str, FloatArray]:
    """[n] of each detector, larger = more suspicious.

    probabilities: [n, K] of the aggregator; votes: [n, N, K] vote shares of the panel; verdicts:
    [n] labels; predictions: [n] labels of the previous round's classifier.
    """
    rows = np.arange(len(verdicts))
    ordered = np.sort(probabilities, axis=1)
    logs = np.log(np.where(probabilities > 0, probabilities, 1.0))
    return {
        "entropy": -(probabilities * logs).sum(axis=1),
        "margin": ordered[:, -2] - ordered[:, -1],
        "consistency": -votes.mean(axis=1)[rows, verdicts],
        DISCREPANCY: (predictions != verdicts).astype(np.float64),
    }


def detections(suspicion: Mapping[str, FloatArray], wrong: BoolArray) -> list[Detection]:
    """Every detector flags as many verdicts as the discrepancy does, its most suspicious ones; ties by row.

    ``suspicion``: [n] of each detector; ``wrong``: [n].
    """
    flagged = int(suspicion[DISCREPANCY].sum())
    made = []
    for name, values in suspicion.items():
        flags = np.zeros(len(wrong), dtype=bool)
        flags[np.argsort(-values, kind="stable")[:flagged]] = True
        made.append(
            Detection(
                name,
                flagged,
                _share(flags[wrong]),
                _share(wrong[flags]),
                _share(~flags & ~wrong),
                auroc(values, wrong),
            )
        )
    return made


def auroc(values: FloatArray, positive: BoolArray) -> float:
    """Area under the ROC curve, ties counted half."""
    yes, no = values[positive], np.sort(values[~positive])
    if not len(yes) or not len(no):
        return float("nan")
    below, upto = np.searchsorted(no, yes, "left"), np.searchsorted(no, yes, "right")
    return float((below + upto).mean() / 2 / len(no))


def _share(values: BoolArray) -> float:
    return float(values.mean()) if len(values) else float("nan")
