"""A text may have several labels: each is a yes/no question, and all that is known of one label holds of each."""

import csv
import json
import re
import runpy
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles import FakeLLM, fake_file, stand_in, tiny_encoder
from typer.testing import CliRunner

from mollia_cli.annotators import ANNOTATORS
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.members import MemberSpec
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.questions import YES
from mollia_cli.domain.settings import PanelSettings
from mollia_cli.insight.export import export_labels
from mollia_cli.insight.multilabel import evaluate_sets, labelled_sets
from mollia_cli.insight.sql import ask
from mollia_cli.insight.status import next_step, status
from mollia_cli.loop.multilabel import aggregate_sets
from mollia_cli.loop.needed import next_items
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.ingest import ingest
from mollia_cli.project.observe import annotate
from mollia_cli.project.questions import by_question

NAMES = ("billing", "delivery", "praise")
EXAMPLE = Path(__file__).parents[2] / "examples" / "multilabel"
run = CliRunner().invoke


class AskedLLM(FakeLLM):
    """Answers what it is asked: yes where the text names the label, one time in twelve the contrary."""

    def _observation(self, item: Item) -> Observation:
        (asked,) = re.findall(r"Label: (\w+)", self._prompt.after)
        self.asked.append(f"{asked} {item.id}")
        self.read[f"{asked} {item.id}"] = self._prompt.halves[self.half_of(item)].shots
        contrary = np.random.default_rng([*item.text.encode(), *asked.encode()]).random() < 1 / 12
        p = np.array([0.2, 0.8]) if (asked in item.text) != contrary else np.array([0.8, 0.2])
        return Observation(item.id, np.log(p), p, 1.0, 0.0, tokens=5)


def rows_of(start: int, size: int) -> list[dict[str, Any]]:
    """Messages with none to three of the labels, which they name."""
    sets = [chosen for n in range(4) for chosen in combinations(NAMES, n)]
    return [
        {"id": f"i{n:03d}", "text": f"message {n} of {' '.join(sets[n % 8])}", "labels": list(sets[n % 8])}
        for n in range(start, start + size)
    ]


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """40 seed, 60 pool and 40 test items of a project with three labels."""
    stand_in(monkeypatch, ANNOTATORS, "llama", type("AskedLLM", (AskedLLM,), {"asked": [], "read": {}, "queue": []}))
    llm, encoder = fake_file(tmp_path, "llm"), tiny_encoder(tmp_path / "encoder")
    labels = LabelSet(NAMES, ("about money", "", ""))
    settings = new_settings(labels, panel=[str(llm)], encoder=str(encoder), multilabel=True)
    create(tmp_path / "p", replace(settings, panel=PanelSettings((MemberSpec(str(llm)),))))
    with Project.open_any(tmp_path / "p") as project:
        for split, start, size in (("seed", 0, 40), ("pool", 40, 60), ("test", 100, 40)):
            source = tmp_path / f"{split}.jsonl"
            source.write_text("\n".join(map(json.dumps, rows_of(start, size))))
            assert ingest(project, source, split, name=source.name).added == size
        yield project


def annotated(project: Project) -> Project:
    for seen in by_question(project):
        annotate(seen, next_items(seen))
    return project


def test_labels_are_imported_as_lists_or_with_semicolons(several: Project, tmp_path: Path) -> None:
    source = tmp_path / "more.csv"
    source.write_text('text,labels\na,billing; praise\nb,[]\nc,"[""praise""]"\nd,\ne,praise;bills\nf,[praise\n')
    report = ingest(several, source, "pool", name="more.csv")
    assert report.added == 4
    assert report.by_label == {"billing": 1, "praise": 2}
    assert report.unlabelled == 1
    found = {item.text: item.labels for item in several.store.items.in_split("pool")}
    assert [found[text] for text in "abcd"] == [(0, 2), (), (2,), None]
    unknown, broken = (problem.message for problem in report.problems)
    assert "'bills' is not one of the project's labels" in unknown
    assert "no JSON array" in broken


