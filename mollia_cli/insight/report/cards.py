"""The data card and the model card."""

import numpy as np

from mollia_cli.domain.digest import digest_file
from mollia_cli.domain.errors import MolliaError, NotFoundError, StoreError
from mollia_cli.domain.items import SPLITS
from mollia_cli.domain.report import DataCard, ModelCard, Source, Split
from mollia_cli.insight.report.missing import without_folders
from mollia_cli.insight.report.subject import classifier_round, run_verdicts
from mollia_cli.learners.base import HEAD_WEIGHTS
from mollia_cli.project.context import Project

WEIGHTS = "model.safetensors"


def data_card(project: Project, run: str) -> DataCard:
    """Every split that has items; NotFoundError where there is none."""
    splits = tuple(split for name in SPLITS if (split := _split(project, name)) is not None)
    if not splits:
        raise NotFoundError("the project holds no texts yet", "mollia import texts.csv --split pool")
    try:
        given = run_verdicts(project, run).labels
    except StoreError:
        raise
    except MolliaError:
        given = np.zeros(0, dtype=np.int64)
    verdicts = np.bincount(given, minlength=len(project.labels))
    return DataCard(splits, tuple(verdicts.tolist()), project.store.synthetic.counts())


def _split(project: Project, name: str) -> Split | None:
    lengths, known = project.store.items.profile(name)
    if not len(lengths):
        return None
    return Split(
        name,
        len(lengths),
        sum(known.values()),
        tuple(known.get(label, 0) for label in project.labels.names),
        (int(lengths.min()), round(float(np.median(lengths))), int(lengths.max())),
        tuple(Source(without_folders(where), n, when[:10]) for where, n, when in project.store.items.sources(name)),
    )


def model_card(project: Project, run: str) -> ModelCard:
    """The run's best classifier; NotFoundError where none was trained."""
    record = classifier_round(project, run)
    assert record.model is not None
    metrics = record.metrics or {}
    seeds = len(project.store.items.ids("seed", labelled=True))
    trained = (project.root / record.model / name for name in (HEAD_WEIGHTS, WEIGHTS))
    weights = next((path for path in trained if path.is_file()), None)
    return ModelCard(
        run,
        record.number,
        project.settings.learner.name,
        without_folders(project.settings.learner.encoder),
        seeds,
        metrics["labelled"] - seeds,
        metrics["trained_on"],
        metrics.get("unread", 0),
        metrics["validation"],
        metrics.get("epochs"),
        record.model,
        "" if weights is None else digest_file(weights),
    )
