"""The data card and the model card."""

from statistics import median

import numpy as np

from mollia_cli.domain.digest import digest_file
from mollia_cli.domain.errors import MolliaError, NotFoundError
from mollia_cli.domain.items import SPLITS
from mollia_cli.domain.report import DataCard, ModelCard, Source, Split
from mollia_cli.workflow.project import Project
from mollia_cli.workflow.report.missing import without_folders
from mollia_cli.workflow.report.subject import classifier_round, concluded

WEIGHTS = "model.safetensors"


def data_card(project: Project, run: str) -> DataCard:
    """Every split that has items; NotFoundError where there is none."""
    splits = tuple(split for name in SPLITS if (split := _split(project, name)) is not None)
    if not splits:
        raise NotFoundError("the project holds no texts yet", "mollia import texts.csv --as pool")
    try:
        given = [verdict.label for verdict in concluded(project, run).verdicts.values()]
    except MolliaError:
        given = []
    verdicts = np.bincount(np.array(given, dtype=int), minlength=len(project.labels))
    return DataCard(splits, tuple(verdicts.tolist()), project.store.synthetic.counts())


def _split(project: Project, name: str) -> Split | None:
    items = project.store.items.in_split(name)
    if not items:
        return None
    known = [item.label for item in items if item.label is not None]
    lengths = [len(item.text) for item in items]
    return Split(
        name,
        len(items),
        len(known),
        tuple(known.count(k) for k in range(len(project.labels))),
        (min(lengths), round(median(lengths)), max(lengths)),
        tuple(Source(without_folders(where), n, when[:10]) for where, n, when in project.store.items.sources(name)),
    )


def model_card(project: Project, run: str) -> ModelCard:
    """The run's best classifier; NotFoundError where none was trained."""
    record = classifier_round(project, run)
    assert record.model is not None
    metrics = record.metrics or {}
    seeds = len(project.store.items.ids("seed", labelled=True))
    weights = project.root / record.model / WEIGHTS
    return ModelCard(
        run,
        record.number,
        without_folders(project.settings.learner.encoder),
        seeds,
        metrics["labelled"] - seeds,
        metrics["trained_on"],
        metrics["validation"],
        metrics["epochs"],
        record.model,
        digest_file(weights) if weights.is_file() else "",
    )
