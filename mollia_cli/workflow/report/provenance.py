"""What it takes to do the same again: settings, digests, versions, the prompt."""

from dataclasses import asdict
from typing import Any

from mollia_cli.domain.digest import digest_text
from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.report import Provenance
from mollia_cli.domain.settings import SECTIONS
from mollia_cli.workflow.panel import read_template
from mollia_cli.workflow.project import Project
from mollia_cli.workflow.record import versions
from mollia_cli.workflow.report.missing import without_folders
from mollia_cli.workflow.report.subject import run_fit


def provenance(project: Project, run: str) -> Provenance:
    """Everything but the data; a prompt that cannot be read is left out."""
    settings = project.settings
    sections = [("project", {"seed": settings.seed, "noun": settings.noun, "task": settings.task_sentence})]
    sections += [(name, asdict(getattr(settings, name))) for name in SECTIONS]
    if run:
        sections.append((f"run {run}", project.store.runs.settings(run) or {}))
    try:
        prompt = read_template(project)[0]
    except MolliaError:
        prompt = ""
    return Provenance(
        tuple((name, tuple((key, _value(value)) for key, value in values.items())) for name, values in sections),
        tuple(_digests(project, run, prompt)),
        tuple((name, known) for name, known in versions().items() if name != "platform"),
        prompt,
    )


def _digests(project: Project, run: str, prompt: str) -> list[tuple[str, str]]:
    found = [("label set", project.labels.digest), ("prompt template", digest_text(prompt))]
    fit = run_fit(project, run)
    for key in fit.panel if fit is not None else ():
        name, identity = project.store.observations.annotator(key)
        found += [(f"{name}: {what}", identity[what]) for what in ("model", "file", "engine") if what in identity]
        found.append((f"{name}: observations", key))
    return found


def _value(value: Any) -> str:
    """A setting in words; of absolute paths the last part."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(one)}" for key, one in value.items())
    return ", ".join(map(_value, value)) if isinstance(value, (list, tuple)) else without_folders(str(value))
