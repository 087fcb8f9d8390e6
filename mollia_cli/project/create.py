"""``mollia init``: a new project folder."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
from mollia_cli.project.guidelines import GUIDELINES_FILE
from mollia_cli.project.members import check_members
from mollia_cli.project.names import members as family_members
from mollia_cli.project.names import missing_models
from mollia_cli.project.panel import new_member
from mollia_cli.prompts import builtin_template, render
from mollia_cli.readers import delimiter_of
from mollia_cli.store.project_files import write_settings
from mollia_cli.store.store import Store

PROMPT_FILE = "prompt.txt"
SENTENCES = ("all-mpnet-base-v2", "all-minilm-l6-v2")  # encoders that were trained to embed sentences
_LABEL_WORDS = ("label", "labels", "name")
_DESCRIPTION_WORDS = ("description", "descriptions", "meaning", "definition", "explanation")


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
    Raises NotFoundError for an encoder's name or folder that there is not, InputError for what is no encoder.
    """
    entries = [new_member(entry).written if isinstance(entry, str) else entry for entry in panel]
    members = parse_members(entries, "panel") or tuple(map(MemberSpec, models.installed_names("llm")))
    if not paper and not any(spec.kind == ENCODER for spec in members):
        members += installed_encoders()
    check_members(members, "panel")
    if multilabel:
        task = task or f"Determine whether the label applies to the {noun}."
    settings = Settings(labels, noun, task, random_seed, PanelSettings(members), multilabel=multilabel)
    if multilabel:  # nothing chooses these for several questions yet
        settings = replace(settings, annotate=replace(settings.annotate, shots=0, guidelines=False))
    if paper:
        settings = by_paper(settings)
    if encoder and not models.looks_like_path(encoder) and not Path(encoder).is_dir():
        models.check_name(encoder, ENCODER)
    elif encoder:
        models.resolve_encoder(encoder)
    encoder = encoder or (settings.learner.encoder if paper else _default_encoder())
    return replace(settings, learner=replace(settings.learner, encoder=encoder))


def installed_encoders() -> tuple[MemberSpec, ...]:
    """The installed encoders that were trained to embed sentences."""
    return tuple(MemberSpec(name, ENCODER) for name in models.installed_names("encoder") if name in SENTENCES)


def create(root: Path, settings: Settings, paper: bool = False, guidelines: str = "") -> Created:
    """Make ``mollia.toml``, ``prompt.txt``, ``mollia.db`` and, where there are any, ``guidelines.md`` in ``root``.

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
    if guidelines:
        write_private(root / GUIDELINES_FILE, guidelines)
    write_settings(root / SETTINGS_FILE, settings, family_members)
    return Created(root, settings, tuple(missing_models(settings, root)))


def _default_encoder() -> str:
    """The default encoder if it is installed, else the first installed one, else the default."""
    installed = models.installed_names("encoder")
    default = LearnerSettings().encoder
    return next((name for name in (default, *SENTENCES, *installed) if name in installed), default)


def parse_label_file(text: str, name: str, say: Callable[[str], None] = lambda _: None) -> LabelSet:
    """Labels from a CSV file of one or two columns: label, description, in any order if the first row names them.

    The separator is a comma, semicolon or tab: the first that most lines have; ``say`` hears of another than a comma.
    Raises InputError for rows with more cells, and for a file without a header whose first column holds descriptions.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    marks = Counter(mark for line in lines if (mark := delimiter_of(line)) in line)
    mark = max(marks, key=marks.__getitem__, default=",")
    if mark != ",":
        say(f"{name}: columns are separated by {'tabs' if mark == chr(9) else 'semicolons'}")
    try:
        read = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        rows = [(read.line_num, [cell.strip() for cell in row]) for row in read if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(
            f"cannot read labels from {name}: {error}", "give a UTF-8 CSV file: label,description"
        ) from error
    places = _label_places([cell.casefold() for cell in rows[0][1]] if rows else [])
    rows = rows[1:] if places else rows
    if not rows:
        raise InputError(f"{name} holds no labels", "write one label a line, optionally followed by a description")
    for line, row in rows:
        if not places and any(row[2:]):
            raise InputError(
                f"{name}: line {line} has {len(row)} cells, not a label and a description",
                'put a description with a comma in quotes: label,"one, two and more"',
            )
    label, described = places or (0, 1)
    names, descriptions = ([row[place] if place < len(row) else "" for _, row in rows] for place in (label, described))
    if not places and _swapped(names, descriptions):
        raise InputError(
            f"{name}: the first column looks like descriptions ({names[0]!r}), the second like labels"
            f" ({descriptions[0]!r})",
            f"put the labels first, or a header above them: description{mark}label",
        )
    return parse_labels(names, descriptions)


def _label_places(first: Sequence[str]) -> tuple[int, int] | None:
    """The places of the label and the description where the first row is a header."""
    label = next((first.index(word) for word in _LABEL_WORDS if word in first), None)
    described = next((first.index(word) for word in _DESCRIPTION_WORDS if word in first), None)
    if label is None or (label > 0 and described is None):  # a label may be called "name" itself
        return None
    return label, 1 if described is None else described


def _swapped(names: Sequence[str], descriptions: Sequence[str]) -> bool:
    """The names are sentences, and what stands behind each is as short as a name."""
    words, behind = (sum(len(cell.split()) for cell in cells) for cells in (names, descriptions))
    return all(descriptions) and words >= 3 * len(names) and words > 2 * behind
