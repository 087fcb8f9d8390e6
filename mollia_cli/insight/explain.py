"""``mollia explain``: where an item's label comes from."""

from typing import Any

import numpy as np

from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.items import Item
from mollia_cli.project.context import Project
from mollia_cli.project.learner import best_round, current_run, finished_rounds, trained_learner

# What an observation depends on above all; the rest of its identity are settings.
_NAMED = ("model", "prompt", "decoding")


def explain(project: Project, item_id: str, run_name: str = "") -> dict[str, Any]:
    """Who said what of an item, when and by what; why it was picked; what people decided; what the classifier says.

    JSON-ready. Raises NotFoundError where there is no such item. ``label`` is the label that the project
    exports, and ``because`` of what: "gold", "human" or the aggregator.
    """
    [item] = project.store.items.get([item_id])
    names = project.labels.names
    source, imported_at = project.store.items.source(item_id)
    found = project.store.trace(item_id)
    label, because = _label(project, item, found)
    return {
        "id": item.id,
        "text": item.text,
        "split": item.split,
        "source": source,
        "imported_at": imported_at,
        "true_label": None if item.label is None else names[item.label],
        "label": label,
        "because": because,
        "observations": [_said(row) for row in found["observations"]],
        **{part: found[part] for part in ("verdicts", "selections", "decisions")},
        "classifier": _classifier(project, item.text, run_name),
        "journal": found["journal"],
    }


def _label(project: Project, item: Item, found: dict[str, Any]) -> tuple[str | None, str | None]:
    """(the label that `mollia export labels` writes, where it is from)."""
    told = project.store.decisions.labels().get(item.id)
    if told is not None:
        return project.labels.names[told], "human"
    if item.split != "pool":
        return (None, None) if item.label is None else (project.labels.names[item.label], "gold")
    current = [row for row in found["verdicts"] if row["current"]]
    return (current[0]["label"], current[0]["aggregator"]) if current else (None, None)


def _said(row: dict[str, Any]) -> dict[str, Any]:
    """One LLM's observation, with the settings that it depends on."""
    identity, labels = row["identity"], row["labels"]
    z = np.exp(np.array(row["log_probs"]))
    best = int(z.argmax()) if z.size else None
    return {
        "annotator": row["annotator"],
        "label": labels[best] if best is not None and best < len(labels) else None,
        "probabilities": {name: round(float(p), 6) for name, p in zip(labels, z, strict=False)},
        "votes": dict(zip(labels, row["votes"], strict=False)),
        **{key: row[key] for key in ("mass", "invalid", "answers", "tokens")},
        "truncated": bool(row["truncated"]),
        "at": row["at"],
        "first_used": row["first_used"],
        "key": row["key"],
        "kind": identity.get("annotator"),
        **{key: identity.get(key) for key in _NAMED},
        "settings": {key: value for key, value in identity.items() if key not in ("annotator", *_NAMED)},
    }


def _classifier(project: Project, text: str, run_name: str) -> dict[str, Any] | None:
    """What the run's best classifier says now; None where there is none, or its files are gone."""
    run = current_run(project, run_name)
    if not finished_rounds(project, run):
        return None
    record = best_round(project, run)
    try:
        [said] = trained_learner(project, record).predict_proba([text])
    except MolliaError as error:
        project.say(f"the classifier cannot be asked: {error.message}")
        return None
    names = project.labels.names
    return {
        "run": record.run,
        "round": record.number,
        "model": record.model,
        "label": names[int(said.argmax())],
        "confidence": round(float(said.max()), 6),
        "probabilities": {name: round(float(p), 6) for name, p in zip(names, said, strict=True)},
    }