def test_a_seed_needs_its_labels_and_another_set_is_named(several: Project, tmp_path: Path) -> None:
    source = tmp_path / "more.csv"
    source.write_text(f"text,labels\nnew,\n{rows_of(0, 5)[4]['text']},praise\n{rows_of(0, 1)[0]['text']},praise\n")
    report = ingest(several, source, "seed", name="more.csv")
    assert report.added == 0
    assert [problem.message for problem in report.problems] == [
        "no label (rows imported as seed need one; [] says that none of the labels applies)",
        "the text is item i004 in seed, labelled 'billing', 'delivery', here 'praise'; it is left as it is",
        "the text is item i000 in seed, labelled with none of them, here 'praise'; it is left as it is",
    ]


def test_a_list_of_labels_is_still_wrong_where_a_text_has_one(make_project: Any, tmp_path: Path) -> None:
    source = tmp_path / "more.jsonl"
    source.write_text(json.dumps({"text": "a", "label": ["billing"]}))
    (problem,) = ingest(make_project(), source, "pool", name="more.jsonl").problems
    assert "the label is a list" in problem.message


def test_every_label_is_asked_about_and_has_annotators_of_its_own(several: Project) -> None:
    annotated(several)
    llm = ANNOTATORS.load("llama")
    assert len(llm.asked) == len(set(llm.asked)) == 3 * 100  # seeds and pool
    llm.asked.clear()
    annotated(several)
    assert not llm.asked
    assert [(a.question, a.items) for a in status(several).annotators] == [(name, 100) for name in NAMES]
    answers = "select question, avg(is_right) as share, min(true_label) as no from annotator_answers group by question"
    for row in ask(several, answers).rows:
        assert row["no"] == "no"
        assert 0.8 < row["share"] < 1.0


def test_the_prompt_names_the_label_and_worked_examples_say_yes_and_no(several: Project) -> None:
    several.use_annotation(shots=4)
    annotated(several)
    shots = ANNOTATORS.load("llama").read["praise i050"]
    assert {answer for _, answer in shots} == {"no", "yes"}
    assert all((answer == "yes") == ("praise" in text) for text, answer in shots)
    assert by_question(several)[0].question.words == "billing (about money)"  # type: ignore[union-attr]


def test_the_sets_are_better_than_what_the_llm_answers(several: Project) -> None:
    found, fits = aggregate_sets(annotated(several))
    assert len({fit.fit.id for fit in fits}) == 3
    assert found.labels.shape == (60, 3)
    gold = np.array([[name in text for name in NAMES] for text in _texts(several, found.ids)])
    assert (found.labels == gold).mean() > 0.85
    assert ((found.probabilities > 0.5) == found.labels).all()
    scores = {score.name: score for score in evaluate_sets(several, aggregators=("mixture", "vote"))}
    assert scores["llm"].items == 40
    assert scores["vote"].micro_f1 == scores["llm"].micro_f1 > 0.8
    assert scores["mixture"].by_label.keys() == set(NAMES)


def test_scores_of_sets_by_hand(several: Project) -> None:
    (llm, *_) = evaluate_sets(several, aggregators=("vote",))
    annotators = [row["key"] for row in several.store.observations.summary()]
    test = several.store.items.in_split("test")
    given = np.zeros((40, 3), dtype=bool)
    for k, key in enumerate(annotators):
        seen = several.store.observations.get(key, [item.id for item in test])
        given[:, k] = [seen[item.id].log_probs.argmax() == YES for item in test]
    gold = np.array([[k in (item.labels or ()) for k in range(3)] for item in test])
    both, either = (gold & given).sum(axis=0), gold.sum(axis=0) + given.sum(axis=0)
    assert llm.micro_f1 == pytest.approx(2 * both.sum() / either.sum())
    assert llm.macro_f1 == pytest.approx(np.mean(2 * both / either))
    assert llm.exact == pytest.approx((gold == given).all(axis=1).mean())
    assert llm.by_label == pytest.approx(dict(zip(NAMES, 2 * both / either, strict=True)))


