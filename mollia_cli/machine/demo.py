"""``mollia demo``: the whole job on the data that ships with mollia."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

from mollia_cli import models
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.items import SPLITS
from mollia_cli.domain.labels import LabelSet
from mollia_cli.insight.evaluate import Score, score_panel
from mollia_cli.loop.run import run_rounds
from mollia_cli.loop.setup import open_run
from mollia_cli.loop.train import Labelled, evaluate, train_learner
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.ingest import ingest
from mollia_cli.project.labels import certain_verdicts, gold_labels
from mollia_cli.store.runs import Round

PANEL = ("qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct")
ENCODER = "all-minilm-l6-v2"
AGGREGATORS = ("vote", "molam", "conditional_logit")
# Smaller than the defaults, so that the whole demo takes minutes on two cores: no unlabelled item
# is annotated beside the selected ones.
ROUNDS, BATCH, UNLABELLED, SHOTS = 2, 30, 0, 6
EPOCHS, PATIENCE, LEARNING_RATE = 8, 4, 1e-4
NOUN = "message"
TASK = "Determine what the front office of the clinic has to deal with in this message."
LABELS = {
    "appointment": "book, move, cancel or confirm a visit or call",
    "prescription": "medicines, repeats, pharmacy problems",
    "results": "lab tests, scans and screening, and what they mean",
    "billing": "invoices, fees, insurance claims, refunds",
    "documents": "sick notes, referrals, forms, certificates, records",
    "complaint": "unhappy with staff, waiting, service or premises",
}


def demo_labels() -> LabelSet:
    """The six labels with their descriptions."""
    return LabelSet(tuple(LABELS), tuple(LABELS.values()))


def demo_messages() -> list[dict[str, str]]:
    """The 690 messages: text, label and split."""
    text = (resources.files("mollia_cli.demo") / "messages.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def make_demo_project(folder: Path, say: Callable[[str], None]) -> Project:
    """A project with the demo's labels, panel and data; missing models raise NotFoundError."""
    missing = [name for name in (*PANEL, ENCODER) if not models.is_installed(name)]
    if missing:
        raise NotFoundError(
            f"the demo needs models that are not installed: {', '.join(missing)}",
            f"mollia models pull {' '.join(missing)}",
        )
    settings = new_settings(demo_labels(), NOUN, TASK, PANEL, ENCODER)
    quick = replace(
        settings,
        annotate=replace(settings.annotate, shots=SHOTS),
        aggregate=replace(settings.aggregate, unlabelled=UNLABELLED),
        learner=replace(settings.learner, epochs=EPOCHS, patience=PATIENCE, learning_rate=LEARNING_RATE),
        run=replace(settings.run, batch=BATCH),
    )
    create(folder, quick)
    project = Project.open(folder)
    messages = demo_messages()
    for split in SPLITS:
        rows = [json.dumps(message) for message in messages if message["split"] == split]
        report = ingest(project, io.BytesIO("\n".join(rows).encode()), split, name="demo", file_format="jsonl")
        say(f"{report.added} messages as {split}")
    return project


def demo_scores(project: Project) -> list[Score]:
    """Each LLM alone, the majority vote, MoLAM and the default aggregator on the messages that the run has selected."""
    ids = [selection.item_id for selection in project.store.runs.selections("panel")]
    return score_panel(project, project.store.items.get(ids), AGGREGATORS, ids)


def demo_run(project: Project, done: Callable[[Round], None]) -> list[Round]:
    """The demo's rounds, with labels from the panel."""
    run, setup = open_run(project, "panel", rounds=ROUNDS)
    return run_rounds(project, run, setup, ROUNDS, done)


def demo_oracle(project: Project) -> dict[str, float]:
    """The same classifier on the same items as the run's last round, with their true labels."""
    seed = project.store.items.in_split("seed", labelled=True)
    selections = project.store.runs.selections("panel")
    items = project.store.items.get([selection.item_id for selection in selections])
    labelled = Labelled(
        seed, selections, certain_verdicts(items, gold_labels(items), len(project.labels)), trusted=True
    )
    learner, *_ = train_learner(project, labelled, ROUNDS, open_run(project, "panel")[1])
    return evaluate(project, learner)
