"""Runs, rounds and selections in the database."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from sqlite_utils import Database

from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.settings import RunConfig, checked
from mollia_cli.store.journal import KEYS, Journal, Key
from mollia_cli.store.writing import not_before, now

_DIGITS = 7
# Tables that hold rows of a run, children first, with the column that names it.
_RUN = {"opinions": "run", "selections": "run", "rounds": "run", "runs": "name"}
# used_at is a time, and after # a number that tells apart what was used within a second.
_COUNTER = "CAST(substr(used_at, 27) AS INTEGER)"
_LAST_USED = f"substr(used_at, 1, 25) DESC, {_COUNTER} DESC"


@dataclass(frozen=True, slots=True)
class Round:
    """One round's record. ``metrics`` is None until it is finished; ``memory``: the training's peak in bytes."""

    run: str
    number: int
    fit: int | None = None
    model: str | None = None
    metrics: Mapping[str, Any] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """An item picked in a round, its score, and what the learner predicted for it before it was trained on it."""

    item_id: str
    round: int
    score: float
    opinion: int | None


class RunStore:
    """Reading and advancing runs."""

    def __init__(self, db: Database, labels: LabelSet) -> None:
        self._db = db
        self._labels = labels
        self._journal = Journal(db)

    def names(self) -> list[str]:
        """All runs, the one used last first."""
        query = f"SELECT name FROM runs ORDER BY {_LAST_USED}, name"
        return [row[0] for row in self._db.execute(query)]

    def config(self, name: str) -> RunConfig | None:
        """What a run is, or None where there is no such run."""
        row = self._db.execute("SELECT settings FROM runs WHERE name = ?", [name]).fetchone()
        return None if row is None else RunConfig(**checked(json.loads(row[0]), RunConfig, f"run {name}"))

    def record(self, name: str) -> dict[str, Any] | None:
        """What it takes to repeat a run; None where an older version opened it."""
        row = self._db.execute("SELECT record FROM runs WHERE name = ?", [name]).fetchone()
        return json.loads(row[0]) if row and row[0] else None

    def opened(self, name: str) -> str:
        """When a run was opened first."""
        return str(self._db.execute("SELECT created_at FROM runs WHERE name = ?", [name]).fetchone()[0])

    def put(self, name: str, config: RunConfig, record: Mapping[str, Any] | None = None) -> None:
        """Create a run, with its record, or update what it is; and make it the current one."""
        with self._journal.entry("open run", {"runs": [(name,)]}):
            stamp = not_before(self._db, "runs", "used_at")
            query = f"SELECT max({_COUNTER}) + 1 FROM runs WHERE used_at LIKE ?"
            count = self._db.execute(query, [f"{stamp}%"]).fetchone()[0] or 0
            self._db.execute(
                "INSERT INTO runs (name, settings, created_at, used_at, record) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, used_at = excluded.used_at",
                [name, json.dumps(asdict(config)), stamp, f"{stamp}#{count:03d}", record and json.dumps(record)],
            )

    def put_record(self, name: str, record: Mapping[str, Any]) -> None:
        """Replace a run's record."""
        with self._journal.entry("record", {"runs": [(name,)]}):
            self._db.execute("UPDATE runs SET record = ? WHERE name = ?", [json.dumps(record), name])

    def stopped(self, name: str) -> str:
        """Why a run ended before its number of rounds; "" where it did not."""
        row = self._db.execute("SELECT stopped FROM runs WHERE name = ?", [name]).fetchone()
        return (row[0] or "") if row else ""

    def stop(self, name: str, reason: str) -> None:
        """Record why a run ended; "" takes it back."""
        with self._journal.entry("stop", {"runs": [(name,)]}):
            self._db.execute("UPDATE runs SET stopped = ? WHERE name = ?", [reason or None, name])

    def rows_of(self, name: str) -> dict[str, int]:
        """How many rows of each table ``delete`` would delete."""
        return {table: len(keys) for table, keys in self._keys(name).items() if keys}

    def delete(self, name: str) -> None:
        """Delete a run with its rounds, and what they selected and were asked, as one entry."""
        gone = self._keys(name)
        with self._journal.entry("delete run", gone):
            for table in gone:
                self._db.execute(f"DELETE FROM {table} WHERE {_RUN[table]} = ?", [name])

    def _keys(self, name: str) -> dict[str, list[Key]]:
        """The keys of every row of a run, by table, in an order in which they can be deleted."""
        return {
            table: self._db.execute(f"SELECT {', '.join(KEYS[table])} FROM {table} WHERE {run} = ?", [name]).fetchall()
            for table, run in _RUN.items()
        }

    def rounds(self, run: str) -> list[Round]:
        """The rounds of a run in their order."""
        query = "SELECT run, round, fit, model, metrics, seconds, memory FROM rounds WHERE run = ? ORDER BY round"
        return [
            Round(name, number, fit, model, None if metrics is None else json.loads(metrics), json.loads(spent), memory)
            for name, number, fit, model, metrics, spent, memory in self._db.execute(query, [run])
        ]

    def start_round(
        self, run: str, number: int, picks: Sequence[tuple[str, float, int | None]], seconds: float
    ) -> None:
        """Record a round and what it selected (item id, score, the learner's prediction), in one transaction."""
        names = self._labels.names
        picked = [(run, item_id) for item_id, _, _ in picks]
        with self._journal.entry("select", {"rounds": [(run, number)], "selections": picked}):
            self._db.execute(
                "INSERT INTO rounds (run, round, seconds, started_at) VALUES (?, ?, ?, ?)",
                [run, number, json.dumps({"select": round(seconds, 3)}), now()],
            )
            self._db.conn.executemany(
                "INSERT INTO selections (run, round, item, rank, score, opinion) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (run, number, item_id, rank, score, None if opinion is None else names[opinion])
                    for rank, (item_id, score, opinion) in enumerate(picks)
                ],
            )

    def update_round(
        self,
        run: str,
        number: int,
        *,
        fit: int | None = None,
        model: str | None = None,
        metrics: Mapping[str, Any] | None = None,
        seconds: Mapping[str, float] | None = None,
        memory: int | None = None,
    ) -> None:
        """Add what is known now to a round's record; with ``metrics`` the round is finished."""
        with self._journal.entry("round", {"rounds": [(run, number)]}):
            self._db.execute(
                "UPDATE rounds SET fit = coalesce(?, fit), model = coalesce(?, model), metrics = coalesce(?, metrics),"
                " memory = coalesce(?, memory), seconds = json_patch(seconds, ?),"
                " finished_at = CASE WHEN ? THEN ? ELSE finished_at END WHERE run = ? AND round = ?",
                [
                    fit,
                    model,
                    None if metrics is None else json.dumps(metrics),
                    memory,
                    json.dumps({step: round(value, 3) for step, value in (seconds or {}).items()}),
                    metrics is not None,
                    now(),
                    run,
                    number,
                ],
            )

    def selections(self, run: str, number: int | None = None) -> list[Selection]:
        """What a run selected, by round and rank; of one round where ``number`` is given."""
        query = "SELECT item, round, score, opinion FROM selections WHERE run = ?"
        query += " AND round = ? ORDER BY rank" if number is not None else " ORDER BY round, rank"
        parameters: list[Any] = [run] if number is None else [run, number]
        return [
            Selection(item, round_number, score, None if opinion is None else self._labels.index(opinion))
            for item, round_number, score, opinion in self._db.execute(query, parameters)
        ]

    def add_opinions(self, run: str, number: int, opinions: Mapping[str, FloatArray]) -> None:
        """Store what a round's classifier says of items: probabilities [K] by item id."""
        rows = [
            (run, number, item_id, json.dumps([round(float(p), _DIGITS) for p in row]))
            for item_id, row in opinions.items()
        ]
        with self._journal.entry("watch", {"opinions": [row[:3] for row in rows]}):
            self._db.conn.executemany(
                "INSERT OR REPLACE INTO opinions (run, round, item, probabilities) VALUES (?, ?, ?, ?)", rows
            )

    def opinions(self, run: str, number: int) -> dict[str, FloatArray]:
        """What a round's classifier predicted for items, as far as it was asked."""
        query = "SELECT item, probabilities FROM opinions WHERE run = ? AND round = ?"
        return {item: np.array(json.loads(row)) for item, row in self._db.execute(query, [run, number])}
