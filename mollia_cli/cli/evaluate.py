"""``mollia evaluate``."""

from dataclasses import asdict
from typing import Annotated

import typer

from mollia_cli.cli.common import JsonlOption, JsonOption, ProjectOption, ThreadsOption, emit_records, open_project
from mollia_cli.domain.items import check_split


def evaluate(
    split: Annotated[str, typer.Option(help="The split whose true labels are compared with.")] = "test",
    limit: Annotated[int, typer.Option(help="Only the first so many items; 0 for all.", min=0)] = 0,
    threads: ThreadsOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonlOption = False,
) -> None:
    """Measure everyone against true labels.

    Each LLM alone, the aggregators (vote, mean logits, MoLAM, the project's) and the trained classifier, with
    the accuracy's 95% interval from 10 items on. An aggregator is cross-fitted on items whose labels it learns
    from; of the seed items, those are taken that were drawn at random or imported. Annotates what is missing.

    Example: mollia evaluate --split test
    """
    from mollia_cli.insight.evaluate import evaluate_panel

    check_split(split)
    with open_project(project, threads) as opened:
        rows = evaluate_panel(opened, split, limit)
    columns = ["kind", "name", "items", "accuracy", "lower", "upper", "macro_f1"]
    emit_records((asdict(row) for row in rows), columns, as_json, as_jsonl)
