"""Fitted aggregators and their verdicts in the database."""

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from sqlite_utils import Database

from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.store.items import chunks
from mollia_cli.store.journal import Journal
from mollia_cli.store.writing import now

_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted aggregator: its record number, name, panel (annotator keys), state and calibration."""

    id: int
    aggregator: str
    panel: tuple[str, ...]
    seed_items: int
    pool_items: int
    state: Mapping[str, Any]
    calibration: Mapping[str, Any] | None = None


class VerdictStore:
    """Reading and adding fits and verdicts.

    Here alone labels and negative labels are names, and probabilities JSON; outside they are ``Verdicts``.
    ``question``: of a project with several labels, the one that the verdicts are about; each has fits of its own.
    """

    def __init__(self, db: Database, labels: LabelSet, question: str = "") -> None:
        self._db = db
        self._labels = labels
        self._question = question
        self._journal = Journal(db)

    def find_fit(self, digest: str) -> Fit | None:
        """The fit of this identity, if it was made before."""
        return self._fit("digest = ?", digest)

    def fit(self, fit_id: int) -> Fit | None:
        """A fit by its record number."""
        return self._fit("id = ?", fit_id)

    def latest_fit(self) -> Fit | None:
        """The fit that verdicts were made by last; None where there are no verdicts."""
        return self._fit("aggregated = (SELECT max(aggregated) FROM fits WHERE question = ?)", self._question)

    def _fit(self, condition: str, value: Any) -> Fit | None:
        query = f"SELECT id, aggregator, panel, seed_items, pool_items, state, calibration FROM fits WHERE {condition}"
        row = self._db.execute(query, [value]).fetchone()
        if row is None:
            return None
        return Fit(row[0], row[1], tuple(json.loads(row[2])), row[3], row[4], json.loads(row[5]), json.loads(row[6]))

    def add_fit(
        self,
        digest: str,
        aggregator: str,
        panel: Sequence[str],
        sizes: tuple[int, int],
        state: Mapping[str, Any],
        calibration: Mapping[str, Any] | None = None,
    ) -> Fit:
        """Store a fit; ``sizes`` are the numbers of seed and of pool items it was made from."""
        with self._journal.entry("fit", {"fits": [(digest,)]}):
            self._db.execute(
                "INSERT OR IGNORE INTO fits (digest, aggregator, question, panel, seed_items, pool_items, state,"
                " calibration, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    *(digest, aggregator, self._question, json.dumps(list(panel)), *sizes),
                    *(json.dumps(state), json.dumps(calibration), now()),
                ],
            )
        fit = self.find_fit(digest)
        assert fit is not None
        return fit

    def add(self, fit_id: int, verdicts: Verdicts) -> None:
        """Store verdicts in one transaction, all or none; a verdict of the fit that is there already stays.

        Probabilities keep nine digits.
        """
        fit = self._db.execute("SELECT digest FROM fits WHERE id = ?", [fit_id]).fetchone()
        with self._db.atomic():
            for start in range(0, len(verdicts), _AT_ONCE):
                self._insert(fit_id, verdicts.take(range(start, min(start + _AT_ONCE, len(verdicts)))))
            with self._journal.entry("aggregate", {"fits": [fit]}):
                self._db.execute(
                    "UPDATE fits SET aggregated = (SELECT coalesce(max(aggregated), 0) + 1 FROM fits)"
                    " WHERE id = ? AND (aggregated IS NULL OR aggregated < (SELECT max(aggregated) FROM fits))",
                    [fit_id],
                )

    def _insert(self, fit_id: int, verdicts: Verdicts) -> None:
        names = self._labels.names
        columns = zip(
            *(verdicts.ids, verdicts.labels.tolist(), verdicts.confidences.tolist()),
            *(verdicts.probabilities.tolist(), verdicts.negatives.tolist()),
            strict=True,
        )
        rows = [
            (
                *(fit_id, item_id, names[label], _rounded(confidence)),
                json.dumps([_rounded(p) for p in probabilities]),
                json.dumps(list(compress(names, negatives)), ensure_ascii=False),
            )
            for item_id, label, confidence, probabilities, negatives in columns
        ]
        with self._journal.entry("aggregate", {"verdicts": [row[:2] for row in rows]}):
            self._db.conn.executemany(
                "INSERT INTO verdicts (fit, item, label, confidence, probabilities, negatives)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (fit, item) DO NOTHING",
                rows,
            )

    def confidences(self, fit_id: int) -> dict[str, float]:
        """The confidence of every verdict of one fit, by item id."""
        return dict(self._db.execute("SELECT item, confidence FROM verdicts WHERE fit = ?", [fit_id]))

    def answers(self, fit_id: int, ids: Sequence[str]) -> tuple[list[str], IntArray, FloatArray]:
        """Those of ``ids`` that a fit has verdicts on, [n] their labels and [n] the confidences."""
        kept, labels, confidences = [], array("q"), array("d")
        for chunk in chunks(ids):
            marks = ",".join("?" * len(chunk))
            query = f"SELECT item, label, confidence FROM verdicts WHERE fit = ? AND item IN ({marks})"
            found = {item: values for item, *values in self._db.execute(query, [fit_id, *chunk])}
            for item_id in chunk:
                if item_id in found:
                    kept.append(item_id)
                    labels.append(self._labels.index(found[item_id][0]))
                    confidences.append(found[item_id][1])
        return kept, np.array(labels, dtype=np.int64), np.array(confidences, dtype=np.float64)

    def get(self, fit_id: int, ids: Sequence[str]) -> Verdicts:
        """The stored verdicts of one fit on those of ``ids`` that it has any on, in their order."""
        kept: list[str] = []
        rows: list[tuple[str, str, str]] = []
        for chunk in chunks(ids):
            marks = ",".join("?" * len(chunk))
            query = f"SELECT item, label, probabilities, negatives FROM verdicts WHERE fit = ? AND item IN ({marks})"
            found = {item: values for item, *values in self._db.execute(query, [fit_id, *chunk])}
            kept += [item_id for item_id in chunk if item_id in found]
            rows += [found[item_id] for item_id in chunk if item_id in found]
        index = {name: k for k, name in enumerate(self._labels.names)}
        negatives = np.zeros((len(rows), len(index)), dtype=bool)
        for row, (_, _, names) in enumerate(rows):
            negatives[row, [index[name] for name in json.loads(names)]] = True
        return Verdicts(
            tuple(kept),
            np.array([index[label] for label, _, _ in rows], dtype=np.int64),
            np.array([json.loads(values) for _, values, _ in rows], dtype=np.float64).reshape(len(rows), len(index)),
            negatives,
        )


def _rounded(probability: float) -> float:
    return float(f"{probability:.9g}")
