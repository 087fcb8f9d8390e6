"""``mollia init``: a new project folder."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mollia_cli import models
from mollia_cli.domain.errors import InputError, RefusedError
from mollia_cli.domain.files import write_private
from mollia_cli.domain.labels import LabelSet, parse_labels
from mollia_cli.domain.members import ENCODER, MemberSpec, parse_members
from mollia_cli.domain.questions import ANSWERS
from mollia_cli.domain.settings import SETTINGS_FILE, LearnerSettings, PanelSettings, Settings, by_paper
from mollia_cli.project.members import check_members
from mollia_cli.project.names import members as family_members
from mollia_cli.project.names import missing_models
from mollia_cli.project.panel import new_member
from mollia_cli.prompts import builtin_template, render
from mollia_cli.store.project_files import write_settings
from mollia_cli.store.store import Store

PROMPT_FILE = "prompt.txt"
SENTENCES = ("all-mpnet-base-v2", "all-minilm-l6-v2")  # encoders that were trained to embed sentences


@dataclass(frozen=True, slots=True)
class Created:
    """A new project: where it is, and what is not installed of panel and encoder yet."""

    root: Path
    settings: Settings
    missing: tuple[str, ...]


def new_settings(
    labels: LabelSet,
    noun: str = "text",
    task: str = "",
    panel: Sequence[str | Mapping[str, Any]] = (),
    encoder: str = "",
    random_seed: int = 0,
    paper: bool = False,
    multilabel: bool = False,
) -> Settings:
    """Settings of a new project; ``panel`` holds catalogue names, paths of GGUF files, and tables of other kinds.

    Without a panel: the LLMs that are installed now, written down, so that another model that is installed later
    changes no project. The installed sentence encoders join a panel that names none. Without an encoder to train: the
    paper's with its other values (``paper``), else the default if it is installed, else the first installed one.
    """
    entries = [new_member(entry).written if isinstance(entry, str) else entry for entry in panel]
    members = parse_members(entries, "panel") or tuple(map(MemberSpec, models.installed_names("llm")))
    if not paper and not any(spec.kind == ENCODER for spec in members):
        members += installed_encoders()
    check_members(members, "panel")
    if multilabel:
        task = task or f"Determine whether the label applies to the {noun}."
    settings = Settings(labels, noun, task, random_seed, PanelSettings(members), multilabel=multilabel)
    if multilabel:  # nothing chooses their number for several questions yet
        settings = replace(settings, annotate=replace(settings.annotate, shots=0))
    if paper:
        settings = by_paper(settings)
    encoder = encoder or (settings.learner.encoder if paper else _default_encoder())
    return replace(settings, learner=replace(settings.learner, encoder=encoder))


def installed_encoders() -> tuple[MemberSpec, ...]:
    """The installed encoders that were trained to embed sentences."""
    return tuple(MemberSpec(name, ENCODER) for name in models.installed_names("encoder") if name in SENTENCES)


def create(root: Path, settings: Settings, paper: bool = False) -> Created:
    """Make ``mollia.toml``, ``prompt.txt`` and ``mollia.db`` in ``root``.

    paper: the prompt is the paper's, which does not have the labels' descriptions.
    A folder that already holds a project raises RefusedError and is left as it is.
    """
    if (root / SETTINGS_FILE).exists():
        raise RefusedError(f"{root} already holds a mollia project", f"see it with `mollia status -p {root}`")
    labels = settings.labels
    if settings.multilabel:
        template = builtin_template("question")
        render(template, ANSWERS, settings.noun, settings.task_sentence, asked=labels.names[0])
    else:
        template = builtin_template("described" if any(labels.descriptions) and not paper else "paper")
        render(template, labels, settings.noun, settings.task_sentence)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    Store(root, labels, create=True).close()
    write_private(root / PROMPT_FILE, template)
    write_settings(root / SETTINGS_FILE, settings, family_members)
    return Created(root, settings, tuple(missing_models(settings, root)))


def _default_encoder() -> str:
    """The default encoder if it is installed, else the first installed one, else the default."""
    installed = models.installed_names("encoder")
    default = LearnerSettings().encoder
    return next((name for name in (default, *SENTENCES, *installed) if name in installed), default)


def parse_label_file(text: str, name: str) -> LabelSet:
    """Labels from a CSV file of one or two columns: label, description (a header row is recognised)."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(
            f"cannot read labels from {name}: {error}", "give a UTF-8 CSV file: label,description"
        ) from error
    if rows and rows[0][0].strip().casefold() in ("label", "labels", "name"):
        rows = rows[1:]
    if not rows:
        raise InputError(f"{name} holds no labels", "write one label a line, optionally followed by a description")
    return parse_labels((row[0] for row in rows), (row[1] if len(row) > 1 else "" for row in rows))
