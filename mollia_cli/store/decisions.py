"""What people decided, in the database: a log that is only added to; taking back is a mark on a row."""

from dataclasses import replace

from sqlite_utils import Database

from mollia_cli.domain.decisions import IGNORE, LABEL, NOTE, Decision
from mollia_cli.domain.labels import LabelSet
from mollia_cli.store.journal import Journal
from mollia_cli.store.writing import now

_COLUMNS = "item, act, who, label, note, seed, chosen, fit, verdict, confidence, known, adjudicates, made_at, id"


class DecisionStore:
    """Adding, taking back and reading decisions; labels are stored by name.

    A label that makes an item a seed item moves it from the pool to the end of the seed split, and
    back when that no longer holds.
    """

    def __init__(self, db: Database, labels: LabelSet) -> None:
        self._db = db
        self._labels = labels
        self._journal = Journal(db)

    def add(self, decision: Decision) -> Decision:
        """Store a decision at once; returns it as it was stored, with its number, time and known label."""
        with self._db.atomic():
            number = self._db.execute("SELECT coalesce(max(id), 0) + 1 FROM decisions").fetchone()[0]
            made = replace(decision, known=self._known(decision.item_id), at=now(), id=number)
            with self._journal.entry("decide", {"decisions": [(number,)], "items": [(made.item_id,)]}):
                self._db.execute(
                    f"INSERT INTO decisions ({_COLUMNS}) VALUES ({', '.join('?' * 14)})",
                    [
                        *(made.item_id, made.act, made.who, self._name(made.label), made.note, int(made.seed)),
                        *(made.chosen, made.fit, self._name(made.verdict), made.confidence),
                        *(self._name(made.known), int(made.adjudicates), made.at, number),
                    ],
                )
                self._settle(made)
        return made

    def take_back(self, decision: Decision) -> None:
        """Undo a decision; what the item was decided to be before holds again."""
        with self._journal.entry("undo", {"decisions": [(decision.id,)], "items": [(decision.item_id,)]}):
            self._db.execute("UPDATE decisions SET undone_at = ? WHERE id = ?", [now(), decision.id])
            self._settle(decision)

    def settle(self, item_id: str) -> None:
        """Put an item into the split where the decision that holds now wants it; somebody has decided on it."""
        made = self._read("item = ? AND undone_at IS NULL LIMIT 1", item_id)[0]
        with self._journal.entry("settle", {"items": [(item_id,)]}):
            self._settle(made)

    def last(self, who: str) -> Decision | None:
        """The person's last decision that was not taken back."""
        return next(iter(self._read("who = ? AND undone_at IS NULL ORDER BY id DESC LIMIT 1", who)), None)

    def standing(self, item_id: str) -> Decision | None:
        """The label or the ignoring that holds for an item."""
        return next(iter(self._read("id = (SELECT id FROM standing_decisions WHERE item = ?)", item_id)), None)

    def own(self, item_id: str = "") -> list[Decision]:
        """What each person has decided on an item, or on all of them: adjudications apart, in the order of time."""
        return self._read("id IN (SELECT id FROM own_decisions WHERE ? IN ('', item)) ORDER BY id", item_id)

    def disagreements(self) -> list[str]:
        """The items that people disagree on, so that no decision holds; those first that were decided on first."""
        query = "SELECT item FROM disagreements GROUP BY item ORDER BY min(id)"
        return [row[0] for row in self._db.execute(query)]

    def whose(self) -> dict[str, str]:
        """By item id: who gave the label that holds; several names with commas."""
        query = f"SELECT item, who FROM standing_decisions WHERE act = '{LABEL}'"
        return dict(self._db.execute(query).fetchall())

    def note(self, item_id: str) -> str:
        """The last note on an item, or ""."""
        notes = self._read(f"item = ? AND act = '{NOTE}' AND undone_at IS NULL ORDER BY id DESC LIMIT 1", item_id)
        return notes[0].note if notes else ""

    def labels(self) -> dict[str, int]:
        """The people's labels by item id, in the order in which they were given."""
        query = f"SELECT item, label FROM standing_decisions WHERE act = '{LABEL}' ORDER BY id"
        return {item: self._labels.index(label) for item, label in self._db.execute(query)}

    def seeds_chosen(self) -> dict[str, str]:
        """By item id: how each item that people made a seed item came before them (``Decision.chosen``)."""
        return dict(self._db.execute("SELECT item, chosen FROM standing_decisions WHERE seed").fetchall())

    def ignored(self) -> set[str]:
        """The items that people have set aside; no split lists them."""
        return {row[0] for row in self._db.execute(f"SELECT item FROM standing_decisions WHERE act = '{IGNORE}'")}

    def all(self) -> list[Decision]:
        """Every decision that was not taken back, in their order, also those that do not hold."""
        return self._read("undone_at IS NULL AND id > ? ORDER BY id", 0)

    def _read(self, condition: str, value: str | int) -> list[Decision]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM decisions WHERE {condition}", [value])
        return [
            Decision(
                *(item, act, who, self._index(label), note, bool(seed), chosen),
                *(fit, self._index(verdict), confidence, self._index(known), bool(settles), at, number),
            )
            for item, act, who, label, note, seed, chosen, fit, verdict, confidence, known, settles, at, number in rows
        ]

    def _known(self, item_id: str) -> int | None:
        """The label that the item came with: an earlier decision holds it, where one has replaced it."""
        row = self._db.execute("SELECT known FROM decisions WHERE item = ? LIMIT 1", [item_id]).fetchone()
        row = row or self._db.execute("SELECT label FROM items WHERE id = ?", [item_id]).fetchone()
        return self._index(row[0])

    def _settle(self, decision: Decision) -> None:
        """Put the item into the split where the decision that holds wants it."""
        holds = self.standing(decision.item_id)
        if holds is not None and holds.act == LABEL and holds.seed:
            # behind all others: what came first (the prompt's worked examples) must stay first
            last = self._db.execute("SELECT max(position) FROM items").fetchone()[0]
            self._db.execute(
                "UPDATE items SET split = 'seed', label = ?, position = ? WHERE id = ?",
                [self._name(holds.label), last + 1, decision.item_id],
            )
        elif self._db.execute("SELECT 1 FROM decisions WHERE item = ? AND seed", [decision.item_id]).fetchone():
            # one that was moved on since (`mollia move --to test`) stays where it was moved to
            self._db.execute(
                "UPDATE items SET split = CASE split WHEN 'seed' THEN 'pool' ELSE split END, label = ? WHERE id = ?",
                [self._name(decision.known), decision.item_id],
            )

    def _name(self, label: int | None) -> str | None:
        return None if label is None else self._labels.names[label]

    def _index(self, label: str | None) -> int | None:
        return None if label is None else self._labels.index(label)
