"""What a fit, a sample and a run's record depend on, and who is taken out of which list."""

from dataclasses import replace
from typing import Any

import pytest

from mollia_cli.domain.decisions import IGNORE, LABEL, Decision
from mollia_cli.domain.items import Item
from mollia_cli.domain.registry import Registry
from mollia_cli.loop.aggregate import fit_aggregator
from mollia_cli.loop.needed import fit_seeds, needed_for_fit, unlabelled_sample
from mollia_cli.loop.select import select
from mollia_cli.loop.setup import planned_run
from mollia_cli.loop.stop import history, stop_set
from mollia_cli.project import record
from mollia_cli.project.context import Project
from mollia_cli.project.record import recorded_settings, run_record


def test_the_same_inputs_are_the_same_fit_and_others_another(observed: Project) -> None:
    first = fit_aggregator(observed, "mol").fit
    assert fit_aggregator(observed, "mol").fit.id == first.id
    label = observed.store.items.get(["i000"])[0].label
    assert label is not None
    made = observed.store.decisions.add(Decision("i000", LABEL, "anna", (label + 1) % 4, seed=True))
    changed = fit_aggregator(observed, "mol").fit
    assert changed.id != first.id
    observed.store.decisions.take_back(made)
    few = replace(observed.settings.aggregate, unlabelled=40)
    observed.settings = replace(observed.settings, aggregate=few)
    assert (
        fit_aggregator(observed, "conditional_logit").fit.id
        != fit_aggregator(observed, "conditional_logit", also=observed.store.items.ids("pool")).fit.id
    )


def test_another_version_of_the_aggregators_package_makes_another_fit(
    observed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fit_aggregator(observed, "vote").fit
    monkeypatch.setattr(Registry, "package", lambda _, name: "acme 1.3")
    assert fit_aggregator(observed, "vote").fit.id != first.id


def test_a_runs_record_holds_the_versions_of_plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "pytest" not in record.versions()
    monkeypatch.setattr(record, "plugin_packages", lambda: ["pytest"])
    assert record.versions()["pytest"] == pytest.__version__


def test_another_seed_label_in_its_place_is_another_fit(observed: Project) -> None:
    """The item and its place among the seeds stay the same: only its label is another."""
    last = observed.store.items.ids("seed")[-1]
    fits = []
    for label in (0, 1, 2):
        observed.store.decisions.add(Decision(last, LABEL, "anna", label, seed=True))
        fits.append(fit_aggregator(observed, "mol").fit.id)
    assert len(set(fits)) == 3


def test_the_pool_alone_makes_another_fit(observed: Project) -> None:
    pool = observed.store.items.ids("pool")
    observed.settings = replace(observed.settings, aggregate=replace(observed.settings.aggregate, unlabelled=0))
    few, many = (fit_aggregator(observed, "conditional_logit", (), pool[:n], pool[:40]).fit for n in (40, 50))
    assert (few.pool_items, many.pool_items) == (40, 50)
    assert few.id != many.id


def test_what_people_took_is_neither_sampled_nor_selected(observed: Project) -> None:
    pool = observed.store.items.ids("pool")
    for item_id, act in ((pool[0], LABEL), (pool[1], IGNORE)):
        label = 1 if act == LABEL else None
        observed.store.decisions.add(Decision(item_id, act, "anna", label))
    assert set(unlabelled_sample(observed)) == set(pool[2:])
    assert {pick.id for pick in select(observed, "random", 500)} == set(pool[2:])


def test_every_seed_is_learned_from_with_worked_examples_too(observed: Project) -> None:
    """No LLM has read a seed's own label, so what it says of it is evidence."""
    seeds = observed.store.items.in_split("seed")
    observed.use_annotation(shots=6)
    assert [item.id for item in fit_seeds(observed)] == [item.id for item in seeds]
    assert needed_for_fit(observed)[: len(seeds)] == [item.id for item in seeds]


def test_the_stop_set_is_drawn_item_by_item(observed: Project, monkeypatch: Any) -> None:
    monkeypatch.setattr("mollia_cli.loop.stop.STOP_SET", 50)
    before = stop_set(observed)
    with observed.store.transaction():
        observed.store.items.add([Item(f"0{n}", f"new {n}") for n in range(20)], "more")
    after = stop_set(observed)
    assert len(before) == len(after) == 50
    # each new item takes the place of one old one, and nothing else changes
    assert [i for i in before if i in after] == [i for i in after if i.startswith("i")]
    assert len(set(before) & set(after)) >= 30
    ignored = next(i for i in observed.store.items.ids("pool") if i not in after)
    observed.store.decisions.add(Decision(ignored, IGNORE, "anna"))
    assert stop_set(observed) == after


def test_the_budget_of_a_cascade_is_its_llms(observed: Project) -> None:
    """60 seed and 200 pool items, 9 tokens of each LLM."""
    for cascade, llms in (((), 3), (("ada", "cyd"), 2)):
        _, setup = planned_run(observed, f"run{llms}", cascade=cascade, budget_tokens=1)
        seen: Any = history(observed, f"run{llms}", setup, [], _NeedsNothing())
        assert seen.tokens == llms * 260 * 9


class _NeedsNothing:
    looks = False


def test_a_record_holds_the_panel_that_there_was(observed: Project) -> None:
    record = run_record(observed)
    assert recorded_settings(record) == observed.settings
    assert list(record["panel"]) == [member.name for member in observed.panel]
