"""``mollia evaluate``: how often everyone is right, where true labels are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.metrics import macro_f1, micro_f1
from mollia_cli.domain.observations import IntArray
from mollia_cli.workflow.aggregate import fit_aggregator, judge
from mollia_cli.workflow.annotate import annotate, needed_for_fit, stack
from mollia_cli.workflow.learner import best_round, current_run, finished_rounds, trained_learner
from mollia_cli.workflow.project import Project
from mollia_cli.workflow.train import gold_labels

# What the project's aggregator is measured beside: two that learn nothing, and the paper's own.
BASELINES = ("vote", "mean_logits", "molam")


@dataclass(frozen=True, slots=True)
class Score:
    """One row: who (an LLM, an aggregator, a run's classifier), on how many items, and how well."""

    kind: str
    name: str
    items: int
    accuracy: float
    macro_f1: float


def evaluate_panel(
    project: Project, split: str = "test", limit: int = 0, aggregators: Sequence[str] = ()
) -> list[Score]:
    """Each LLM alone and the aggregators on a split's labelled items: vote, mean logits, MoLAM, the project's.

    Annotates what is missing. ``limit`` restricts it to the first so many items (0 = all).
    """
    items = project.store.items.in_split(split, labelled=True)
    items = items[:limit] if limit else items
    if not items:
        raise InputError(
            f"no item of {split} has a known label", f"import some: mollia import FILE --as {split} --label-column NAME"
        )
    rows = score_panel(project, items, aggregators)
    run = current_run(project)
    if split == "test" and finished_rounds(project, run):
        record = best_round(project, run)
        learner = trained_learner(project, record)
        predictions = learner.predict_proba([item.text for item in items]).argmax(axis=1)
        score = _scorer(gold_labels(items), len(project.labels))
        rows.append(score("classifier", f"{run}, round {record.number}", predictions))
    return rows


def score_panel(
    project: Project, items: Sequence[Item], aggregators: Sequence[str] = (), unlabelled: Sequence[str] = ()
) -> list[Score]:
    """Each LLM alone and each aggregator on items of known label; annotates what is missing.

    ``unlabelled``: ids of more items whose observations (not labels) the aggregators learn from.
    """
    ids = [item.id for item in items]
    members = annotate(project, list(dict.fromkeys([*needed_for_fit(project), *unlabelled, *ids])))
    panel = stack(project, members, ids)
    score = _scorer(gold_labels(items), len(project.labels))
    rows = [
        score("llm", member.name, panel.log_probs[:, column].argmax(axis=1)) for column, member in enumerate(members)
    ]
    for name in aggregators or dict.fromkeys([*BASELINES, project.settings.aggregate.aggregator]):
        fitted = fit_aggregator(project, AGGREGATORS.check(name), members, unlabelled)
        rows.append(score("aggregator", name, judge(project, fitted, ids).argmax(axis=1)))
    return rows


def _scorer(gold: IntArray, classes: int) -> Callable[[str, str, IntArray], Score]:
    def score(kind: str, name: str, predictions: IntArray) -> Score:
        return Score(kind, name, len(gold), micro_f1(gold, predictions), macro_f1(gold, predictions, classes))

    return score
