"""What the labels cost: tokens, seconds and memory, of each LLM and of each round."""

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.report import Cost, LLMCost, RoundCost
from mollia_cli.insight.report.subject import finished, run_fit
from mollia_cli.loop.needed import needed_for_fit
from mollia_cli.project.context import Project


def cost(project: Project, run: str) -> Cost:
    """Of everything stored, by LLM; of the run, by round. Raises NotFoundError where neither has cost anything."""
    fit = run_fit(project, run)
    panel = fit.panel if fit is not None else ()
    llms = tuple(
        LLMCost(
            row["name"],
            row["key"],
            row["key"] in panel,
            row["items"],
            row["tokens"],
            row["truncated"],
            row["seconds"],
            row["memory"],
        )
        for row in project.store.observations.summary()
        if row["items"] and row["tokens"]
    )
    rounds = finished(project, run)
    if not llms and not rounds:
        raise NotFoundError("nothing has been annotated or trained yet", "mollia run --rounds 10")
    needed = needed_for_fit(project)
    wanted = [*needed, *(s.item_id for s in project.store.runs.selections(run))]
    tokens = project.store.observations.tokens_by_item(panel, list(dict.fromkeys(wanted)))
    base = {item_id for item_id in needed if item_id in tokens}
    return Cost(
        llms,
        len(base),
        sum(tokens[item_id] for item_id in base),
        tuple(
            RoundCost(
                record.number,
                len(picked := project.store.runs.selections(run, record.number)),
                sum(tokens.get(s.item_id, 0) for s in picked if s.item_id not in base),
                tuple(record.seconds.items()),
                record.memory,
            )
            for record in rounds
        ),
    )
