"""What a person does with the item that is shown, in the terminal or in a browser; each act returns a line to show."""

from mollia_cli.domain.decisions import IGNORE, LABEL, Decision
from mollia_cli.domain.printable import count, printable
from mollia_cli.insight.review import Review

KEY_MEANINGS = (
    ("1-9 a-z A-Z", "give the label that has this key"),
    (":", "give a label by its name, or the start of it"),
    ("space →", "skip"),
    ("←", "back to the text before"),
    ("u backspace", "undo your last decision, and go to its text"),
    ("i", "ignore this text: it is left out of everything"),
    ("n", "write a note"),
    ("/", "find texts, labelled ones too"),
)
QUESTIONS = {"note": "Note on this text", "find": "Find texts with", "name": "Label by its name"}


class Acts:
    """The acts of one sitting. An answer that is no label changes nothing; the line says so."""

    def __init__(self, review: Review) -> None:
        self._review = review

    def label(self, label: int) -> str:
        return self._saved(self._review.label(label))

    def ignore(self) -> str:
        return self._saved(self._review.ignore())

    def note(self, answer: str) -> str:
        return self._saved(self._review.note(answer.strip()))

    def name(self, answer: str) -> str:
        label = self._review.labels.chosen(answer.strip())
        return f"{printable(answer)!r} is no label, or the start of several" if label is None else self.label(label)

    def find(self, answer: str) -> str:
        n = self._review.find(answer)
        what = printable(answer)
        return f"next: {count(n, 'text')} with {what!r}" if n else f"no text of the pool has {what!r}"

    def undo(self) -> str:
        undone = self._review.undo()
        return "there is nothing to undo" if undone is None else f"taken back: {self._words(undone)}"

    def _saved(self, decision: Decision) -> str:
        return f"saved: {self._words(decision)} · u takes it back"

    def _words(self, decision: Decision) -> str:
        if decision.act == LABEL and decision.label is not None:
            return printable(self._review.labels.names[decision.label])
        return "ignored" if decision.act == IGNORE else "note"
