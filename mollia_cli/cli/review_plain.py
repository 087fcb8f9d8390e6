"""The line-based form of ``mollia review``: for screen readers, simple terminals and scripts."""

import sys
from typing import Any

from mollia_cli.cli.common import emit
from mollia_cli.cli.review_view import Opinion, opinions_on, remark_on
from mollia_cli.domain.decisions import Decision
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.printable import count, printable, printable_json
from mollia_cli.insight.review import Card, Review

_HELP = """Answer with a label's number, its name or the start of it. An empty line skips. Or type:
/undo        take back your last decision, and go to its text
/ignore      leave this text out of everything
/note WORDS  write a note on this text
/find WORDS  go to the texts that have these words
/back        the text before
/help        guidelines, labels and this list
/quit        end; every decision is stored already"""


class PlainReview:
    """Puts items to whoever answers on stdin; questions go to stderr, each decision to stdout as a line of JSON."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self._line = 0
        self._asked = ""

    def run(self) -> None:
        """Go on to the end of the queue or of the input.

        An input without a line raises InputError; in a script, so does one that is no answer.
        """
        _tell("/help explains what to answer")
        while (card := self._review.card) is not None:
            if card.item.id != self._asked:
                self._ask(card)
            line = sys.stdin.readline()
            if not line and not self._line:
                raise InputError(
                    "standard input is empty: no answer was read", "pipe one answer a line; /help explains"
                )
            if not line:
                return
            self._line += 1
            words = line.strip()
            if words == "/quit":
                return
            self._answer(words)

    def _ask(self, card: Card) -> None:
        if items := self._review.unread():
            self._review.read(items)
        self._asked = card.item.id
        _tell(question(self._review, card))

    def _answer(self, words: str) -> None:
        review = self._review
        if not words:
            review.skip()
        elif words.startswith("/"):
            command, _, rest = words[1:].partition(" ")
            self._command(command, rest.strip())
        elif (label := review.labels.chosen(words)) is not None:
            self._made(review.label(label))
        else:
            self._refuse(f"{words!r} is no label, or the start of several")

    def _command(self, command: str, rest: str) -> None:
        review = self._review
        if command == "ignore":
            self._made(review.ignore())
        elif command == "note":
            self._made(review.note(rest))
        elif command == "back":
            review.skip(-1)
        elif command == "help":
            _tell(_help(review))
        elif command == "find":
            self._found(rest)
        elif command == "undo":
            self._undone(review.undo())
        else:
            self._refuse(f"no command is called /{command}")

    def _found(self, words: str) -> None:
        n = self._review.find(words)
        self._asked = ""
        _tell(f"next: {count(n, 'text')} with {words!r}" if n else f"no text of the pool has {words!r}")

    def _undone(self, decision: Decision | None) -> None:
        self._asked = ""
        if decision is None:
            _tell("there is nothing to undo")
        else:
            emit(printable_json({**self._record(decision), "undone": True}))

    def _made(self, decision: Decision) -> None:
        emit(printable_json(self._record(decision)))

    def _record(self, decision: Decision) -> dict[str, Any]:
        """A decision as it is printed; labels by name."""
        names = self._review.labels.names
        record: dict[str, Any] = {"id": decision.item_id, "act": decision.act, "who": decision.who, "at": decision.at}
        if decision.label is not None:
            record["label"] = names[decision.label]
        if decision.verdict is not None:
            record |= {"verdict": names[decision.verdict], "confidence": decision.confidence}
        if decision.adjudicates:
            record["adjudicates"] = True
        return record | ({"note": decision.note} if decision.note else {})

    def _refuse(self, problem: str) -> None:
        names = ", ".join(self._review.labels.names)
        if not sys.stdin.isatty():
            raise InputError(
                f"line {self._line} of the answers: {problem}", f"labels: {names}; what came before is stored"
            )
        _tell(f"{problem}; labels: {names}")


def question(review: Review, card: Card) -> str:
    """An item with everybody's prediction and the labels, in lines that can be read aloud."""
    names = review.labels.names
    lines = ["", f"{review.position + 1} of {len(review.queue)}, item {card.item.id}", card.item.text]
    lines += [_said(opinion, names) for opinion in opinions_on(review, card)]
    if remark := remark_on(review, card):
        lines.append(remark)
    lines.append(", ".join(f"{k} {name}" for k, name in enumerate(names, 1)))
    return "\n".join(lines)


def _said(opinion: Opinion, names: tuple[str, ...]) -> str:
    if opinion.scores is None:
        return f"{opinion.name}: unknown"
    best = opinion.scores.argsort()[::-1][:2]
    return f"{opinion.name}: " + ", ".join(f"{names[k]} {opinion.scores[k]:.0%}" for k in best)


def _help(review: Review) -> str:
    labels = zip(review.labels.names, review.labels.descriptions, strict=True)
    meanings = [f"{k} {name}: {text or 'no description'}" for k, (name, text) in enumerate(labels, 1)]
    return "\n".join([*filter(None, [review.guidelines]), *meanings, _HELP])


def _tell(text: str) -> None:
    print(printable(text, keep="\n"), file=sys.stderr, flush=True)
