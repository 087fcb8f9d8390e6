"""Worked examples: each half of the items is read with seeds of the other, and no seed is lost for it."""

from collections.abc import Callable

import pytest
from doubles import FakeLLM
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.items import Item
from mollia_cli.domain.printable import count
from mollia_cli.project.context import Project
from mollia_cli.project.observe import annotate, members
from mollia_cli.project.panel import say_few_examples, worked_examples

MakeProject = Callable[..., Project]


def with_shots(project: Project, shots: int) -> list[str]:
    """Sets the number of worked examples; what is said from then on."""
    project.use_annotation(shots=shots)
    said: list[str] = []
    project.say = said.append
    return said


def add_seeds(project: Project, labels: list[int]) -> None:
    items = [Item(f"new{n}", f"a new text {n}", "seed", label) for n, label in enumerate(labels)]
    with project.store.transaction():
        project.store.items.add(items, "more")


def test_halves_take_turns_within_each_label(observed: Project) -> None:
    said = with_shots(observed, 6)
    by_label: dict[str, list[str]] = {name: [] for name in observed.labels.names}
    for item in observed.store.items.in_split("seed"):
        assert item.label is not None
        by_label[observed.labels.names[item.label]].append(item.text)
    names = [*observed.labels.names, *observed.labels.names[:2]]
    first, second = worked_examples(observed)
    assert first == tuple((by_label[name][0 if n < 4 else 2], name) for n, name in enumerate(names))
    assert second == tuple((by_label[name][1 if n < 4 else 3], name) for n, name in enumerate(names))
    assert not said


def test_no_item_is_read_with_its_own_label(make_project: MakeProject, fake_llm: type[FakeLLM]) -> None:
    project = make_project()
    said = with_shots(project, 3)
    items = [item for split in ("seed", "pool", "test") for item in project.store.items.in_split(split)]
    annotate(project, [item.id for item in items])
    first, second = worked_examples(project)
    assert len(first) == len(second) == 3 and not {*first} & {*second}
    used = [fake_llm.read[item.id] for item in items]
    assert len(used) == len(items)
    assert {*used} == {first, second}
    assert 0.3 < used.count(first) / len(used) < 0.7
    for item, examples in zip(items, used, strict=True):
        assert item.text not in dict(examples)
    assert not any("worked examples" in remark for remark in said)


def test_later_seeds_change_nothing_and_other_examples_everything(observed: Project) -> None:
    with_shots(observed, 6)
    examples, before = worked_examples(observed), members(observed)
    add_seeds(observed, [0, 1, 2, 3] * 3)
    assert worked_examples(observed) == examples and members(observed) == before
    corrected = next(item for item in observed.store.items.in_split("seed") if item.text == examples[1][0][0])
    assert corrected.label is not None
    observed.store.decisions.add(Decision(corrected.id, LABEL, "anna", (corrected.label + 1) % 4, seed=True))
    assert not {m.key for m in members(observed)} & {m.key for m in before}


@pytest.mark.parametrize(
    ("labels", "size"), [([], 0), ([0], 0), ([0, 1, 2], 0), ([0, 0], 1), ([0, 1, 0, 1, 1], 2), ([0, 0, 0, 0, 0], 2)]
)
def test_too_few_seeds_make_fewer_examples(observed: Project, labels: list[int], size: int) -> None:
    observed.store._db.execute("UPDATE items SET split = 'test' WHERE split = 'seed'")
    add_seeds(observed, labels)
    said = with_shots(observed, 4)
    members(observed)
    assert [len(half) for half in worked_examples(observed)] == [size, size]
    assert not said  # nothing is read
    for _ in range(2):
        say_few_examples(observed)
    assert said == [
        f"{count(size, 'worked example')} in the prompt instead of 4: each half of the items is read with seeds of the"
        " other half, and there are no more of them (label some: mollia label --seed 50)"
    ]


def test_what_an_item_is_read_with_is_shown(make_project: MakeProject) -> None:
    project = make_project()
    settings = project.root / "mollia.toml"
    settings.write_text(settings.read_text().replace("shots = 0", "shots = 3"))
    seeds = project.store.items.in_split("seed")
    project.use_annotation(shots=3)
    example = next(item for item in seeds if item.text in dict(worked_examples(project)[0]))
    result = CliRunner().invoke(app, ["prompt", "show", example.id, "-p", str(project.root)])
    assert result.exit_code == 0, result.output
    assert "half of the texts are read with these worked examples" in result.stderr
