"""Fitted aggregators and their verdicts in the database."""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from sqlite_utils import Database

from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.domain.verdicts import Verdict
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
    """Reading and adding fits and verdicts; labels are stored by name."""

    def __init__(self, db: Database, labels: LabelSet) -> None:
        self._db = db
        self._labels = labels
        self._journal = Journal(db)

    def find_fit(self, digest: str) -> Fit | None:
        """The fit of this identity, if it was made before."""
        return self._fit("digest = ?", digest)

    def fit(self, fit_id: int) -> Fit | None:
        """A fit by its record number."""
        return self._fit("id = ?", fit_id)

    def latest_fit(self) -> Fit | None:
        """The fit that verdicts were made by last; None where there are no verdicts."""
        return self._fit("concluded = (SELECT max(concluded) FROM fits WHERE concluded > ?)", 0)

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
                "INSERT OR IGNORE INTO fits (digest, aggregator, panel, seed_items, pool_items, state, calibration,"
                " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    *(digest, aggregator, json.dumps(list(panel)), *sizes),
                    *(json.dumps(state), json.dumps(calibration), now()),
                ],
            )
        fit = self.find_fit(digest)
        assert fit is not None
        return fit

    def add(self, fit_id: int, verdicts: Iterable[Verdict]) -> None:
        """Store verdicts in one transaction, all or none; what the fit has concluded of an item before stays.

        Probabilities keep nine digits.
        """
        fit = self._db.execute("SELECT digest FROM fits WHERE id = ?", [fit_id]).fetchone()
        with self._db.atomic():
            for part in _parts(verdicts):
                self._insert(fit_id, part)
            with self._journal.entry("conclude", {"fits": [fit]}):
                self._db.execute(
                    "UPDATE fits SET concluded = (SELECT coalesce(max(concluded), 0) + 1 FROM fits)"
                    " WHERE id = ? AND (concluded IS NULL OR concluded < (SELECT max(concluded) FROM fits))",
                    [fit_id],
                )

    def _insert(self, fit_id: int, verdicts: Iterable[Verdict]) -> None:
        names = self._labels.names
        rows = [
            (
                fit_id,
                v.item_id,
                names[v.label],
                _rounded(v.confidence),
                json.dumps([_rounded(p) for p in v.probabilities]),
                json.dumps([names[k] for k in v.negatives], ensure_ascii=False),
            )
            for v in verdicts
        ]
        with self._journal.entry("conclude", {"verdicts": [row[:2] for row in rows]}):
            self._db.conn.executemany(
                "INSERT INTO verdicts (fit, item, label, confidence, probabilities, negatives)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (fit, item) DO NOTHING",
                rows,
            )

    def confidences(self, fit_id: int) -> dict[str, float]:
        """The confidence of every verdict of one fit, by item id."""
        return dict(self._db.execute("SELECT item, confidence FROM verdicts WHERE fit = ?", [fit_id]))

    def answers(self, fit_id: int, ids: Sequence[str]) -> tuple[list[str], IntArray, FloatArray]:
        """Those of ``ids`` that a fit has judged, [n] their labels and [n] the confidences."""
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

    def get(self, fit_id: int, ids: Sequence[str]) -> dict[str, Verdict]:
        """Stored verdicts of one fit for some items."""
        found: dict[str, Verdict] = {}
        for chunk in chunks(ids):
            marks = ",".join("?" * len(chunk))
            query = (
                "SELECT item, label, confidence, probabilities, negatives FROM verdicts"
                f" WHERE fit = ? AND item IN ({marks})"
            )
            for item_id, label, confidence, probabilities, negatives in self._db.execute(query, [fit_id, *chunk]):
                found[item_id] = Verdict(
                    item_id,
                    self._labels.index(label),
                    confidence,
                    np.array(json.loads(probabilities)),
                    tuple(self._labels.index(name) for name in json.loads(negatives)),
                )
        return found


def _rounded(probability: float) -> float:
    return float(f"{probability:.9g}")


def _parts(verdicts: Iterable[Verdict]) -> Iterator[list[Verdict]]:
    """Lists of a bounded length, so that a large pool's verdicts are never all in memory."""
    rest = iter(verdicts)
    while part := list(islice(rest, _AT_ONCE)):
        yield part
