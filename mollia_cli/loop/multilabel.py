"""``mollia aggregate`` where a text may have several labels: each one's question is aggregated as any task is."""

from collections.abc import Sequence

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.questions import SetVerdicts
from mollia_cli.loop.aggregate import Fitted, aggregate
from mollia_cli.project.context import Project
from mollia_cli.project.observe import members, observed_by_all
from mollia_cli.project.panel import undecided
from mollia_cli.project.questions import by_question


def aggregate_sets(
    project: Project, name: str = "", ids: Sequence[str] | None = None
) -> tuple[SetVerdicts, list[Fitted]]:
    """Which labels apply to ``ids`` (None: to every pool item annotated for all of them), and each label's fit.

    A label applies if its calibrated probability is above one half. Raises InputError where the aggregator learns and
    the seeds have no item with, or none without, some label.
    """
    check_examples(project, name or project.settings.aggregate.aggregator)
    asked = by_question(project)
    if ids is None:
        ids = project.store.items.ids("pool")
        for seen in asked:
            ids = observed_by_all(seen, members(seen), ids)
    done = [aggregate(seen, name, ids) for seen in asked]
    return SetVerdicts.of([each.verdicts for each in done]), [each.fitted for each in done]


def check_chosen(project: Project) -> None:
    """RefusedError where ``mollia.toml`` leaves to the seeds what the LLMs read."""
    for key in undecided(project):
        raise RefusedError(
            f"nothing chooses annotate.{key} on the seeds of a project with several labels yet",
            f"set it in mollia.toml under [annotate] (docs/multilabel.md); --{key} holds for one command"
            if key == "shots"
            else "set it to true or false in mollia.toml under [annotate] (docs/multilabel.md)",
        )


def check_examples(project: Project, name: str) -> None:
    """InputError where an aggregator that learns has no example of some answer."""
    if not AGGREGATORS.load(AGGREGATORS.check(name)).learns:
        return
    sets = [item.labels or () for item in project.store.items.in_split("seed", labelled=True)]
    without = [label for k, label in enumerate(project.labels.names) if not any(k in labels for labels in sets)]
    always = [label for k, label in enumerate(project.labels.names) if sets and all(k in labels for labels in sets)]
    if not without and not always:
        return
    found = f"with {', '.join(without)}" if without else f"without {', '.join(always)}"
    raise InputError(
        f"no seed item is labelled {found}; {name} needs one with and one without each label",
        "import such seeds: mollia import more.csv --split seed (or use --aggregator vote, which learns nothing)",
    )
