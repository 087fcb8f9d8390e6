"""The views that a person reads by SQL say what the commands say."""

import pytest

from mollia_cli.insight.export import labelled_rows
from mollia_cli.insight.sql import ask, tables
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.project import observe as annotation
from mollia_cli.project.context import Project
from mollia_cli.project.members import labelling


def test_labelled_items_are_what_is_exported(observed: Project) -> None:
    pool = observed.store.items.in_split("pool")
    aggregate(observed, ids=[item.id for item in pool[:150]])
    observed.ask = lambda question: "grey"
    person = observed.with_panel(labelling(observed.settings, "human"))
    annotation.known_labels(person, [item.id for item in pool[:2]])
    exported = {row["id"]: (row["label"], row["source"], row["confidence"]) for row in labelled_rows(observed)}
    assert {source for _, source, _ in exported.values()} == {"gold", "human", "conditional_logit"}
    for row in ask(observed, "select * from labelled_items").rows:
        label, source, confidence = exported.pop(row["id"])
        assert (row["label"], row["source"]) == (label, source)
        assert row["confidence"] == pytest.approx(confidence, abs=1e-6)
    assert not exported
    right = "select avg(is_right) as share from current_verdicts where item not in ('i060', 'i061')"
    gold = {item.id: observed.labels.names[item.label or 0] for item in pool}
    verdicts = [row for row in labelled_rows(observed) if row["source"] == "conditional_logit"]
    (share,) = (row["share"] for row in ask(observed, right).rows)
    assert share == pytest.approx(sum(row["label"] == gold[row["id"]] for row in verdicts) / len(verdicts))


def test_annotators_answers_in_words(observed: Project) -> None:
    member = annotation.members(observed)[1]
    ids = observed.store.items.ids("pool")
    seen = observed.store.observations.get(member.key, ids)
    found = ask(observed, "select * from annotator_answers where annotator = 'bob' and split = 'pool'")
    for row in found.rows:
        best = int(seen[row["item"]].log_probs.argmax())
        assert (row["kind"], row["label"]) == ("gguf", observed.labels.names[best])
        assert row["log_prob"] == pytest.approx(seen[row["item"]].log_probs[best], abs=1e-6)
        assert row["vote_share"] == pytest.approx(seen[row["item"]].votes[best], abs=1e-6)
        assert row["is_right"] == (row["label"] == row["true_label"])
        ids.remove(row["item"])
    assert not ids
    costs = {row["annotator"]: row["items"] for row in ask(observed, "select * from annotator_costs").rows}
    assert costs == {"ada": 260, "bob": 260, "cyd": 260}


def test_without_a_query_the_tables_are_listed(observed: Project) -> None:
    rows = list(tables().rows)
    assert {"items", "observations", "verdicts"} <= {row["name"] for row in rows}
    for row in rows:
        found = ask(observed, f"select * from {row['name']} limit 1")
        assert list(found.columns) == row["columns"]
        list(found.rows)
