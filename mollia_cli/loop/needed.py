"""What an aggregation learns from, and which items the panel must have observed before it."""

from mollia_cli.domain.items import Item
from mollia_cli.domain.rng import stream
from mollia_cli.project.context import Project
from mollia_cli.project.labels import labelled_by_people
from mollia_cli.project.learner import current_run


def unlabelled_sample(project: Project) -> list[str]:
    """The pool items that semi-supervised aggregators learn from, see ``pool_sample``."""
    return pool_sample(project, "unlabelled", project.settings.aggregate.unlabelled)


def pool_sample(project: Project, name: str, size: int) -> list[str]:
    """A fixed random sample of the pool, without what people took; samples of other names are others.

    Every repeat of a run draws its own.
    """
    items, decisions = project.store.items, project.store.decisions
    # drawn from the pool as it was imported, or every decision would draw other items, not annotated yet
    order = stream(project.settings.random_seed, name, *project.own_streams).permutation(items.pool_size())
    sample = items.pool_at(order[:size].tolist())
    taken = {*decisions.labels(), *decisions.ignored()}
    kept = {item.id for item in items.get(sample) if item.split == "pool" and item.id not in taken}
    return [item_id for item_id in sample if item_id in kept]


def needed_for_fit(project: Project) -> list[str]:
    """What the next aggregation needs: the labelled items and the unlabelled sample."""
    return [*(item.id for item in fit_items(project)), *unlabelled_sample(project)]


def fit_seeds(project: Project) -> list[Item]:
    """The seed items that an aggregator learns from: all labelled ones, since none was read with its own label."""
    return project.store.items.in_split("seed", labelled=True)


def fit_items(project: Project) -> list[Item]:
    """All items that an aggregator learns labels from: ``fit_seeds``, then what people have labelled in the pool.

    People look at items of low confidence first, so whoever measures accuracy takes the seeds alone.
    """
    return [*fit_seeds(project), *labelled_by_people(project)]


def next_items(project: Project) -> list[str]:
    """What the next step needs: ``needed_for_fit`` and what the current run has selected."""
    selected = [s.item_id for s in project.store.runs.selections(current_run(project))]
    return list(dict.fromkeys([*needed_for_fit(project), *selected]))