def test_what_is_exported_is_what_sql_says_and_comes_in_again(several: Project, tmp_path: Path) -> None:
    aggregate_sets(annotated(several))
    rows = {row["id"]: row for row in labelled_sets(several)}
    assert len(rows) == 100
    assert rows["i004"]["labels"] == ["billing", "delivery"]
    assert rows["i004"]["probabilities"] == {"billing": 1.0, "delivery": 1.0, "praise": 0.0}
    assert (rows["i004"]["confidence"], rows["i004"]["source"]) == (1.0, "gold")
    for row in rows.values():
        sure = [max(p, 1 - p) for p in row["probabilities"].values()]
        assert row["confidence"] == pytest.approx(min(sure), abs=1e-6)
    for row in ask(several, "select * from labelled_items").rows:
        exported = rows.pop(row["id"])
        assert sorted(json.loads(row["label"])) == sorted(exported["labels"])
        assert row["confidence"] == pytest.approx(exported["confidence"], abs=1e-6)
        assert row["source"] == exported["source"]
    assert not rows
    assert export_labels(several, tmp_path / "out.csv") == 100
    assert ingest(several, tmp_path / "out.csv", "pool", name="out.csv").duplicates > 60  # and no other set of a seed
    with pytest.raises(InputError, match="prodigy is not for several labels yet"):
        export_labels(several, tmp_path / "out", "prodigy")


def test_a_later_aggregation_of_all_labels_takes_the_place_of_the_one_before(several: Project) -> None:
    aggregate_sets(annotated(several))
    aggregate_sets(several, "vote")
    assert {row["source"] for row in labelled_sets(several)} == {"gold", "vote"}
    assert len(list(ask(several, "select * from current_verdicts").rows)) == 180
    assert next_step(status(several)).startswith("mollia export labels")
    assert several.store.verify().findings == []


def test_a_label_without_examples_is_named(several: Project, tmp_path: Path) -> None:
    keep = [row["id"] for row in rows_of(0, 40) if "praise" in row["labels"]]
    several.store.forget(keep)
    annotated(several)
    with pytest.raises(InputError, match="no seed item is labelled with praise; mixture needs one"):
        aggregate_sets(several)
    assert len(aggregate_sets(several, "vote")[0].ids) == 60


def test_what_answers_no_question_is_refused_as_a_member(several: Project) -> None:
    with pytest.raises(InputError, match="'lab' \\(replay\\) answers no yes/no question"):
        by_question(several.with_panel((MemberSpec("lab", "replay", {"file": "x.npy"}),)))


def test_the_commands_from_annotate_to_export(several: Project) -> None:
    def typed(line: str) -> Any:
        done = run(app, [*line.split(), "-p", str(several.root)])
        assert done.exit_code == 0, (line, done.exception, done.output)
        return done.stdout

    answers = [json.loads(line) for line in typed("annotate --split pool").splitlines()]
    assert len(answers) == 3 * 60
    assert answers[0]["question"] == "billing"
    assert answers[0]["votes"].keys() == {"no", "yes"}
    typed("annotate")
    sets = {row["id"]: row for row in map(json.loads, typed("aggregate").splitlines())}
    assert sets.keys() == {f"i{n:03d}" for n in range(40, 100)}
    exported = [json.loads(line) for line in typed("export labels").splitlines()]
    assert {row["id"]: row["labels"] for row in exported if row["id"] in sets} == {
        item_id: row["labels"] for item_id, row in sets.items()
    }
    assert all(row["probabilities"] == sets[row["id"]]["probabilities"] for row in exported if row["id"] in sets)
    scores = json.loads(typed("evaluate -n 20"))
    assert {score["name"] for score in scores} >= {"llm", "vote", "mixture"}
    assert scores[0].keys() == {"kind", "name", "items", "micro_f1", "macro_f1", "exact", "by_label"}
    shown = json.loads(typed("prompt show i050 --json"))
    assert [name for name in NAMES for seen in shown if f"Label: {name}" in seen["prompt"]] == list(NAMES)
    for line in ("status", "status --json", "panel list", "sql", "verify", "forget i050 --yes"):
        typed(line)
    assert run(app, ["doctor", "-p", str(several.root), "--json"]).exception is None


