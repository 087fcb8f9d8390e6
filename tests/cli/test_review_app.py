"""The full-screen review, by its keys, with textual's Pilot."""

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from mollia_cli.cli.review_app import Help, ReviewApp, ReviewScreen
from mollia_cli.domain.items import Item
from mollia_cli.insight.review import Review, open_labelling, open_review
from mollia_cli.project.context import Project

Script = Callable[[ReviewApp, Pilot[None]], Awaitable[None]]


def play(review: Review, script: Script, size: tuple[int, int] = (80, 24)) -> ReviewApp:
    """Run the app without a terminal while the script presses its keys."""
    app = ReviewApp(review)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await script(app, pilot)

    asyncio.run(run())
    return app


def lines(app: ReviewApp) -> list[str]:
    """The screen as text."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def screen(app: ReviewApp) -> str:
    return "\n".join(lines(app))


def test_one_key_labels_and_goes_on(observed: Project) -> None:
    review = open_review(observed, who="anna")
    first, second = review.queue[:2]

    async def script(app: ReviewApp, pilot: Pilot[None]) -> None:
        [text] = [item.text for item in observed.store.items.get([first])]
        assert text in screen(app)
        assert "1 of 200 · anna" in lines(app)[0]
        assert "verdict" in screen(app) and "ada" in screen(app) and "▸" in screen(app)
        await pilot.press("3")
        assert observed.store.decisions.labels() == {first: 2}
        assert "saved: blue" in screen(app)
        assert "2 of 200" in screen(app)
        await pilot.press("i")
        assert observed.store.decisions.ignored() == {second}
        await pilot.press("left", "left")
        assert "labelled blue by anna" in screen(app)
        assert "✓ 3  blue" in screen(app)
        await pilot.press("4")
        assert observed.store.decisions.labels() == {first: 3}
        await pilot.press("u", "u", "u")
        assert not observed.store.decisions.labels()
        assert not observed.store.decisions.ignored()
        assert "taken back: blue" in screen(app)
        await pilot.press("u")
        assert "nothing to undo" in screen(app)
        await pilot.press("5", "z", "0")  # no label has these keys
        assert not observed.store.decisions.all()
        await pilot.press("space", "q")

    app = play(review, script)
    assert not app.interrupted
    assert review.position == 1


def test_notes_search_and_names_are_typed_below(observed: Project) -> None:
    review = open_review(observed)
    first = review.queue[0]
    [text] = [item.text for item in observed.store.items.get([review.queue[7]])]

    async def script(app: ReviewApp, pilot: Pilot[None]) -> None:
        await pilot.press("n", *"ask 1", "enter")
        assert observed.store.decisions.note(first) == "ask 1"
        assert "note: ask 1" in screen(app)
        await pilot.press("n")
        assert app.screen.query_one(Input).value == "ask 1"
        await pilot.press("x", "escape")
        assert observed.store.decisions.note(first) == "ask 1"
        await pilot.press("colon", *"gree", "enter")  # of green and grey
        assert observed.store.decisions.labels() == {first: 1}
        await pilot.press("colon", *"gr", "enter")
        assert "'gr' is no label" in screen(app)
        await pilot.press("slash", *text, "enter")
        assert text in screen(app)
        assert "next: " in screen(app)
        await pilot.press("slash", *"nowhere", "enter")
        assert "no text of the pool has 'nowhere'" in screen(app)

    play(review, script)


def test_help_shows_guidelines_labels_and_keys(observed: Project) -> None:
    (observed.root / "guidelines.md").write_text("Red means \x1b[31mstop.")
    review = open_review(observed)

    async def script(app: ReviewApp, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        assert r"Red means \x1b[31mstop." in screen(app)
        assert "undo your last decision" in screen(app)
        await pilot.press("1")  # decides nothing here
        await pilot.press("q")
        assert isinstance(app.screen, ReviewScreen)

    play(review, script)
    assert not observed.store.decisions.all()


def test_texts_cannot_steer_the_terminal(observed: Project) -> None:
    hostile = "a\x1b[2Jb \u202edcba\u2066 [bold]c[/bold] \x07\x9b31m \x00e\u00a0f\nline two\ttab"
    with observed.store.transaction():
        observed.store.items.add([Item("hostile", hostile)], "made up")
    review = Review(observed, ["hostile"], "an\x1b[1mna", "doubt")

    async def script(app: ReviewApp, pilot: Pilot[None]) -> None:
        shown = screen(app)
        assert r"a\x1b[2Jb \u202edcba\u2066 [bold]c[/bold] \x07\x9b31m \x00e f" in shown
        assert "line two" in shown
        assert r"an\x1b[1mna" in shown
        assert not {c for c in shown if not c.isprintable()} - {"\n"}

    play(review, script)


def test_long_texts_scroll_from_their_beginning(observed: Project) -> None:
    with observed.store.transaction():
        texts = [Item(f"long{k}", "\n".join(f"line {k}.{n}" for n in range(200))) for k in range(2)]
        observed.store.items.add(texts, "made up")
    review = Review(observed, ["long0", "long1"], "anna", "doubt")

    async def script(app: ReviewApp, pilot: Pilot[None]) -> None:
        assert "line 0.0" in screen(app) and "line 0.30" not in screen(app)
        await pilot.press("pagedown", "pagedown", "down")
        await pilot.pause(0.3)
        assert "line 0.0 " not in screen(app)
        await pilot.press("end")
        await pilot.pause(0.3)
        assert "line 0.199" in screen(app)
        await pilot.press("1")
        await pilot.pause(0.3)
        assert "line 1.0" in screen(app)

    play(review, script)


@pytest.mark.parametrize("size", [(80, 24), (140, 45), (60, 18)])
def test_the_screen_has_room_for_text_and_labels(observed: Project, size: tuple[int, int]) -> None:
    review = open_review(observed)

    async def script(app: ReviewApp, pilot: Pilot[None]) -> None:
        drawn = lines(app)
        assert all(any(f" {k}  {name}" in line for line in drawn) for k, name in enumerate(review.labels.names, 1))
        assert "text" in drawn[2]
        assert "1-4 label" in drawn[-1]
        await pilot.resize_terminal(size[0] + 20, size[1])
        await pilot.pause()
        assert len(lines(app)[0].rstrip()) > size[0]

    play(review, script, size)


def test_behind_the_last_text_only_the_way_back_is_left(observed: Project) -> None:
    review = open_review(observed, limit=1)

    async def script(app: ReviewApp, pilot: Pilot[None]) -> None:
        await pilot.press("1")
        assert "That was the last text." in screen(app)
        assert "all 1 seen" in screen(app)
        await pilot.press("1", "i", "n", "colon")
        assert isinstance(app.screen, ReviewScreen)
        await pilot.press("left", "2")
        assert list(observed.store.decisions.labels().values()) == [1]

    play(review, script)


def test_seed_items_are_labelled_without_a_machines_opinion(observed: Project) -> None:
    review = open_labelling(observed, 70, "anna")

    async def script(app: ReviewApp, pilot: Pilot[None]) -> None:
        assert "ada" not in screen(app) and "▸" not in screen(app)
        assert "typical and random texts in turn" in screen(app)
        await pilot.press("2")
        assert len(observed.store.items.ids("seed")) == 61

    play(review, script)


def test_ctrl_c_ends_it_and_says_so(observed: Project) -> None:
    async def script(app: ReviewApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash")
        assert app.screen.query_one(Input).has_focus
        await pilot.press("ctrl+c")

    assert play(open_review(observed), script).interrupted


def test_the_classifiers_opinion_comes_when_it_has_read_the_text(observed: Project) -> None:
    """The classifier's part is played by numbers; tests/insight asks a real one."""
    review = open_review(observed)
    asked: list[list[str]] = []

    class Learner:
        def predict_proba(self, texts: list[str]) -> np.ndarray:
            asked.append(texts)
            return np.tile([0.0, 0.01, 0.0, 0.99], (len(texts), 1))

    review._load = Learner  # type: ignore[assignment]

    async def script(app: ReviewApp, pilot: Pilot[None]) -> None:
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "classifier" in screen(app) and "99%" in screen(app)
        await pilot.press(*["space"] * 9)
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "99%" in screen(app)

    play(review, script)
    assert len(asked) >= 2
    assert len({text for texts in asked for text in texts}) == sum(map(len, asked))  # nothing is read twice
