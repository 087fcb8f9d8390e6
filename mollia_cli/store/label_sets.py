"""The label sets that a project has had, and what a change of its labels does to what is stored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from mollia_cli.domain.errors import InputError
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.printable import count
from mollia_cli.store.decisions import DecisionStore
from mollia_cli.store.journal import KEYS, Journal, Key

_VERB = "labels"
_PUT_BACK = "put it as it was: labels of a project with several of them cannot be changed yet (docs/multilabel.md)"


@dataclass(frozen=True, slots=True)
class Uses:
    """What names one label: items by split, what people have each decided, synthetic texts, the current verdicts."""

    items: Mapping[str, int]
    decisions: int
    synthetic: int
    verdicts: int


class LabelSets:
    """Labels are stored by name, arrays in a label set's order: one set is the ``current`` one, that all of it is of.

    What changes it runs in the caller's transaction, and leaves ``current`` to ``record``. several: an item's labels
    are a JSON array of names.
    """

    def __init__(self, db: Database, several: bool = False) -> None:
        self._db = db
        self._several = several
        # who has which label: where an item may have several, it is there with each
        one_each = "(SELECT i.id, i.split, l.value AS label FROM items i, json_each(i.label) l)"
        self._items = one_each if several else "items"
        self._journal = Journal(db)

    def current(self) -> LabelSet | None:
        """The label set that items, decisions, verdicts and runs are of; None in a new database."""
        query = "SELECT name, description FROM label_sets WHERE is_current ORDER BY position"
        rows = self._db.execute(query).fetchall()
        return LabelSet(tuple(row[0] for row in rows), tuple(row[1] for row in rows)) if rows else None

    def check(self, labels: LabelSet, source: str) -> None:
        """InputError where ``labels``, as ``source`` has them, are not those of what is stored."""
        self._check_number(source)
        stored = self.current()
        if stored is None or stored.names == labels.names:
            return
        gone = [name for name in stored.names if name not in labels.names]
        new = [name for name in labels.names if name not in stored.names]
        dependent = self._dependent()
        for name in gone:
            items = self._items_of(name)
            if items or dependent:
                of = f"of {count(items, 'item')}" if items else f"that {dependent} know"
                change = (
                    f"mollia labels rename {name!r} {new[0] if new else 'NEW'!r}, or mollia labels merge {name!r}"
                    f" LABEL, or mollia labels remove {name!r}; or put it back"
                )
                raise InputError(
                    f"{source}: label {name!r} {of} is no longer there", _PUT_BACK if self._several else change
                )
        if new and dependent:
            raise InputError(
                f"{source}: label {new[0]!r} is new, and {dependent} do not know it",
                _PUT_BACK
                if self._several
                else f"mollia labels add {new[0]!r} (says what that touches), or take it out again",
            )
        if dependent and not gone:
            raise InputError(
                f"{source}: the labels are in another order than in {dependent}",
                f"put them back into it: {', '.join(stored.names)}",
            )

    def _check_number(self, source: str) -> None:
        """InputError where ``multilabel``, as ``source`` has it, is not how the items are labelled."""
        query = "SELECT label FROM items WHERE split IN ('seed', 'validation', 'test') AND label IS NOT NULL LIMIT 1"
        found, current = self._db.execute(query).fetchone(), self.current()
        if found is None or current is None:
            return
        if self._several == (found[0] in current.names):
            stored, wanted = ("one label", "true") if self._several else ("several labels", "false")
            raise InputError(
                f"{source}: multilabel = {wanted}, and the items were imported with {stored} each",
                "put it back, or make a project of the other kind: mollia init NEW --multilabel",
            )

    def record(self, labels: LabelSet, current: bool = True) -> None:
        """Write a label set down for whoever reads the arrays by SQL, and make it the current one."""
        digest = labels.digest
        known = "SELECT 1 FROM label_sets WHERE digest = ? AND is_current >= ?"
        if self._db.execute(known, [digest, current]).fetchone():
            return
        described = enumerate(zip(labels.names, labels.descriptions, strict=True))
        rows = [(digest, position, name, meaning) for position, (name, meaning) in described]
        before = self._keys("label_sets", "is_current", [])
        with self._journal.entry("label set", {"label_sets": [*before, *(row[:2] for row in rows)]}):
            self._db.conn.executemany(
                "INSERT OR IGNORE INTO label_sets (digest, position, name, description, is_current)"
                " VALUES (?, ?, ?, ?, 0)",
                rows,
            )
            if current:
                self._db.execute("UPDATE label_sets SET is_current = (digest = ?)", [digest])

    def uses(self) -> dict[str, Uses]:
        """What names each label of the current set."""
        stored = self.current()
        items: dict[str, dict[str, int]] = {}
        query = f"SELECT label, split, count(*) FROM {self._items} WHERE label IS NOT NULL GROUP BY label, split"
        for label, split, n in self._db.execute(query):
            items.setdefault(label, {})[split] = n
        decisions = self._counted(
            "decisions WHERE label IS NOT NULL"
            " AND id IN (SELECT id FROM own_decisions UNION SELECT id FROM standing_decisions)"
        )
        synthetic, verdicts = self._counted("synthetic"), self._counted("current_verdicts")
        if self._several:
            verdicts = self._counted("(SELECT question AS label FROM current_verdicts WHERE label = 'yes')")
        return {
            name: Uses(items.get(name, {}), decisions.get(name, 0), synthetic.get(name, 0), verdicts.get(name, 0))
            for name in (stored.names if stored else ())
        }

    def observed(self, digest: str) -> tuple[int, float]:
        """(how many observations there are of a label set, the seconds that they took as far as it was measured)."""
        query = (
            "SELECT count(*), coalesce(sum(o.seconds), 0.0) FROM observations o"
            " JOIN annotators a ON a.key = o.annotator WHERE json_extract(a.identity, '$.labels') = ?"
        )
        read, seconds = self._db.execute(query, [digest]).fetchone()
        return int(read), float(seconds)

    def rename(self, old: str, new: str) -> None:
        """Call a label otherwise wherever it is named."""
        quoted = json.dumps(old, ensure_ascii=False)
        named = "label = ? OR instr(negatives, ?)"
        touched = {
            "selections": self._keys("selections", "opinion=?", [old]),
            "verdicts": self._keys("verdicts", named, [old, quoted]),
        }
        self._replace(old, new)
        with self._journal.entry(_VERB, touched):
            self._db.execute("UPDATE selections SET opinion = ? WHERE opinion = ?", [new, old])
            rows = self._db.execute(
                f"SELECT negatives, fit, item FROM verdicts WHERE {named}", [old, quoted]
            ).fetchall()
            renamed = (
                (json.dumps([new if n == old else n for n in json.loads(negatives)], ensure_ascii=False), fit, item)
                for negatives, fit, item in rows
            )
            self._db.conn.executemany("UPDATE verdicts SET negatives = ? WHERE fit = ? AND item = ?", renamed)
            self._db.execute("UPDATE verdicts SET label = ? WHERE label = ?", [new, old])

    def merge(self, old: str, into: str, decisions: DecisionStore) -> None:
        """Give what people and files say is ``old`` the label ``into``; no verdict stays the current one.

        Where other decisions hold then, as people agree now or no longer do, the items' splits follow.
        """
        before = {item: (act, into if name == old else name) for item, (act, name) in self._standing().items()}
        self._replace(old, into)
        for item in sorted({item for item, _ in before.items() ^ self._standing().items()}):
            decisions.settle(item)
        self.outdate_verdicts()

    def remove(self, old: str, decisions: DecisionStore) -> None:
        """Take a label back from what people and files gave it; no verdict stays the current one.

        Seed and validation items without a label go back to the pool. Texts that were written for the label go.
        """
        numbers = {row[0] for row in self._db.execute("SELECT id FROM decisions WHERE label = ?", [old])}
        for decision in [one for one in decisions.all() if one.id in numbers]:
            decisions.take_back(decision)
        named = {
            "items": "label = ?",
            "synthetic": "label = ?",
            "decisions": "verdict = ? OR known = ?",
        }
        parameters = {"items": [old], "synthetic": [old], "decisions": [old, old]}
        touched = {table: self._keys(table, where, parameters[table]) for table, where in named.items()}
        with self._journal.entry(_VERB, touched):
            self._db.execute(
                "UPDATE items SET label = NULL, split = CASE WHEN split = 'test' THEN 'test' ELSE 'pool' END"
                " WHERE label = ?",
                [old],
            )
            self._db.execute("DELETE FROM synthetic WHERE label = ?", [old])
            self._db.execute("UPDATE decisions SET known = NULL WHERE known = ?", [old])
            self._db.execute("UPDATE decisions SET verdict = NULL, confidence = NULL WHERE verdict = ?", [old])
        self.outdate_verdicts()

    def outdate_verdicts(self) -> None:
        """Let no aggregation be the last one: all of them are of other labels."""
        where = "aggregated IS NOT NULL"
        with self._journal.entry(_VERB, {"fits": self._keys("fits", where, [])}):
            self._db.execute(f"UPDATE fits SET aggregated = NULL WHERE {where}")

    def _replace(self, old: str, new: str) -> None:
        """Another name in what people and files say."""
        columns = {"items": ("label",), "synthetic": ("label",), "decisions": ("label", "verdict", "known")}
        touched = {
            table: self._keys(table, " OR ".join(f"{name} = ?" for name in names), [old] * len(names))
            for table, names in columns.items()
        }
        with self._journal.entry(_VERB, touched):
            for table, names in columns.items():
                for name in names:
                    self._db.execute(f"UPDATE {table} SET {name} = ? WHERE {name} = ?", [new, old])

    def _standing(self) -> dict[str, tuple[str, str | None]]:
        """By item id: the act and the label that hold."""
        rows = self._db.execute("SELECT item, act, label FROM standing_decisions")
        return {item: (act, label) for item, act, label in rows}

    def _keys(self, table: str, where: str, parameters: Sequence[str]) -> list[Key]:
        query = f"SELECT {', '.join(KEYS[table])} FROM {table} WHERE {where}"
        return self._db.execute(query, list(parameters)).fetchall()

    def _counted(self, table: str) -> dict[str, int]:
        return dict(self._db.execute(f"SELECT label, count(*) FROM {table} GROUP BY label").fetchall())

    def _items_of(self, name: str) -> int:
        """How many items have a label, as it came or from people."""
        query = (
            f"SELECT count(*) FROM (SELECT id FROM {self._items} WHERE label = ?1"
            " UNION SELECT item FROM decisions WHERE label = ?1 AND undone_at IS NULL"
            " UNION SELECT id FROM synthetic WHERE label = ?1)"
        )
        return int(self._db.execute(query, [name]).fetchone()[0])

    def _dependent(self) -> str:
        """What is of the current label set and cannot be of another one, for people; "" for nothing."""
        verdicts = self._db.execute("SELECT count(*) FROM current_verdicts").fetchone()[0]
        runs = self._db.execute("SELECT count(*) FROM runs").fetchone()[0]
        return " and ".join(count(n, what) for n, what in ((verdicts, "verdict"), (runs, "run")) if n)
