"""Guidelines in the prompt: the seeds say whether they help the LLMs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from doubles import FakeLLM, answers, heard
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.insight.rerun import rerun
from mollia_cli.loop.needed import fit_seeds
from mollia_cli.loop.round import advance
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.loop.shots import settle_prompt
from mollia_cli.project.context import Project
from mollia_cli.project.observe import annotate
from mollia_cli.project.panel import preview
from mollia_cli.store.project_files import read_settings

MakeProject = Callable[..., Project]


@pytest.fixture
def guided(make_project: MakeProject) -> Project:
    """A project with guidelines, and no worked examples, whose use by the LLMs is to be chosen."""
    project = make_project()
    (project.root / "guidelines.md").write_text("Red is for stop.\n")
    assert project.settings.annotate.guidelines == "auto" and project.settings.annotate.shots == 0
    return project


@pytest.mark.parametrize(("without", "with_them", "kept"), [(5, 16, True), (16, 5, False), (9, 10, False)])
def test_guidelines_are_read_where_the_seeds_gain_by_them(
    guided: Project, fake_llm: type[FakeLLM], without: int, with_them: int, kept: bool
) -> None:
    fake_llm.queue.extend([*answers(guided, without), *answers(guided, with_them)])
    said = heard(guided)
    assert settle_prompt(guided)
    path = guided.root / "mollia.toml"
    assert f"\nguidelines = {str(kept).lower()} # chosen on the seeds\n" in path.read_text()
    assert guided.settings.annotate.guidelines is kept is read_settings(path).annotate.guidelines
    assert said[0].startswith("choosing annotate.guidelines: fake-llm read 18 seeds with and without guidelines.md")
    assert said[1].startswith(f"annotate.guidelines = {str(kept).lower()}, chosen on 18 seeds")
    assert f"{with_them / 18:.3f} with guidelines.md, {without / 18:.3f} without" in said[1]
    assert len(fake_llm.asked) == 2 * 18 and not settle_prompt(guided)


def test_guidelines_are_a_part_of_who_an_annotator_is(guided: Project, fake_llm: type[FakeLLM]) -> None:
    seeds = [item.id for item in fit_seeds(guided)]
    keys = set()
    for text in ("Red is for stop.", "Red is for danger."):
        (guided.root / "guidelines.md").write_text(text)
        for use in (False, True):
            guided.use_annotation(guidelines=use)
            keys.add(annotate(guided, seeds)[0].key)
            (shown,) = (prompt for _, prompt in preview(guided, seeds[0]))
            assert shown.startswith(f"Guidelines:\n{text}\n\n") is use and (text in shown) is use
    assert len(keys) == 3


def test_guidelines_wanted_and_missing_are_named(guided: Project, fake_llm: type[FakeLLM]) -> None:
    (guided.root / "guidelines.md").unlink()
    settle_prompt(guided)
    assert not fake_llm.asked and guided.settings.annotate.guidelines == "auto"
    guided.use_annotation(guidelines=True)
    with pytest.raises(NotFoundError, match=r"annotate.guidelines is true, and .*guidelines.md is missing or empty"):
        annotate(guided, [item.id for item in fit_seeds(guided)])


def test_a_run_and_its_repetition_have_the_guidelines(guided: Project, fake_llm: type[FakeLLM]) -> None:
    fake_llm.queue.extend([*answers(guided, 5), *answers(guided, 16)])
    run_rounds(guided, *open_run(guided, "a", rounds=1), 1)
    record = guided.store.runs.record("a")
    assert record is not None and record["settings"]["annotate"]["guidelines"] is True
    assert record["guidelines"] == "Red is for stop."
    (guided.root / "guidelines.md").write_text("Something else.")
    assert rerun(guided, "a").same


def test_a_run_that_began_without_guidelines_goes_on_without(guided: Project, fake_llm: type[FakeLLM]) -> None:
    (guided.root / "guidelines.md").unlink()
    run_rounds(guided, *open_run(guided, "a", rounds=1), 1)
    (guided.root / "guidelines.md").write_text("Red is for stop.\n")
    asked = len(fake_llm.asked)
    advance(guided, *open_run(guided, "a", rounds=2))
    assert guided.settings.annotate.guidelines == "auto"
    assert not {item.id for item in fit_seeds(guided)}.intersection(fake_llm.asked[asked:])


def test_too_few_seeds_for_guidelines_are_said(guided: Project, fake_llm: type[FakeLLM]) -> None:
    guided.store._db.execute(
        "UPDATE items SET split = 'test' WHERE id IN (SELECT id FROM items WHERE split = 'seed' LIMIT 7)"
    )
    said = heard(guided)
    assert not settle_prompt(guided) and not fake_llm.asked
    assert said == [
        "the LLMs read without guidelines.md: whether it helps them cannot be known from 11 labelled seeds"
        " (12 or more: mollia label --seed 50; or set annotate.guidelines to true or false)"
    ]


def test_init_copies_guidelines(tmp_path: Path) -> None:
    (tmp_path / "how.txt").write_text("Red is for stop.\n")
    typed = ["init", str(tmp_path / "p"), "--labels", "red,green", "--guidelines"]
    empty = CliRunner().invoke(app, [*typed, "/dev/null"]).exception
    assert isinstance(empty, InputError) and empty.message == "the guidelines /dev/null are empty"
    done = CliRunner().invoke(app, [*typed, str(tmp_path / "how.txt")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "p" / "guidelines.md").read_text() == "Red is for stop.\n"
    assert 'guidelines = "auto"' in (tmp_path / "p" / "mollia.toml").read_text()
