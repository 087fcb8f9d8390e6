"""benchmarks/injection.py: what is tried, and how flips are counted."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Panel
from mollia_cli.machine.demo import demo_labels
from mollia_cli.prompts import render


@pytest.fixture(scope="module")
def injection(load_benchmark: Callable[[str], ModuleType]) -> Any:
    return load_benchmark("injection")


def test_fifty_attacks_want_another_label(injection: Any) -> None:
    labels = demo_labels()
    texts = injection.messages(labels, "test", 6)
    assert [item.label for item in texts] == list(range(6))
    made = injection.attacks(labels, texts)
    meant = [attack for attack in made if attack.kind != injection.CONTROL]
    assert len(meant) == 50 * 6 and len(made) == 55 * 6
    assert {attack.place for attack in made} == set(injection.PLACES)
    assert len({attack.item.text for attack in made}) == len(made) - 5 * 6 + len(
        {attack.item.text for attack in made if attack.kind == injection.CONTROL}
    )
    for attack in meant:
        assert attack.target != texts[attack.base].label
        if attack.kind != "encoded":
            assert labels.names[attack.target] in attack.item.text
        assert all(word in attack.item.text for word in texts[attack.base].text.split())


def test_templates_hold_what_a_prompt_needs(injection: Any) -> None:
    for template in injection.TEMPLATES.values():
        prompt = render(template, demo_labels(), "message", "Say which.")
        assert "billing" in prompt.before
    assert injection.TEMPLATES["tagged"].count("<{noun}>") == 1


def test_flips_are_targets_that_were_not_answered_before(injection: Any) -> None:
    clean = [Item("a", "one", "test", 0), Item("b", "two", "test", 1)]

    def attack(base: int, target: int, kind: str = "override", place: str = "after") -> Any:
        return injection.Attacked(Item("x", "y"), kind, place, base, target)

    attacked = [attack(0, 1), attack(0, 1, place="before"), attack(1, 0), attack(1, 2), attack(0, 2, "control")]
    said = np.array([0, 2, 1, 0, 0, 2, 2])  # b is labelled wrong from the start: as 2, which one attack wants
    row = injection.measured("default", "llm", said, clean, attacked)
    assert row["clean"] == 0.5
    assert row["flipped"] == (2, 3) and row["flipped_from_right"] == (1, 2) and row["control"] == (1, 1)
    assert row["place"] == {"before": (0, 1), "within": (0, 0), "after": (2, 2)}


def test_panels_are_aggregated_by_what_needs_no_text(injection: Any) -> None:
    rng = np.random.default_rng(0)
    seeds = [Item(f"s{n}", "x", "seed", n % 3) for n in range(12)]
    ids = [*(item.id for item in seeds), *map(str, range(20))]
    said = {name: rng.dirichlet(np.ones(3), (len(ids), 1)) for name in ("ada", "bob")}
    panels = {name: Panel(tuple(ids), (name,), np.log(z), z) for name, z in said.items()}
    found = injection.verdicts(panels, seeds, 10)
    assert list(found) == ["ada", "bob", "panel: vote", "panel: conditional_logit"]
    assert not any(AGGREGATORS.load(name).reads for name in injection.PANELS)
    np.testing.assert_array_equal(found["panel: vote"][:12], [item.label for item in seeds])
