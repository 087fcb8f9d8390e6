"""Large pools are read, asked and predicted in parts: the parts change nothing but the memory that it takes."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from mollia_cli.annotators.base import Annotator, PanelContext
from mollia_cli.domain.decisions import IGNORE, LABEL, Decision
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation, Panel
from mollia_cli.domain.rng import stream
from mollia_cli.insight.export import labelled_rows
from mollia_cli.insight.report import panel_report, report
from mollia_cli.loop import aggregate as aggregation
from mollia_cli.loop import select as selection
from mollia_cli.loop.needed import unlabelled_sample
from mollia_cli.project import observe as annotation
from mollia_cli.project import workers
from mollia_cli.project.context import Project


@pytest.fixture
def observed(observed: Project) -> Project:
    """With an aggregator that is fitted in no time."""
    aggregate = replace(observed.settings.aggregate, aggregator="mol", unlabelled=10)
    observed.settings = replace(observed.settings, aggregate=aggregate)
    return observed


def in_parts(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Every bound, the store's too, at once."""
    monkeypatch.setattr("mollia_cli.store.items._CHUNK", size)
    monkeypatch.setattr(sys.modules["mollia_cli.store.items"].chunks, "__defaults__", (size,))
    for module in (annotation, workers):
        monkeypatch.setattr(module, "AT_ONCE", size)
    monkeypatch.setattr(selection, "MOST", size)


def test_arrays_hold_what_was_observed(observed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    panel, ids = annotation.members(observed), observed.store.items.ids("pool")[::-1]
    columns = {member.name: observed.store.observations.get(member.key, ids) for member in panel}
    whole = Panel.stack(ids, columns, len(observed.labels))
    in_parts(monkeypatch, 7)
    parts = annotation.stack(observed, panel, ids)
    assert (parts.ids, parts.annotators) == (whole.ids, whole.annotators)
    for name in ("log_probs", "votes", "invalid"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    with pytest.raises(KeyError, match="nobody"):
        annotation.stack(observed, panel, [*ids, "nobody"])


def test_verdicts_and_choices_are_the_same(observed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = aggregation.aggregate(observed, "vote").verdicts
    rows = list(labelled_rows(observed))
    picks = [selection.select(observed, name, 9) for name in ("disagreement", "doubt")]
    in_parts(monkeypatch, 7)
    assert list(labelled_rows(observed)) == rows
    assert [selection.select(observed, name, 9) for name in ("disagreement", "doubt")] == picks
    monkeypatch.setattr(aggregation, "MOST", 7)
    observed.store._db.execute("DELETE FROM verdicts")
    observed.store._db.conn.commit()
    again = aggregation.aggregate(observed, "vote").verdicts
    for name in ("ids", "labels", "probabilities", "negatives"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))


def test_a_fit_learns_from_a_bounded_part_of_the_pool(observed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    panel, pool = annotation.members(observed), observed.store.items.ids("pool")
    assert set(aggregation.learned_from(observed, panel, pool, ())) == set(pool)
    monkeypatch.setattr(aggregation, "MOST", 20)
    part = aggregation.some(observed, pool)
    assert len(part) == 20 and part == sorted(part, key=pool.index) != pool[:20]
    assert set(aggregation.learned_from(observed, panel, pool, part[:1])) == {
        *unlabelled_sample(observed), *part
    } - {part[0]}  # fmt: skip
    done = aggregation.aggregate(observed)
    assert done.fitted.fit.pool_items <= 30 and len(done.verdicts) == len(pool)
    measured = panel_report(observed)[0]
    assert measured.agreement.items == 60 + 20


def test_the_unlabelled_sample_is_drawn_from_the_pool_as_imported(observed: Project) -> None:
    imported = sorted(observed.store.items.ids("pool"))
    order = stream(observed.settings.random_seed, "unlabelled").permutation(len(imported))
    observed.settings = replace(observed.settings, aggregate=replace(observed.settings.aggregate, unlabelled=50))
    expected = [imported[row] for row in order[:50]]
    assert unlabelled_sample(observed) == expected
    store = observed.store.decisions
    store.add(Decision(expected[0], LABEL, "ann", 1))
    store.add(Decision(expected[1], IGNORE, "ann"))
    store.add(Decision(expected[2], LABEL, "ann", 1, seed=True))
    assert unlabelled_sample(observed) == expected[3:]


class Attentive(Annotator):
    """An annotator that remembers how many texts it was given at once."""

    name = "attentive"
    identity: ClassVar = {"annotator": "attentive"}

    def __init__(self) -> None:
        self.given: list[int] = []

    @classmethod
    def from_spec(cls, name: str, options: Any, context: PanelContext) -> list["Attentive"]:
        return [cls()]

    def annotate(self, items: Sequence[Item]) -> Iterator[list[Observation]]:
        self.given.append(len(items))
        yield [Observation(item.id, np.log(np.full(4, 0.2)), np.full(4, 0.25), 0.8, 0.0) for item in items]


def test_an_annotator_is_given_a_part_of_the_texts_at_a_time(
    observed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotator, seen = Attentive(), list[tuple[str, int, int]]()
    monkeypatch.setattr(annotation, "panel_annotators", lambda *_: [annotator])
    observed.progress = lambda what, done, total: seen.append((what, done, total))
    in_parts(monkeypatch, 90)
    ids = observed.store.items.ids("pool")
    members = annotation.annotate(observed, ids)
    assert annotator.given == [90, 90, 20]
    assert seen[-1] == ("annotating with attentive", 200, 200)
    assert [o.item_id for _, o in annotation.observations(observed, members, ids)] == ids
    assert annotation.annotate(observed, ids) == members and annotator.given == [90, 90, 20]
    with pytest.raises(NotFoundError, match="nobody"):
        annotation.annotate(observed, [*ids, "nobody"])


def test_a_report_counts_what_it_does_not_load(observed: Project) -> None:
    aggregation.aggregate(observed, "vote")
    made = report(observed)
    items = observed.store.items.in_split("pool")
    pool = next(split for split in made.data.splits if split.split == "pool")
    lengths = sorted(len(item.text) for item in items)
    assert pool.items == pool.labelled == 200
    assert pool.by_label == tuple(sum(item.label == k for item in items) for k in range(4))
    assert pool.characters == (lengths[0], round(float(np.median(lengths))), lengths[-1])
