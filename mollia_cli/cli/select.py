"""``mollia select`` and ``mollia strategies``."""

from typing import Annotated

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import (
    JsonlOption,
    JsonOption,
    ProjectOption,
    ThreadsOption,
    emit_records,
    members,
    open_project,
)
from mollia_cli.cli.run_options import PoolSampleOption
from mollia_cli.strategies import STRATEGIES


def select(
    strategy: Annotated[
        str, typer.Option(help="The query strategy. Default: the project's.", autocompletion=complete.strategies)
    ] = "",
    n: Annotated[
        int | None, typer.Option("-n", "--number", help="How many items. Default: the project's batch.", min=1)
    ] = None,
    run: Annotated[
        str, typer.Option("--name", help="The run whose classifier chooses. Default: the current one.")
    ] = "",
    pool_sample: PoolSampleOption = None,
    threads: ThreadsOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonlOption = False,
) -> None:
    """Choose the items to annotate next.

    Nothing is stored.

    Example: mollia select --strategy entropy -n 50 | mollia annotate - | mollia aggregate -
    """
    from mollia_cli.loop.select import select as choose

    with open_project(project, threads) as opened:
        settings = opened.settings.run
        sample = settings.pool_sample if pool_sample is None else pool_sample
        picks = choose(opened, strategy or settings.strategy, n or settings.batch, run, sample)
    records = ({"id": pick.id, "score": round(pick.score, 6)} for pick in picks)
    emit_records(records, ["id", "score"], as_json, as_jsonl)


def strategies(as_json: JsonOption = False, as_jsonl: JsonlOption = False) -> None:
    """List the query strategies, each with its source and the package that it comes from.

    Example: mollia strategies
    """
    emit_records(members(STRATEGIES), ["name", "package", "summary"], as_json, as_jsonl)
