"""Observations in the database: kept by the digest of everything they depend on."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlite_utils import Database

from mollia_cli.domain.digest import canonical_json, digest_of
from mollia_cli.domain.observations import FloatArray, Observation
from mollia_cli.store.items import chunks
from mollia_cli.store.journal import Journal
from mollia_cli.store.writing import not_before

_DIGITS = 7
# JSON has no -inf: a label of probability zero is stored as this log-probability.
FLOOR = -1e4
INSERT = (
    "INSERT OR IGNORE INTO observations (annotator, item, log_probs, votes, mass, invalid, slack, answers, tokens,"
    " truncated, seconds, memory) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_COLUMNS = "o.item, o.log_probs, o.votes, o.mass, o.invalid, o.slack, o.answers, o.tokens, o.truncated"


class ObservationStore:
    """Reading and adding observations. ``key``: an annotator's digest; ``question``: the label that it is asked about.

    The question is empty but in a project with several labels, where it is part of each identity.
    """

    def __init__(self, db: Database, question: str = "") -> None:
        self._db = db
        self._question = question
        self._journal = Journal(db)

    @staticmethod
    def key(identity: Mapping[str, Any]) -> str:
        """The key of an annotator identity."""
        return digest_of(identity)[:32]

    def stored(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """An annotator identity as it is stored and read again: with the question, without tuples."""
        whole = {**identity, **({"question": self._question} if self._question else {})}
        return dict(json.loads(canonical_json(whole)))

    def register(self, name: str, identity: Mapping[str, Any]) -> str:
        """The key of an annotator identity, recorded at its first use."""
        identity = self.stored(identity)
        key = self.key(identity)
        if self._db.execute("SELECT 1 FROM annotators WHERE key = ?", [key]).fetchone():
            return key  # without a transaction: others may be writing, or nobody may
        with self._journal.entry("register", {"annotators": [(key,)]}):
            self._db.execute(
                "INSERT OR IGNORE INTO annotators (key, name, identity, created_at) VALUES (?, ?, ?, ?)",
                [key, name, canonical_json(identity), not_before(self._db, "annotators", "created_at")],
            )
        return key

    def last_identity(self, name: str) -> dict[str, Any]:
        """The identity that was registered last under a name; {} where none was."""
        query = "SELECT identity FROM annotators WHERE name = ? ORDER BY created_at DESC LIMIT 1"
        found = self._db.execute(query, [name]).fetchone()
        return json.loads(found[0]) if found else {}

    def missing(self, key: str, ids: Sequence[str]) -> list[str]:
        """Those of ``ids`` that this annotator has not observed yet, in their order."""
        known: set[str] = set()
        for chunk in chunks(ids):
            marks = ",".join("?" * len(chunk))
            query = f"SELECT item FROM observations WHERE annotator = ? AND item IN ({marks})"
            known.update(row[0] for row in self._db.execute(query, [key, *chunk]))
        return [item_id for item_id in ids if item_id not in known]

    def add(
        self, key: str, batch: Sequence[Observation], seconds: float | None = None, memory: int | None = None
    ) -> None:
        """Store one batch in one transaction; of what is stored already only the words of its invalid answers are new.

        ``seconds``: wall-clock of the whole batch; ``memory``: the annotator's peak so far in bytes (``Peak.added``);
        None where they were not measured.
        """
        share = None if seconds is None else seconds / max(len(batch), 1)
        rows = [row_of(key, o, share, memory) for o in batch]
        with self._journal.entry("annotate", {"observations": [row[:2] for row in rows]}):
            self._db.conn.executemany(INSERT, rows)
            self._db.conn.executemany(
                "UPDATE observations SET answers = ? WHERE annotator = ? AND item = ? AND answers = '[]'",
                [(json.dumps(o.answers, ensure_ascii=False), key, o.item_id) for o in batch if o.answers],
            )

    def get(self, key: str, ids: Sequence[str]) -> dict[str, Observation]:
        """The stored observations of one annotator for some items."""
        found: dict[str, Observation] = {}
        for chunk in chunks(ids):
            marks = ",".join("?" * len(chunk))
            query = f"SELECT {_COLUMNS} FROM observations o WHERE annotator = ? AND item IN ({marks})"
            for row in self._db.execute(query, [key, *chunk]):
                found[row[0]] = _observation(row)
        return found

    def read_into(
        self, key: str, ids: Sequence[str], log_probs: FloatArray, votes: FloatArray, invalid: FloatArray
    ) -> None:
        """Fill [n, K], [n, K] and [n] with one annotator's observations of n items; KeyError for one it has not made.

        This is how pools are read: an Observation for each item takes twenty times the memory.
        """
        done = 0
        for chunk in chunks(ids):
            marks = ",".join("?" * len(chunk))
            query = (
                f"SELECT item, log_probs, votes, invalid FROM observations WHERE annotator = ? AND item IN ({marks})"
            )
            seen = {item: values for item, *values in self._db.execute(query, [key, *chunk])}
            found = [seen[item_id] for item_id in chunk]
            rows = slice(done, done + len(chunk))
            log_probs[rows] = json.loads(f"[{','.join(values[0] for values in found)}]")
            votes[rows] = json.loads(f"[{','.join(values[1] for values in found)}]")
            invalid[rows] = [values[2] for values in found]
            done += len(chunk)

    def of_item(self, item_id: str) -> list[tuple[str, str, Observation]]:
        """(key, name, observation) of every annotator that has observed an item, in the order of their first use."""
        query = (
            f"SELECT {_COLUMNS}, a.key, a.name FROM annotators a JOIN observations o ON o.annotator = a.key"
            " WHERE o.item = ? ORDER BY a.created_at, a.name"
        )
        return [(row[-2], row[-1], _observation(row)) for row in self._db.execute(query, [item_id])]

    def summary(self) -> list[dict[str, Any]]:
        """Of each annotator: who it is, and its items, mean label mass, invalid rate, tokens, texts cut and costs."""
        query = """
            SELECT a.name, coalesce(json_extract(a.identity, '$.question'), ''), a.key, count(o.item), avg(o.mass),
                avg(o.invalid), sum(o.tokens), sum(o.truncated),
                sum(o.seconds), max(o.memory)
            FROM annotators a LEFT JOIN observations o ON o.annotator = a.key
            GROUP BY a.key ORDER BY a.created_at, a.name
        """
        names = ("name", "question", "key", "items", "mass", "invalid", "tokens", "truncated", "seconds", "memory")
        return [dict(zip(names, row, strict=True)) for row in self._db.execute(query)]

    def count(self) -> int:
        """How many there are, of all annotators together."""
        return int(self._db.execute("SELECT count(*) FROM observations").fetchone()[0])

    def tokens_by_item(self, keys: Sequence[str], ids: Sequence[str]) -> dict[str, int]:
        """Tokens that these annotators have read for each of ``ids`` that any of them has observed."""
        found: Counter[str] = Counter()
        for key in keys:
            for chunk in chunks(ids):
                marks = ",".join("?" * len(chunk))
                query = f"SELECT item, tokens FROM observations WHERE annotator = ? AND item IN ({marks})"
                found.update(dict(self._db.execute(query, [key, *chunk]).fetchall()))
        return dict(found)

    def annotator(self, key: str) -> tuple[str, dict[str, Any]]:
        """Name and identity behind a key; the key must be registered."""
        name, identity = self._db.execute("SELECT name, identity FROM annotators WHERE key = ?", [key]).fetchone()
        return name, json.loads(identity)


def row_of(key: str, seen: Observation, seconds: float | None, memory: int | None) -> tuple[Any, ...]:
    """An observation as it is stored, the values of ``INSERT``; ``seconds``: its own."""
    return (
        key,
        seen.item_id,
        _dump(np.maximum(seen.log_probs, FLOOR)),
        _dump(seen.votes),
        round(float(seen.mass), _DIGITS),
        round(float(seen.invalid), _DIGITS),
        float(seen.slack),
        json.dumps(seen.answers, ensure_ascii=False),
        seen.tokens,
        int(seen.truncated),
        seconds,
        memory,
    )


def _observation(row: Sequence[Any]) -> Observation:
    """An observation from a row that begins with ``_COLUMNS``."""
    return Observation(
        item_id=row[0],
        log_probs=np.array(json.loads(row[1])),
        votes=np.array(json.loads(row[2])),
        mass=row[3],
        invalid=row[4],
        slack=row[5],
        answers=tuple(json.loads(row[6])),
        tokens=row[7],
        truncated=bool(row[8]),
    )


def _dump(values: FloatArray) -> str:
    return json.dumps([round(float(value), _DIGITS) for value in values])