@pytest.mark.proof
def test_the_example_with_a_real_llm(tmp_path: Path, test_llm: Path, test_encoder: Path) -> None:
    member = {"name": "sentences", "kind": "encoder", "model": str(test_encoder)}
    labels = LabelSet(("billing", "delivery", "account", "refund", "praise"))
    settings = new_settings(
        labels, "message", panel=[str(test_llm), member], encoder=str(test_encoder), multilabel=True
    )
    create(tmp_path / "shop", settings)
    with Project.open_any(tmp_path / "shop") as project:
        project.use_annotation(votes="exact")
        for split, size in (("seed", 30), ("pool", 10), ("test", 20)):
            rows = (EXAMPLE / f"{split}.csv").read_text(encoding="utf-8").splitlines()[: size + 1]
            (tmp_path / f"{split}.csv").write_text("\n".join(rows))
            assert ingest(project, tmp_path / f"{split}.csv", split, name=split).added == size
        scores = {score.name: score for score in evaluate_sets(project, aggregators=("mixture",))}
        print(json.dumps({name: [score.micro_f1, score.macro_f1, score.exact] for name, score in scores.items()}))
        aggregate_sets(project)
        assert len(list(labelled_sets(project))) == 40
    assert scores["mixture"].micro_f1 > scores[test_llm.stem].micro_f1


OTHERS = (
    "review --plain",
    "label --seed 5 --plain",
    "run",
    "round",
    "train",
    "select",
    "predict texts.txt",
    "estimate",
    "report",
    "explain i001",
    "compare",
    "generate --label billing",
    "export dataset -o out",
    "aggregate --cascade a,b",
    "annotate --cascade a,b",
    "aggregate --target-precision 0.9",
    "aggregate --summary",
    "annotate --shots -1",
)


@pytest.mark.parametrize("line", OTHERS)
def test_what_is_for_one_label_alone_says_so(several: Project, line: str) -> None:
    command, *rest = line.split()
    words = [*command.split(), *rest]
    at = 2 if command == "export" else 1
    done = run(app, [*words[:at], "-p", str(several.root), *words[at:]])
    assert isinstance(done.exception, RefusedError | SystemExit), done.output
    said = f"{done.exception} {done.output}"
    assert "several labels" in said, said
    assert "docs/multilabel.md" in getattr(done.exception, "hint", done.output)


def test_the_api_and_the_papers_values_are_for_one_label(several: Project, tmp_path: Path) -> None:
    from mollia_cli import Project as Api

    with pytest.raises(RefusedError, match="several labels"):
        Api.open(several.root)
    done = run(app, ["init", str(tmp_path / "q"), "--labels", "a,b", "--multilabel", "--paper"])
    assert "exclude each other" in f"{done.exception} {done.output}"


def test_the_example_is_what_its_script_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "make.py"
    script.write_text((EXAMPLE / "make.py").read_text(encoding="utf-8"))
    monkeypatch.setattr(sys, "argv", [str(script)])
    runpy.run_path(str(script), run_name="__main__")
    for split in ("seed", "pool", "test"):
        assert (tmp_path / f"{split}.csv").read_bytes() == (EXAMPLE / f"{split}.csv").read_bytes()
    with (EXAMPLE / "test.csv").open(encoding="utf-8") as file:
        tested = {row["text"] for row in csv.DictReader(file)}
    with (EXAMPLE / "pool.csv").open(encoding="utf-8") as file:
        assert not tested & {row["text"] for row in csv.DictReader(file)}


def _texts(project: Project, ids: Any) -> list[str]:
    return [item.text for item in project.store.items.get(list(ids))]
