"""``mollia annotate``: exact votes, the words of invalid answers, worked examples, and what it warns of."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from mollia_cli.cli.main import app
from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.project import observe as work
from mollia_cli.project.context import Project


@pytest.fixture
def annotate(make_real_project: Callable[..., Project]) -> Callable[..., tuple[list[dict[str, Any]], str]]:
    """Annotates the first texts of a small project's pool by command; the records, and what was said."""
    root = str(make_real_project().root)

    def run(*options: str) -> tuple[list[dict[str, Any]], str]:
        arguments = ["annotate", "--split", "pool", "--limit", "4", "--threads", "1", "-p", root, "--json", *options]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()], result.stderr

    return run


def numbers(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "answers"} for record in records]


@pytest.mark.proof
def test_votes_and_shots_make_other_observations(annotate: Callable[..., Any]) -> None:
    sampled, said = annotate()
    assert "--show-invalid" in said and "--shots 12" in said  # the test LLM puts little on these labels
    exact, _ = annotate("--votes", "exact")
    assert all(round(10 * vote, 6) % 1 == 0 for record in sampled for vote in record["votes"].values())
    assert any(round(10 * vote, 6) % 1 for record in exact for vote in record["votes"].values())
    for one, other in zip(sampled, exact, strict=True):
        assert one["log_probs"] == pytest.approx(other["log_probs"], abs=0.2)
    shown, said = annotate("--shots", "6")
    assert sum(r["mass"] for r in shown) > 2 * sum(r["mass"] for r in sampled)
    assert "--shots" not in said
    assert annotate()[0] == sampled


@pytest.mark.proof
def test_words_of_invalid_answers_come_without_changing_a_number(annotate: Callable[..., Any]) -> None:
    before, _ = annotate()
    assert any(record["invalid"] for record in before)
    after, _ = annotate("--show-invalid", "2")
    assert numbers(after) == numbers(before)
    for record in after:
        assert len(record.get("answers", [])) == min(2, round(10 * record["invalid"]))
    assert annotate("--show-invalid", "2")[0] == after


def test_what_is_new_and_what_people_have_labelled_elsewhere_is_said(make_project: Callable[..., Project]) -> None:
    project = make_project()
    first, second = project.store.items.ids("pool")[:2]

    def said(*options: str) -> list[str]:
        result = CliRunner().invoke(app, ["annotate", *options, "-p", str(project.root)])
        assert result.exit_code == 0, result.output
        return [line for line in result.stderr.splitlines() if "puts only" not in line]

    assert said("--split", "seed") == ["18 items annotated by fake-llm (18 new observations)"]
    for item_id in (first, second):  # as `mollia review` does
        project.store.decisions.add(Decision(item_id, LABEL, "anna", 0, chosen="doubt"))
    work.annotate(project, [second])
    assert said("--split", "seed") == [
        "18 items annotated by fake-llm (nothing new: all was observed before)",
        "not among them: 1 item of the pool that people have labelled; an aggregation learns from those, too:"
        " mollia annotate (without --split)",
    ]
    with pytest.raises(NotFoundError, match="1 of 20 labelled items were not annotated"):
        aggregate(project)
    said()
    assert said("--split", "seed") == ["18 items annotated by fake-llm (nothing new: all was observed before)"]
    aggregate(project)


def test_exact_votes_have_no_words(make_project: Callable[..., Project]) -> None:
    project = make_project()
    project.use_annotation(votes="exact")
    with pytest.raises(InputError, match="draw no answers"):
        work.annotate(project, project.store.items.ids("pool")[:1], show_invalid=1)


def test_an_unused_gpu_is_named_once(make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project()
    said: list[str] = []
    project.say = said.append
    monkeypatch.setattr(work, "unused_gpu", lambda: "the GPU sleeps")
    monkeypatch.setattr(work, "_ask", lambda *arguments: None)
    monkeypatch.setattr(work, "_warn", lambda *arguments: None)
    monkeypatch.setattr(work, "panel_annotators", lambda *arguments: [*panel(project), *panel(project)])
    work.annotate(project, project.store.items.ids("pool")[:1])
    assert said == ["the GPU sleeps"]


def panel(project: Project) -> list[Any]:
    from mollia_cli.project.panel import panel_annotators

    return panel_annotators(project)
