"""A cascade of LLMs: the next one is asked only of items on which confidence is still low.

FrugalGPT (Chen, Zaharia & Zou 2023) trains a scorer of answers and asks on below a threshold; Yue et al.
(2024) ask on where an LLM's repeated answers differ. Here the aggregator is the scorer: fitted on what the
first j LLMs observed of the seed items (which every LLM reads), its calibrated confidence says whether the j
LLMs are enough. With the aggregator ``vote`` that is Yue et al.'s rule.

Nothing is made up for an LLM that was not asked. An item's verdict, its confidence and its negative labels
come from the aggregator of those LLMs that did observe it: there is one fit for each length of the cascade.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.settings import RunSettings, checked
from mollia_cli.domain.verdicts import Verdicts
from mollia_cli.loop.aggregate import Fitted, fit_aggregator, predict_verdicts
from mollia_cli.loop.needed import fit_seeds, unlabelled_sample
from mollia_cli.loop.shots import settle_prompt
from mollia_cli.project.context import Project
from mollia_cli.project.observe import Member, annotate, members, observed_by_all
from mollia_cli.project.panel import check_names
from mollia_cli.store.verdicts import Fit

CASCADE = "cascade"


@dataclass(frozen=True, slots=True)
class Stage:
    """One LLM of a cascade: of how many items it was needed, and on how many confidence was high enough then."""

    name: str
    asked: int
    settled: int


@dataclass(frozen=True, slots=True)
class Cascaded:
    """What a cascade made: the record of its fits, a verdict on each item asked about, and its stages."""

    fit: Fit
    verdicts: Verdicts
    stages: list[Stage]


def check_order(project: Project, order: Sequence[str]) -> list[Member]:
    """The cascade's LLMs as the store knows them. Raises InputError where they are no part of the panel."""
    by_name = {member.name: member for member in members(project)}
    check_names(order, list(by_name))
    if len(order) < 2 or len(set(order)) < len(order):
        raise InputError(
            f"{','.join(order)!r} is no cascade", "name two or more LLMs, each once, the cheapest first: small,large"
        )
    return [by_name[name] for name in order]


def ask(project: Project, order: Sequence[str], threshold: float, ids: Sequence[str], aggregator: str = "") -> Cascaded:
    """Observe the seed items by all of the cascade, ``ids`` as far as needed; verdicts on ``ids``.

    order: names in the panel, the cheapest first; threshold: the calibrated confidence from which no further
    LLM is asked, within the limits of the setting. An item's verdict is from all LLMs that observed it, which may be
    more.
    """
    checked({"threshold": threshold}, RunSettings, "cascade")
    panel = check_order(project, order)
    annotate(project, [item.id for item in fit_seeds(project)], order)
    open_ids = list(ids)
    fits: list[Fitted] = []
    stages: list[Stage] = []
    verdicts = Verdicts.none(len(project.labels))
    readers: dict[str, int] = {}
    for length, member in enumerate(panel, 1):
        part = panel[:length]
        annotate(project, open_ids, [member.name])
        fits.append(fit_aggregator(project, aggregator, part, open_ids))
        found = predict_verdicts(project, fits[-1], observed_by_all(project, part, ids))
        verdicts = verdicts.updated(found)
        readers |= dict.fromkeys(found.ids, length)
        confidence = dict(zip(found.ids, found.confidences.tolist(), strict=True))
        doubted = [item_id for item_id in open_ids if confidence[item_id] < threshold]
        left = doubted if length < len(panel) else []
        stages.append(Stage(member.name, len(open_ids), len(open_ids) - len(left)))
        open_ids = left
    fit = _record(project, fits, panel, threshold, readers, verdicts)
    return Cascaded(fit, project.store.verdicts.get(fit.id, verdicts.ids), stages)


def aggregate_cascade(
    project: Project, order: Sequence[str], threshold: float, ids: Sequence[str] | None = None, aggregator: str = ""
) -> Cascaded:
    """``ask`` about ``ids``, or (None) about every pool item that the cascade's first LLM has observed."""
    settle_prompt(project, only=order)
    if ids is None:
        ids = observed_by_all(project, check_order(project, order)[:1], project.store.items.ids("pool"))
    return ask(project, order, threshold, ids, aggregator)


def stages_remark(done: Cascaded) -> str:
    """The stages for people."""
    first = done.stages[0]
    later = "".join(f", {stage.name} of {stage.asked}" for stage in done.stages[1:])
    return f"asked {first.name} of {first.asked} items{later}; confident of the others"


def with_sample(project: Project, ids: Sequence[str]) -> list[str]:
    """``ids`` and the unlabelled sample that aggregators learn from, which passes through the cascade like them."""
    return list(dict.fromkeys([*unlabelled_sample(project), *ids]))


def _record(
    project: Project,
    fits: Sequence[Fitted],
    panel: Sequence[Member],
    threshold: float,
    readers: dict[str, int],
    verdicts: Verdicts,
) -> Fit:
    """One fit for all of the cascade's verdicts, so that they are found and exported together.

    readers: how many LLMs each item's verdict is from.
    """
    last, keys = fits[-1].fit, [member.key for member in panel]
    made_of = {CASCADE: [fitted.fit.id for fitted in fits], "threshold": threshold, "readers": sorted(readers.items())}
    with project.store.transaction():
        fit = project.store.verdicts.add_fit(
            digest_of(made_of),
            f"{last.aggregator}+{CASCADE}",
            keys,
            (last.seed_items, fits[0].fit.pool_items),
            {"fits": [fitted.fit.id for fitted in fits]},
        )
        project.store.verdicts.add(fit.id, verdicts)
    return fit
