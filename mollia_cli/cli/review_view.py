"""What ``mollia review`` draws: labels, and what everybody thinks of an item, as text of a given width."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from mollia_cli.domain.decisions import Decision
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.printable import printable
from mollia_cli.insight.review import Card, Review

ORDERS = {
    "doubt": "least confident first",
    "seed": "typical and random texts in turn",
    "random": "random order",
    "disagreements": "what people disagree on",
}
# Letters that are commands; all others, and all capitals, are keys of labels.
COMMANDS = "inqu"
_KEYS = "123456789" + "".join(c for c in "abcdefghijklmnopqrstuvwxyz" if c not in COMMANDS)
KEYS = _KEYS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEAST_COLUMN, _WIDEST_COLUMN = 8, 18
_LEAST_CELL = 22
_NAME_CELL, _SAID_CELL = 15, 24
_LEAST_DESCRIPTION = 20


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one LLM, the aggregator or the classifier thinks: probabilities [K], None while it is still thinking."""

    name: str
    scores: FloatArray | None


@dataclass(frozen=True, slots=True)
class Labels:
    """The label set with what stands beside it: predictions, and the labels that are marked."""

    labels: LabelSet
    opinions: Sequence[Opinion] = ()
    verdict: int | None = None
    decided: int | None = None

    def draw(self, width: int, rows: int) -> Text:
        """A row for each label and a column for each prediction; without the room for it, labels side by side."""
        names = max(cell_len(name) for name in self.labels.names)
        column = self._column(width, min(names, 24))
        if len(self.labels) <= rows and column:
            return self._table(width, min(names, width - 6 - column * len(self.opinions)), column)
        return self._grid(width, rows)

    def _column(self, width: int, names: int) -> int:
        """The width of a prediction's column beside names of that width; 0 where they do not fit."""
        if not self.opinions:
            return 1
        column = min((width - 6 - min(names, 12)) // len(self.opinions), _WIDEST_COLUMN)
        wanted = (width - 6 - names) // len(self.opinions)
        return max(min(wanted, column), _LEAST_COLUMN) if column >= _LEAST_COLUMN else 0

    def _table(self, width: int, names: int, column: int) -> Text:
        lines = []
        if self.opinions:
            heads = [set_cell_size(middle(o.name, column - 2), column) for o in shortened(self.opinions)]
            lines.append(Text(" " * (names + 6) + "".join(heads), style="dim"))
        used = names + 6 + column * len(self.opinions)
        for k in range(len(self.labels)):
            line = self._name(k, names)
            for opinion in self.opinions:
                line.append(set_cell_size(_share(opinion.scores, k, column - 2), column), self._style(k))
            description = printable(self.labels.descriptions[k])
            if description and width - used >= _LEAST_DESCRIPTION:
                line.append(middle(description, width - used, keep=1.0), "dim")
            lines.append(line)
        return Text("\n").join(lines)

    def _grid(self, width: int, rows: int) -> Text:
        """Labels side by side with the verdict's shares, and below them the most probable labels of each prediction."""
        said = [self._said(opinion, best=2) for opinion in shortened(self.opinions)]
        columns = self._columns(rows - len(said))
        if width // columns < _LEAST_CELL or width < _NAME_CELL + 2 * _SAID_CELL:
            short = [self._said(opinion, best=1) for opinion in shortened(self.opinions)]
            beside = max(width // (_NAME_CELL + _SAID_CELL), 1)
            said = [Text.assemble(*short[n : n + beside]) for n in range(0, len(short), beside)]
            columns = min(self._columns(rows - len(said)), max(width // _LEAST_CELL, 1))
        height = ceil(len(self.labels) / columns)
        scores = self.opinions[0].scores if self.verdict is not None else None
        lines = []
        for row in range(height):
            line = Text()
            for k in range(row, len(self.labels), height):
                line.append_text(self._name(k, width // columns - 12))
                line.append(f"{_percent(scores, k):>4}  ", self._style(k))
            lines.append(line)
        return Text("\n").join([*lines, *said])

    def _columns(self, rows: int) -> int:
        return ceil(len(self.labels) / max(rows, 1))

    def _said(self, opinion: Opinion, best: int) -> Text:
        """The most probable labels of one prediction."""
        line = Text(set_cell_size(middle(opinion.name, _NAME_CELL - 2), _NAME_CELL), style="dim")
        if opinion.scores is None:
            return line.append("…".ljust(_SAID_CELL * best))
        for k in opinion.scores.argsort()[::-1][:best]:
            line.append(f"{bar(float(opinion.scores[k]), 4):4} {_percent(opinion.scores, k):>4} ", "not dim")
            name = middle(printable(self.labels.names[k]), _SAID_CELL - 11)
            line.append(set_cell_size(name, _SAID_CELL - 10), "not dim")
        return line

    def _name(self, k: int, width: int) -> Text:
        """Mark, key and name of a label, ``width`` + 6 cells."""
        mark = "✓" if k == self.decided else "▸" if k == self.verdict else " "
        key = KEYS[k] if k < len(KEYS) else " "
        line = Text(f"{mark} ", self._style(k)).append(key, "bold")
        return line.append(
            "  " + set_cell_size(middle(printable(self.labels.names[k]), width), width + 1), self._style(k)
        )

    def _style(self, k: int) -> str:
        return "bold green" if k == self.decided else "bold" if k == self.verdict and self.decided is None else ""


def opinions_on(review: Review, card: Card) -> list[Opinion]:
    """Everybody's prediction for an item; in a blind sitting nobody's."""
    if review.blind:
        return []
    verdict = [Opinion("verdict", card.verdict.probabilities)] if card.verdict else []
    llms = [Opinion(name, scores) for name, scores in card.llms]
    classifier = [Opinion("classifier", review.opinion(card.item.id))] if review.has_classifier else []
    return verdict + llms + classifier


def labels_of(review: Review, card: Card) -> Labels:
    """The labels as they stand beside an item."""
    verdict = None if review.blind or card.verdict is None else card.verdict.label
    decided = card.decision.label if card.decision else None
    return Labels(review.labels, opinions_on(review, card), verdict, decided)


def title_of(review: Review) -> str:
    """What is done, in which project, in which order."""
    verb = "label" if review.seed else "review"
    return f"{verb} · {printable(review.title)} · {ORDERS.get(review.order, review.order)}"


def place_of(review: Review) -> str:
    """How far the sitting is."""
    total = len(review.queue)
    return f"{review.position + 1} of {total}" if review.position < total else f"all {total} seen"


def remark_on(review: Review, card: Card) -> str:
    """People's decisions on an item so far."""
    holds = card.decision
    parts: list[str] = []
    if holds is not None:
        who = ", ".join(answer.who for answer in card.answers if (answer.act, answer.label) == (holds.act, holds.label))
        by = f"{holds.who}, who adjudicated" if holds.adjudicates else who
        parts.append(f"{_said_of(review, holds)} by {by}")
    parts += [
        f"{_said_of(review, answer)} by {answer.who}"
        for answer in card.answers
        if holds is None or (answer.act, answer.label) != (holds.act, holds.label)
    ]
    if card.note:
        parts.append(f"note: {card.note}")
    return printable(" · ".join(parts))


def _said_of(review: Review, decision: Decision) -> str:
    return "ignored" if decision.label is None else f"labelled {review.labels.names[decision.label]}"


def shortened(opinions: Sequence[Opinion]) -> list[Opinion]:
    """The same with shorter names: of each its first word, and those that no other has."""
    parts = [opinion.name.split("-") for opinion in opinions]
    shared = {word for word, n in Counter(word for words in parts for word in set(words)).items() if n > 1}
    names = ["-".join([words[0], *(word for word in words[1:] if word not in shared)]) for words in parts]
    unique = len(set(names)) == len(names)
    return [Opinion(name if unique else o.name, o.scores) for name, o in zip(names, opinions, strict=True)]


def middle(text: str, width: int, keep: float = 0.5) -> str:
    """The text, cut in its middle to fit; ``keep``: the share of the cells that its beginning gets."""
    if cell_len(text) <= width:
        return text
    head = ceil((width - 1) * keep)
    tail = width - 1 - head
    return set_cell_size(text, max(head, 0)).rstrip() + "…" + (text[-tail:] if tail > 0 else "")


def bar(share: float, width: int) -> str:
    """A bar of block characters; what is above half a percent is visible."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    if not eighths and share >= 0.005:
        eighths = 1
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def key_range(labels: int) -> str:
    """The keys of so many labels, for people: 1-6, or 1-9 a-z."""
    if labels <= 9:
        return f"1-{labels}"
    last = min(labels, len(KEYS))
    ranges = ["1-9", f"a-{KEYS[min(last, len(_KEYS)) - 1]}", *([f"A-{KEYS[last - 1]}"] if last > len(_KEYS) else [])]
    return " ".join(ranges)


def _share(scores: FloatArray | None, k: int, width: int) -> str:
    """One cell of the table: a bar, and the percentage where there is room for it."""
    if scores is None:
        return "…" if k == 0 else ""
    share = float(scores[k])
    if width < 9:
        return bar(share, width)
    return f"{bar(share, width - 5):{width - 5}} {_percent(scores, k):>4}"


def _percent(scores: FloatArray | None, k: int) -> str:
    return "" if scores is None or scores[k] < 0.005 else f"{scores[k]:.0%}"
