"""``mollia status``: what the project holds and how far it is."""

from typing import Any

from mollia_cli import models
from mollia_cli.insight.corrections import corrections
from mollia_cli.project.context import Project
from mollia_cli.project.learner import current_run
from mollia_cli.store.runs import Round


def status(project: Project) -> dict[str, Any]:
    """Splits, panel, annotators, fits and runs, as one JSON-ready object; loads no model."""
    store = project.store
    run = current_run(project)
    fit = store.verdicts.latest_fit()
    panel = project.settings.panel.models or tuple(models.installed_names("llm"))
    return {
        "project": str(project.root),
        "labels": list(project.labels.names),
        "items": store.items.counts(),
        "synthetic": store.synthetic.counts(),
        "panel": [{"name": name, "installed": models.is_installed(name)} for name in panel],
        "encoder": {
            "name": project.settings.learner.encoder,
            "installed": models.is_installed(project.settings.learner.encoder),
        },
        "annotators": store.observations.summary(),
        "people": corrections(project),
        "aggregator": None if fit is None else {"name": fit.aggregator, "seed_items": fit.seed_items},
        "run": run if store.runs.config(run) else None,
        "runs": store.runs.names(),
        "stopped": store.runs.stopped(run),
        "rounds": [round_row(record) for record in store.runs.rounds(run)],
    }


def round_row(record: Round) -> dict[str, Any]:
    """One round as a flat JSON-ready object."""
    return {
        "run": record.run,
        "round": record.number,
        "finished": record.metrics is not None,
        **(record.metrics or {}),
        "seconds": dict(record.seconds),
        "memory": record.memory,
    }


def next_step(state: dict[str, Any]) -> str:
    """What to type next, from a ``status`` object."""
    items = state["items"]
    if "pool" not in items:
        return "mollia import texts.csv --as pool"
    if not items.get("seed", {}).get("labelled"):
        return "mollia label --seed 50 (or: mollia import labelled.csv --as seed)"
    missing = [member["name"] for member in [*state["panel"], state["encoder"]] if not member["installed"]]
    if missing or not state["panel"]:
        return f"mollia models pull {' '.join(missing) or 'smollm2-135m-instruct'}"
    if not state["rounds"]:
        return "mollia run --rounds 10"
    if not state["rounds"][-1]["finished"]:
        return "mollia round (continues the unfinished one)"
    return "mollia predict texts.csv" if state["stopped"] else "mollia round"
