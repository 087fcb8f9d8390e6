"""``mollia explain``: where an item's label comes from."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.items import Item
from mollia_cli.project.context import Project
from mollia_cli.project.learner import best_round, current_run, finished_rounds, trained_learner
from mollia_cli.store.trace import Rows, Trace

# What an observation depends on above all; the rest of its identity are settings.
_NAMED = ("model", "prompt", "decoding")


@dataclass(frozen=True, slots=True)
class Observed:
    """One annotator's observation of the item, with everything that it depends on.

    label: the most probable one. probabilities and votes: by label. mass: the label mass; invalid: the invalid rate.
    at: when it was made, None before the journal; first_used: of the annotator. key: its digest. model, prompt:
    digests. settings: the rest of the identity.
    """

    annotator: str
    label: str | None
    probabilities: dict[str, float]
    votes: dict[str, float]
    mass: float
    invalid: float
    answers: list[str]
    tokens: int
    truncated: bool
    at: str | None
    first_used: str
    key: str
    kind: str | None
    model: str | None
    prompt: str | None
    decoding: dict[str, Any] | None
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Predicted:
    """What the best classifier of a run predicts now; ``model``: its folder in the project."""

    run: str
    round: int
    model: str | None
    label: str
    confidence: float
    probabilities: dict[str, float]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where an item's label comes from.

    label: the one that the project exports; because: of what: "gold", "human" or the aggregator's name. verdicts,
    selections, decisions and journal: the database's rows, oldest first.
    """

    id: str
    text: str
    split: str
    source: str
    imported_at: str
    true_label: str | None
    label: str | None
    because: str | None
    observations: tuple[Observed, ...]
    verdicts: Rows
    selections: Rows
    decisions: Rows
    classifier: Predicted | None
    journal: Rows


def explain(project: Project, item_id: str, run_name: str = "") -> Explanation:
    """Trace an item: its observations, verdicts, selections, people's decisions, and the classifier's prediction.

    The classifier is the best of ``run_name``, by default the current run. Raises NotFoundError for an unknown item.
    """
    [item] = project.store.items.get([item_id])
    names = project.labels.names
    source, imported_at = project.store.items.source(item_id)
    found = project.store.trace(item_id)
    label, because = _label(project, item, found)
    return Explanation(
        id=item.id,
        text=item.text,
        split=item.split,
        source=source,
        imported_at=imported_at,
        true_label=None if item.label is None else names[item.label],
        label=label,
        because=because,
        observations=tuple(map(_observed, found.observations)),
        verdicts=found.verdicts,
        selections=found.selections,
        decisions=found.decisions,
        classifier=_classifier(project, item.text, run_name),
        journal=found.journal,
    )


def _label(project: Project, item: Item, found: Trace) -> tuple[str | None, str | None]:
    """(the label that `mollia export labels` writes, where it is from)."""
    labelled = project.store.decisions.labels().get(item.id)
    if labelled is not None:
        return project.labels.names[labelled], "human"
    if item.split != "pool":
        return (None, None) if item.label is None else (project.labels.names[item.label], "gold")
    current = [row for row in found.verdicts if row["current"]]
    return (current[0]["label"], current[0]["aggregator"]) if current else (None, None)


def _observed(row: dict[str, Any]) -> Observed:
    identity, labels = row["identity"], row["labels"]
    z = np.exp(np.array(row["log_probs"]))
    best = int(z.argmax()) if z.size else None
    return Observed(
        label=labels[best] if best is not None and best < len(labels) else None,
        probabilities={name: round(float(p), 6) for name, p in zip(labels, z, strict=False)},
        votes=dict(zip(labels, row["votes"], strict=False)),
        truncated=bool(row["truncated"]),
        kind=identity.get("annotator"),
        settings={key: value for key, value in identity.items() if key not in ("annotator", *_NAMED)},
        **{key: identity.get(key) for key in _NAMED},
        **{key: row[key] for key in ("annotator", "mass", "invalid", "answers", "tokens", "at", "first_used", "key")},
    )


def _classifier(project: Project, text: str, run_name: str) -> Predicted | None:
    """The run's best classifier on the text; None where there is none, or its files are gone."""
    run = current_run(project, run_name)
    if not finished_rounds(project, run):
        return None
    record = best_round(project, run)
    try:
        [probabilities] = trained_learner(project, record).predict_proba([text])
    except MolliaError as error:
        project.say(f"the classifier cannot be asked: {error.message}")
        return None
    names = project.labels.names
    return Predicted(
        run=record.run,
        round=record.number,
        model=record.model,
        label=names[int(probabilities.argmax())],
        confidence=round(float(probabilities.max()), 6),
        probabilities={name: round(float(p), 6) for name, p in zip(names, probabilities, strict=True)},
    )
