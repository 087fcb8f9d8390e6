"""``mollia annotate``."""

from typing import Annotated, Any

import typer

from mollia_cli.cli import complete
from mollia_cli.cli.common import (
    JsonlOption,
    JsonOption,
    ProjectOption,
    ThreadsOption,
    emit_records,
    open_project,
    read_ids,
    talk,
)
from mollia_cli.domain.items import check_split


def annotate(
    ids: Annotated[str, typer.Argument(help="A file of ids, or - for standard input. Default: what comes next.")] = "",
    split: Annotated[str, typer.Option(help="Annotate a whole split: pool, seed, validation or test.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many items; 0 for all.", min=0)] = 0,
    model: Annotated[
        str, typer.Option(help="One LLM of the panel. Default: all of them.", autocompletion=complete.models)
    ] = "",
    threads: ThreadsOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonlOption = False,
) -> None:
    """Have the panel's LLMs score texts.

    Each gives the probability of every label, and repeated answers.
    What was observed before is read, not computed again. Without ids or a split: the seed set,
    the sample that the aggregator learns from, and what the current run has selected.

    Example: mollia select -n 50 | mollia annotate - | mollia aggregate -
    """
    from mollia_cli.workflow import annotate as work

    with open_project(project, threads) as opened:
        if split:
            check_split(split)
            wanted = opened.store.items.ids(split)
        else:
            wanted = read_ids(ids) if ids else work.next_items(opened)
        wanted = wanted[:limit] if limit else wanted
        members = work.annotate(opened, wanted, [model] if model else [])
        names = opened.labels.names

        def record(member: work.Member, seen: Any) -> dict[str, Any]:
            return {
                "id": seen.item_id,
                "model": member.name,
                "log_probs": dict(zip(names, seen.log_probs.tolist(), strict=True)),
                "votes": {name: round(v, 6) for name, v in zip(names, seen.votes.tolist(), strict=True)},
                "invalid": seen.invalid,
                "mass": seen.mass,
                **({"answers": list(seen.answers)} if seen.answers else {}),
                **({"truncated": True} if seen.truncated else {}),
            }

        records = (record(member, seen) for member, seen in work.observations(opened, members, wanted))
        emit_records(records, ["id", "model", "votes", "invalid", "mass"], as_json, as_jsonl)
        talk(f"{len(wanted)} items annotated by {', '.join(member.name for member in members)}")
