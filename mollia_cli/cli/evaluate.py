"""``mollia evaluate``."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from mollia_cli.cli.common import (
    JsonListOption,
    ProjectOption,
    SplitOption,
    ThreadsOption,
    emit_list,
    limit_option,
    open_project,
    talk,
)
from mollia_cli.domain.items import check_split

if TYPE_CHECKING:
    from mollia_cli.insight.evaluate import Score
    from mollia_cli.insight.multilabel import SetScore


def evaluate(
    split: SplitOption = "test",
    limit: Annotated[int, limit_option("At most so many items, the first ones; 0 for all.")] = 0,
    threads: ThreadsOption = None,
    project: ProjectOption = None,
    as_json: JsonListOption = False,
) -> None:
    """Measure everyone against true labels.

    Each LLM alone, the aggregators (vote, mean logits, MoLAM, the project's) and the trained classifier, with
    the accuracy's 95% interval from 10 items on; beside them what can be done without an LLM: the mixture of the
    panel's encoders, and what the gold labels are worth alone, a linear head on the project's encoder. Where the
    project's verdicts are no better than that, it says so. An aggregator is cross-fitted on items whose labels
    it learns from; of the seed items, those are taken that were drawn at random or imported. Annotates what is
    missing. Where several people have labelled the same items, it says how far they agree.
    Where a text may have several labels: micro-F1 over all yes/no answers, macro-F1, the share of texts with
    exactly their true labels, and each label's F1.

    Example: mollia evaluate --split test
    """
    from mollia_cli.insight.corrections import people_agreement
    from mollia_cli.insight.evaluate import evaluate_panel
    from mollia_cli.insight.multilabel import evaluate_sets
    from mollia_cli.reports.people import agreement_lines

    check_split(split)
    rows: Sequence[Score | SetScore]
    with open_project(project, threads, several=True) as opened:
        several = opened.settings.multilabel
        rows = evaluate_sets(opened, split, limit) if several else evaluate_panel(opened, split, limit)
        people = people_agreement(opened)
    measured = ["micro_f1", "macro_f1", "exact", "by_label"] if several else ["accuracy", "lower", "upper", "macro_f1"]
    emit_list((asdict(row) for row in rows), ["kind", "name", "items", *measured], as_json)
    for line in agreement_lines(people):
        talk(line)
