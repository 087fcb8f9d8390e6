"""Synthetic texts: apart from the items, like none of them, trained on only when asked for."""

import json
from collections.abc import Callable
from itertools import chain, islice, repeat

import pytest

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item, Synthetic
from mollia_cli.domain.similarity import grams, similar_to_any
from mollia_cli.insight.export import labelled_rows
from mollia_cli.insight.status import status
from mollia_cli.loop import generate as work
from mollia_cli.loop.generate import generate, synthetic_examples
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.select import select
from mollia_cli.loop.setup import open_run
from mollia_cli.project.context import Project

MakeProject = Callable[..., Project]


def test_similar_texts() -> None:
    assert grams("One, two THREE four") == {("one", "two", "three"), ("two", "three", "four")}
    assert grams("Hi!") == {("hi",)}
    texts = ["where is my invoice from may", "hi", "something else entirely, I think"]
    known = ["Where is my invoice from May?", "WHERE is my invoice, please", "Hi."]
    assert similar_to_any(texts, known) == {0, 1}
    # 2 of 5 runs shared: .4
    assert similar_to_any(["a b c d e"], ["a b c d x y"], 0.39) == {0}
    assert similar_to_any(["a b c d e"], ["a b c d x y"], 0.41) == set()


@pytest.mark.proof
def test_a_real_llm_writes_and_is_marked(make_real_project: MakeProject, capsys: pytest.CaptureFixture[str]) -> None:
    project = make_real_project()
    done = generate(project, "billing", 3)
    assert done.texts
    assert all(t.label == project.labels.index("billing") for t in done.texts)
    assert all(t.writer.startswith("smollm2-135m-instruct") for t in done.texts)
    assert not similar_to_any([t.text for t in done.texts], [i.text for i in project.store.items.in_split("pool")])
    assert status(project).synthetic == {"billing": len(done.texts)}
    counts = project.store.items.counts()
    assert {split: count["items"] for split, count in counts.items()} == {
        "seed": 18, "pool": 40, "validation": 6, "test": 12,
    }  # fmt: skip

    again = make_real_project("again")
    assert [t.text for t in generate(again, "billing", 3).texts] == [t.text for t in done.texts]

    app(["generate", "-p", str(project.root), "--label", "billing", "-n", "1", "--json"], standalone_mode=False)
    printed = capsys.readouterr()
    new = [json.loads(line) for line in printed.out.splitlines()]
    assert all(row["source"] == "synthetic" for row in new)
    assert not {row["text"] for row in new} & {t.text for t in done.texts}


def fake_writer(*batches: list[str]) -> Callable[..., object]:
    return lambda _path, _prompt, examples, *_, **__: islice(chain(batches, repeat([])), len(examples))


def test_what_is_there_already_is_thrown_away(make_real_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_real_project()
    known = project.store.items.in_split("test")[0].text
    new = "I was charged twice for the same scan last week"
    batch = [known.upper() + "!", "too short", new, new + " indeed"]
    monkeypatch.setattr(work, "write_texts", fake_writer(batch, [new]))
    done = generate(project, "billing", 5)
    assert [t.text for t in done.texts] == [new]
    assert (done.short, done.similar) == (1, 3)
    with pytest.raises(InputError, match="nobody"):
        generate(project, "billing", 1, "nobody")
    with pytest.raises(InputError, match="biling"):
        generate(project, "biling", 1)


def test_off_by_default_and_never_held_out(make_project: MakeProject) -> None:
    project = make_project()
    texts = [Synthetic(f"synthetic-{n}", f"text number {n} that an LLM wrote", n % 6, "llm") for n in range(6)]
    project.store.synthetic.add(texts, {})
    rows = list(labelled_rows(project))
    assert "synthetic" not in {row["source"] for row in rows}
    marked = list(labelled_rows(project, synthetic=True))
    assert [row["source"] for row in marked[len(rows) :]] == ["synthetic"] * 6

    options = {"annotator": "oracle", "strategy": "random", "rounds": 0}
    plain = run_rounds(project, *open_run(project, "plain", **options), 0)[0].metrics or {}
    more = run_rounds(project, *open_run(project, "more", **options, synthetic=True), 0)[0].metrics or {}
    assert "synthetic" not in plain
    assert more["synthetic"] == 6
    assert more["validation"] == plain["validation"]
    assert more["labelled"] == plain["labelled"]

    # a text that is imported as a test item later is not trained on any more
    with project.store.transaction():
        project.store.items.add([Item("late", "Text number 3, that an LLM wrote.", "test", 0)], "late")
    assert len(synthetic_examples(project).texts) == 5


@pytest.mark.usefixtures("llm_selector")
@pytest.mark.proof
def test_an_llm_answers_a_strategys_question(make_real_project: MakeProject) -> None:
    project = make_real_project()
    picks = select(project, "llm", 2)
    assert len(picks) == 2
    assert all(0 < pick.score < 1 for pick in picks)
    (said,) = project.store.observations.summary()
    assert said["name"].endswith(" (llm)")
    assert said["items"] == 20  # ten candidates for each pick
    assert select(project, "llm", 2) == picks
