"""``mollia evaluate`` and ``mollia export labels`` where a text may have several labels."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mollia_cli.domain.items import Item
from mollia_cli.domain.metrics import micro_set_f1, set_f1
from mollia_cli.domain.observations import BoolArray
from mollia_cli.domain.printable import count
from mollia_cli.domain.questions import YES, SetVerdicts
from mollia_cli.insight.evaluate import Answers, answers, baselines, measured_on
from mollia_cli.loop.multilabel import check_chosen, check_examples
from mollia_cli.project.context import Project
from mollia_cli.project.questions import by_question
from mollia_cli.store.items import chunks

OWN_OF_SETS = ("id", "text", "labels", "probabilities", "confidence", "source")  # columns of `mollia export labels`


@dataclass(frozen=True, slots=True)
class SetScore:
    """One row: who (an LLM, an aggregator, a baseline), on how many items, and how well.

    micro_f1: over all answers; macro_f1: the mean over the labels that some item has or is given; exact: the share of
    items with exactly their true labels; by_label: each label's F1, None for one that no item has or is given.
    """

    kind: str
    name: str
    items: int
    micro_f1: float
    macro_f1: float
    exact: float
    by_label: dict[str, float | None]


def evaluate_sets(
    project: Project, split: str = "test", limit: int = 0, aggregators: Sequence[str] = ()
) -> list[SetScore]:
    """Each LLM, the aggregators, and what can be done without an LLM, as ``evaluate_panel`` measures them.

    Every label's question is measured by itself, and what each answered to all of them is one set of labels.
    """
    check_chosen(project)
    check_examples(project, project.settings.aggregate.aggregator)
    items = measured_on(project, split, limit)
    gold = np.array([[k in (item.labels or ()) for k in range(len(project.labels))] for item in items], dtype=np.bool_)
    given = [_asked(seen, items, aggregators) for seen in by_question(project)]
    scores = []
    for who in given[0]:
        if all(who in each for each in given):
            applies = np.stack([each[who] == YES for each in given], axis=1)
            scores.append(_score(project, who, gold, applies))
    return scores


def _asked(seen: Project, items: Sequence[Item], aggregators: Sequence[str]) -> Answers:
    """What is answered to one question, of the same items."""
    asked = seen.store.items.get([item.id for item in items])
    return answers(seen, asked, aggregators) | baselines(seen, asked)


def _score(project: Project, who: tuple[str, str], gold: BoolArray, applies: BoolArray) -> SetScore:
    by_label = set_f1(gold, applies)
    exact = float((gold == applies).all(axis=1).mean())
    named = {
        name: None if np.isnan(f1) else float(f1)
        for name, f1 in zip(project.labels.names, by_label.tolist(), strict=True)
    }
    macro = 0.0 if np.isnan(by_label).all() else float(np.nanmean(by_label))
    return SetScore(*who, len(gold), micro_set_f1(gold, applies), macro, exact, named)


def labelled_sets(
    project: Project, columns: Mapping[str, str] = MappingProxyType({}), wanted: Collection[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Every labelled item, or those with the ``wanted`` ids: seeds first, then the pool by the last aggregation.

    Each row has OWN_OF_SETS: labels are those that apply, probabilities every label's, confidence the least certain
    one's, source "gold" or the aggregator's name; and then ``columns`` of the imported files, each called as they say.
    """
    names = project.labels.names

    def made(item: Item, found: SetVerdicts, row: int, source: str) -> dict[str, Any]:
        others = {called: item.fields.get(name) for name, called in columns.items()}
        return {"id": item.id, "text": item.text, **set_record(names, found, row), "source": source, **others}

    for item in project.store.items.in_split("seed", labelled=True):
        if wanted is None or item.id in wanted:
            applies = np.array([[k in (item.labels or ()) for k in range(len(names))]])
            yield made(item, SetVerdicts((item.id,), applies, applies.astype(np.float64)), 0, "gold")
    stores = [seen.store.verdicts for seen in by_question(project)]
    fits = [fit for store in stores if (fit := store.latest_fit())]
    if len(fits) < len(stores):
        project.say("no verdict: not every label was aggregated yet (mollia annotate, then mollia aggregate)")
        return
    pool, given = project.store.items.ids("pool"), 0
    for ids in chunks(pool):
        for store, fit in zip(stores, fits, strict=True):
            ids = store.answers(fit.id, ids)[0]
        given += len(ids)
        ids = [item_id for item_id in ids if wanted is None or item_id in wanted]
        if ids:
            found = SetVerdicts.of([store.get(fit.id, ids) for store, fit in zip(stores, fits, strict=True)])
            for row, item in enumerate(project.store.items.get(ids)):
                yield made(item, found, row, fits[0].aggregator)
    if left := len(pool) - given:
        project.say(
            f"{left} of {count(len(pool), 'pool item')} have no verdict and are left out:"
            " mollia annotate --split pool, then mollia aggregate"
        )


def set_record(names: Sequence[str], found: SetVerdicts, row: int) -> dict[str, Any]:
    """One item's labels as they are printed."""
    return {
        "labels": [name for name, applies in zip(names, found.labels[row].tolist(), strict=True) if applies],
        "probabilities": {name: round(p, 6) for name, p in zip(names, found.probabilities[row].tolist(), strict=True)},
        "confidence": round(float(found.confidences[row]), 6),
    }
