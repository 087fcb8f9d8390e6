"""The full-screen form of ``mollia review``, with textual."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.screen import ModalScreen, Screen
from textual.suggester import SuggestFromList
from textual.widgets import Input, Label, Static

from mollia_cli.cli.review_acts import KEY_MEANINGS, QUESTIONS, Acts
from mollia_cli.cli.review_view import KEYS, key_range, labels_of, place_of, remark_on, title_of
from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.items import Item
from mollia_cli.domain.printable import printable
from mollia_cli.insight.review import Card, Review

# What is not the labels' on a screen: head, rules, at least five lines of text, two lines at the bottom.
_OTHER_LINES = 12


class Reading(VerticalScroll, can_focus=True, inherit_bindings=False):
    """What may be longer than its room; it takes the keys that scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_up", show=False),
        Binding("down", "scroll_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
        Binding("home", "scroll_home", show=False),
        Binding("end", "scroll_end", show=False),
    ]


class ReviewScreen(Screen[None]):
    """One item at a time: its text above, labels and predictions below."""

    # All with priority: they act at once, in the order of the keys, however fast those come over a slow line.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, action, show=False, priority=True)
        for key, action in (
            ("space,right", "skip"),
            ("left", "back"),
            ("u,backspace", "undo"),
            ("i", "ignore"),
            ("n", "note"),
            ("slash", "find"),
            ("colon", "name"),
            ("question_mark,f1", "help"),
            ("escape", "give_up"),
            ("q", "leave"),
            *((key, f"label({label})") for label, key in enumerate(KEYS)),
        )
    ]

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.review = review
        self._acts = Acts(review)
        self.card: Card | None = None
        self._reading = False
        self._use: Callable[[str], str] | None = None  # what becomes of the answer that is being typed

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        with Reading(id="text"):
            yield Static(id="words")
        yield Static(id="mark")
        with Reading(id="panel"):
            yield Static(id="labels")
        yield Static(id="said")
        yield Static(id="keys")
        # always there, only hidden: keys that come in fast find it in its place
        yield Label(id="question", markup=False)
        yield Input(id="answer", compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        self.action_give_up()
        self.show_card()

    def on_resize(self, event: Resize) -> None:
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While an answer is typed, keys are letters of it."""
        return self._use is None or action == "give_up"

    def action_label(self, label: int) -> None:
        if self.card is not None and label < len(self.review.labels):
            self.show_card(self._acts.label(label))

    def action_leave(self) -> None:
        self.app.exit()

    def action_skip(self) -> None:
        self.review.skip()
        self.show_card()

    def action_back(self) -> None:
        self.review.skip(-1)
        self.show_card()

    def action_ignore(self) -> None:
        if self.card is not None:
            self.show_card(self._acts.ignore())

    def action_undo(self) -> None:
        self.show_card(self._acts.undo())

    def action_note(self) -> None:
        if self.card is not None:
            self._ask("note", self._acts.note, value=printable(self.card.note))

    def action_find(self) -> None:
        self._ask("find", self._acts.find)

    def action_name(self) -> None:
        if self.card is not None:
            self._ask("name", self._acts.name, names=self.review.labels.names)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The answer to what was asked below."""
        use = self._use
        self.action_give_up()
        if use is not None:
            self.show_card(use(event.value))

    def action_help(self) -> None:
        self.app.push_screen(Help(help_text(self.review)))

    def show_card(self, said: str = "") -> None:
        """Draw the item whose turn it is, from its first line."""
        self.card = self.review.card
        self.query_one("#said", Static).update(Text(said, style="dim", overflow="ellipsis", no_wrap=True))
        self.query_one("#text", Reading).scroll_home(animate=False)
        self._draw()
        self._read_ahead()

    def _ask(self, question: str, use: Callable[[str], str], value: str = "", names: Sequence[str] = ()) -> None:
        self._use = use
        self.query_one("#question", Label).update(f"{QUESTIONS[question]}  (Enter keeps it, Escape gives it up)")
        answer = self.query_one("#answer", Input)
        answer.suggester = SuggestFromList(names, case_sensitive=False) if names else None
        answer.value = value
        self._show_question(True)
        answer.cursor_position = len(value)
        self.set_focus(answer)

    def action_give_up(self) -> None:
        self._use = None
        self._show_question(False)
        self.set_focus(self.query_one("#text"))

    def _show_question(self, shown: bool) -> None:
        """The question and its answer take the place of the last two lines."""
        for widget in ("#question", "#answer"):
            self.query_one(widget).display = shown
        for widget in ("#said", "#keys"):
            self.query_one(widget).display = not shown

    def _draw(self) -> None:
        review, card, width = self.review, self.card, max(self.size.width - 2, 20)
        self.query_one("#head", Static).update(_head(review, place_of(review), width))
        self.query_one("#keys", Static).update(_keys(review, width))
        mark, labels, panel = (
            self.query_one("#mark", Static),
            self.query_one("#labels", Static),
            self.query_one("#panel"),
        )
        if card is None:
            self.query_one("#words", Static).update("That was the last text.\n\nq ends, ← goes back.")
            mark.display = panel.display = False
            return
        # a Text, never markup: what stands in a text stays text
        self.query_one("#words", Static).update(Text(printable(card.item.text, keep="\n\t")))
        remark = remark_on(review, card)
        mark.display, panel.display = bool(remark), True
        mark.update(Text(remark, style="bold", overflow="ellipsis", no_wrap=True))
        rows = max(self.size.height - _OTHER_LINES, 4)
        labels.update(labels_of(review, card).draw(width, rows))

    def _read_ahead(self) -> None:
        items = [] if self._reading else self.review.unread()
        if items:
            self._reading = True
            self._read(items)

    @work(thread=True)
    def _read(self, items: Sequence[Item]) -> None:
        problem = ""
        try:
            self.review.read(items)
        except MolliaError as error:
            problem = error.message
        if self.app.is_running:
            self.app.call_from_thread(self._was_read, problem)

    def _was_read(self, problem: str) -> None:
        self._reading = bool(problem)  # a classifier that cannot be loaded is not asked again
        if problem:
            self.query_one("#said", Static).update(Text(f"no classifier: {printable(problem)}", no_wrap=True))
        else:
            self._draw()
            self._read_ahead()


class Help(ModalScreen[None]):
    """Guidelines, labels and keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,space,enter,question_mark,f1", "dismiss(None)", show=False)
    ]

    def __init__(self, text: Text) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with Reading(id="help"):
            yield Static(self._text)

    def on_mount(self) -> None:
        self.query_one(Reading).focus()


class ReviewApp(App[None]):
    """The program; it takes the terminal's own colours."""

    CSS_PATH = "review.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "interrupt", show=False, priority=True)]

    def __init__(self, review: Review) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.interrupted = False
        self._review = review

    def get_default_screen(self) -> Screen[None]:
        return ReviewScreen(self._review)

    def action_interrupt(self) -> None:
        self.interrupted = True
        self.exit()


def help_text(review: Review) -> Text:
    """Guidelines where there are some, the labels with their descriptions, and the keys."""
    text = Text()
    if review.guidelines:
        text.append("Guidelines\n", "bold").append(printable(review.guidelines, keep="\n\t") + "\n\n")
    text.append("Labels\n", "bold")
    for k, (name, description) in enumerate(zip(review.labels.names, review.labels.descriptions, strict=True)):
        text.append(f"{KEYS[k] if k < len(KEYS) else ' '}  ", "bold").append(printable(name))
        text.append(f"  {printable(description)}\n", "dim")
    text.append("\nKeys\n", "bold")
    for key, meaning in (
        *KEY_MEANINGS,
        ("↑ ↓ PgUp PgDn", "scroll a long text; Tab goes to the labels"),
        ("q", "quit; every decision is stored already"),
    ):
        text.append(f"{key:14} ", "bold").append(f"{meaning}\n")
    text.append("\n▸ the verdict   ✓ the label that a person gave", "dim")
    return text


def _head(review: Review, place: str, width: int) -> Text:
    left = title_of(review)
    right = f"{place} · {printable(review.who)}"
    return Text(left, style="bold").append(" " * max(width - len(left) - len(right), 2) + right, "not bold")


def _keys(review: Review, width: int) -> Text:
    text = Text(overflow="ellipsis", no_wrap=True)
    keys = [(key_range(len(review.labels)), "label"), ("space", "skip"), ("u", "undo"), ("i", "ignore"), ("n", "note")]
    for key, meaning in [*keys, ("/", "find"), ("?", "guidelines" if review.guidelines else "help"), ("q", "quit")]:
        text.append(key, "bold").append(f" {meaning}  ", "dim")
    return text
