"""``mollia aggregate`` and ``mollia aggregators``."""

from typing import Annotated

import typer

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.cli import complete
from mollia_cli.cli.common import JsonlOption, JsonOption, ProjectOption, emit_records, open_project, read_ids, talk


def aggregate(
    ids: Annotated[
        str, typer.Argument(help="A file of ids, or - for standard input. Default: every annotated pool item.")
    ] = "",
    with_: Annotated[
        str, typer.Option("--with", help="The aggregator. Default: the project's.", autocompletion=complete.aggregators)
    ] = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonlOption = False,
) -> None:
    """Conclude one label from what the LLMs said.

    The aggregator is fitted on the seed labels.
    Each record has the label, its confidence, and the labels that no LLM believes in.

    Example: mollia aggregate --with vote --jsonl | jq -r .label | sort | uniq -c
    """
    from mollia_cli.workflow import aggregate as work

    with open_project(project) as opened:
        fitted = work.fit_aggregator(opened, with_)
        wanted = read_ids(ids) if ids else work.default_targets(opened, fitted.panel)
        verdicts = work.conclude(opened, fitted, wanted)
        names = opened.labels.names
        records = (
            {
                "id": verdict.item_id,
                "label": names[verdict.label],
                "confidence": round(verdict.confidence, 6),
                "negatives": [names[k] for k in verdict.negatives],
            }
            for verdict in verdicts
        )
        emit_records(records, ["id", "label", "confidence", "negatives"], as_json, as_jsonl)
    fit = fitted.fit
    talk(
        f"{len(verdicts)} verdicts by {fit.aggregator} ({fit.seed_items} seed items, {fit.pool_items} unlabelled ones)"
    )


def aggregators(as_json: JsonOption = False, as_jsonl: JsonlOption = False) -> None:
    """List the aggregators, each with its source.

    Example: mollia aggregators
    """
    records = [{"name": name, "summary": AGGREGATORS.summary(name)} for name in AGGREGATORS]
    emit_records(records, ["name", "summary"], as_json, as_jsonl)
