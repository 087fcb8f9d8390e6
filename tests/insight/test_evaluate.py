"""``mollia evaluate``: nobody is measured on labels that were learned from."""

from dataclasses import replace

import pytest

from mollia_cli.aggregators.quality import wilson
from mollia_cli.cli.rounds import round_cells
from mollia_cli.domain.decisions import LABEL, Decision
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.report import Measurement
from mollia_cli.insight.evaluate import evaluate_panel
from mollia_cli.insight.report.measurements import verdicts_on_seeds
from mollia_cli.project.context import Project
from mollia_cli.project.observe import members
from mollia_cli.store.runs import Round


def test_the_seeds_are_cross_fitted(observed: Project) -> None:
    said: list[str] = []
    observed.say = said.append
    rows = {row.name: row for row in evaluate_panel(observed, "seed")}
    assert {row.items for row in rows.values()} == {60}
    assert rows["molam"].accuracy < 0.95  # 1.000 in-sample
    for name in ("molam", "conditional_logit", "vote"):
        panel = verdicts_on_seeds(observed, members(observed), name)
        assert isinstance(panel, Measurement)
        assert abs(rows[name].accuracy - panel.accuracy) < 0.1
        lower = rows[name].lower
        assert lower is not None and lower < rows[name].accuracy
    assert "measured on 60 seed items (imported, taken as a random sample)" in said
    assert any(remark.startswith("aggregators that learn are cross-fitted on 60 of 60 items") for remark in said)


def test_an_item_has_no_say_in_its_own_verdict(observed: Project) -> None:
    """With every label of the pool changed by a person, the verdicts that are measured stay good."""
    pool = observed.store.items.in_split("pool")
    for item in pool[:10]:
        assert item.label is not None
        observed.store.decisions.add(Decision(item.id, LABEL, "anna", (item.label + 1) % 4, chosen="doubt"))
    found = {row.name: row for row in evaluate_panel(observed, "pool", limit=10, aggregators=["molam"])}
    assert found["molam"].accuracy > 0.3  # 0.0 where it repeats what it was told


def test_of_few_items_there_is_no_interval(observed: Project) -> None:
    few, many = (evaluate_panel(observed, "pool", n, ["vote"])[-1] for n in (9, 10))
    assert (few.lower, few.upper) == (None, None)
    assert (many.lower, many.upper) == wilson(round(10 * many.accuracy), 10)


def test_typical_seeds_are_not_measured_on(observed: Project) -> None:
    store = observed.store
    ids = store.items.ids("seed")
    for item in store.items.get(ids[:20]):
        store._db.execute("UPDATE items SET split = 'pool' WHERE id = ?", [item.id])
        store.decisions.add(Decision(item.id, LABEL, "anna", item.label, seed=True, chosen="seed"))
    assert evaluate_panel(observed, "seed", aggregators=["vote"])[-1].items == 40
    store._db.execute("UPDATE items SET label = NULL WHERE split = 'seed' AND id NOT IN (SELECT item FROM decisions)")
    with pytest.raises(InputError, match="drawn at random"):
        evaluate_panel(observed, "seed")


def test_few_right_verdicts_are_counted() -> None:
    record = Round("main", 1, metrics={"labelled": 3})
    right = {"verdict_accuracy": 1.0, "verdicts_known": 3, "verdict_lower": None, "verdict_upper": None}
    assert round_cells(replace(record, metrics={"labelled": 3} | right))[2] == "3/3"
    more = right | {"verdicts_known": 10, "verdict_lower": 0.7225, "verdict_upper": 1.0}
    assert round_cells(replace(record, metrics={"labelled": 10} | more))[2] == "1.000 (0.723 to 1.000)"
    assert round_cells(record)[2] is None
