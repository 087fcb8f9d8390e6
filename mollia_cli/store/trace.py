"""Everything that the database holds of one item, as plain rows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from mollia_cli.store.journal import Journal

Rows = list[dict[str, Any]]

_OBSERVATIONS = """
    SELECT a.name AS annotator, a.key, a.identity, o.log_probs, o.votes, o.mass, o.invalid, o.answers, o.tokens,
        o.truncated, a.created_at AS first_used
    FROM observations o JOIN annotators a ON a.key = o.annotator WHERE o.item = ? ORDER BY a.created_at, a.name
"""
_VERDICTS = """
    SELECT f.id AS fit, f.digest, f.aggregator, v.label, v.confidence, v.negatives, f.panel, f.seed_items, f.pool_items,
        f.created_at, f.aggregated = (SELECT max(aggregated) FROM fits) AS current
    FROM verdicts v JOIN fits f ON f.id = v.fit WHERE v.item = ? ORDER BY f.aggregated
"""
_SELECTIONS = """
    SELECT s.run, s.round, json_extract(r.settings, '$.strategy') AS strategy, s.rank, s.score, s.opinion,
        (SELECT count(*) FROM selections c WHERE c.run = s.run AND c.round = s.round) AS batch,
        o.started_at AS at, o.fit
    FROM selections s JOIN runs r ON r.name = s.run JOIN rounds o ON o.run = s.run AND o.round = s.round
    WHERE s.item = ? ORDER BY o.started_at, s.run
"""
_DECISIONS = """
    SELECT id, act, label, note, seed, fit, verdict, confidence, who, adjudicates, made_at AS at, undone_at
    FROM decisions WHERE item = ? ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Trace:
    """The rows of one item, each table's oldest first.

    An observation's and a verdict's ``at`` is the time of its journal entry, None where it has none.
    """

    observations: Rows
    verdicts: Rows
    selections: Rows
    decisions: Rows
    journal: Rows


def trace(db: Database, item_id: str) -> Trace:
    """Every row that is about an item; none where there is no such item."""
    journal = _journal(db, item_id)
    written = {(row["table"], *row["key"]): row["at"] for row in journal}
    observations = _read(db, _OBSERVATIONS, item_id, "identity", "log_probs", "votes", "answers")
    for row in observations:
        row["labels"] = _labels(db, row["identity"].get("labels", ""))
        row["at"] = written.get(("observations", row["key"], item_id))
    verdicts = _read(db, _VERDICTS, item_id, "negatives", "panel")
    for row in verdicts:
        row["at"] = written.get(("verdicts", row["fit"], item_id))
        row["rounds"] = _read(db, "SELECT run, round FROM rounds WHERE fit = ? ORDER BY run, round", row["fit"])
    return Trace(
        observations=observations,
        verdicts=verdicts,
        selections=_read(db, _SELECTIONS, item_id),
        decisions=_read(db, _DECISIONS, item_id),
        journal=journal,
    )


def _journal(db: Database, item_id: str) -> Rows:
    """The entries that have written a row of the item."""
    return [
        {"seq": entry.seq, "at": entry.at, "verb": entry.verb, "table": table, "key": list(key), "hash": entry.hash}
        for entry, changes in Journal(db).mentions(item_id)
        for table, key, _, _ in changes
    ]


def _labels(db: Database, digest: str) -> list[str]:
    """The label set that an annotator's arrays follow; empty where it is not known."""
    query = "SELECT name FROM label_sets WHERE digest = ? ORDER BY position"
    return [name for (name,) in db.execute(query, [digest])]


def _read(db: Database, query: str, value: Any, *as_json: str) -> Rows:
    cursor = db.execute(query, [value])
    names: Sequence[str] = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    for row in rows:
        row.update({name: json.loads(row[name]) for name in as_json})
    return rows
