"""``mollia select``."""

from typing import Annotated

from mollia_cli.cli.common import (
    JsonLinesOption,
    ProjectOption,
    RunOption,
    ThreadsOption,
    WhereOption,
    emit_stream,
    limit_option,
    open_project,
)
from mollia_cli.cli.run_options import PoolSampleOption, StrategyOption


def select(
    strategy: StrategyOption = "",
    limit: Annotated[int, limit_option("At most so many items; 0 for the project's batch.")] = 0,
    where: WhereOption = None,
    run: RunOption = "",
    pool_sample: PoolSampleOption = None,
    threads: ThreadsOption = None,
    project: ProjectOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Choose the items to annotate next.

    The run's classifier is asked where the strategy needs one. Nothing is stored.

    Example: mollia select --strategy entropy -n 50 | mollia annotate - | mollia aggregate -
    """
    from mollia_cli.loop.select import select as choose

    with open_project(project, threads) as opened:
        settings = opened.settings.run
        sample = settings.pool_sample if pool_sample is None else pool_sample
        picks = choose(opened, strategy or settings.strategy, limit or settings.batch, run, sample, where or ())
    records = ({"id": pick.id, "score": round(pick.score, 6)} for pick in picks)
    emit_stream(records, ["id", "score"], as_json)
