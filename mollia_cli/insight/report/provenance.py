"""What it takes to do the same again: settings, digests, versions and the prompt, as the run has recorded them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mollia_cli.domain.digest import digest_text
from mollia_cli.domain.report import Provenance
from mollia_cli.domain.settings import SECTIONS
from mollia_cli.insight.report.missing import without_folders
from mollia_cli.insight.report.subject import run_fit
from mollia_cli.project.context import Project
from mollia_cli.project.learner import run_config
from mollia_cli.project.record import recorded_settings, run_record, settings_record


def provenance(project: Project, run: str) -> Provenance:
    """Everything but the data, from the run's record; before any run, what a run would record now.

    Of a run without a record (an older version opened it) there is its setup alone.
    """
    record = project.store.runs.record(run) if run else run_record(project)
    if record is None:
        about = f"Run {run} has no record: an older version opened it."
    else:
        about = f"As recorded when run {run} was opened." if run else "As a run would record it now: there is none yet."
    sections = _settings(record) if record else {}
    if run:
        sections[f"run {run}"] = asdict(run_config(project, run))
    known = record or {}
    return Provenance(
        about,
        tuple((name, tuple((key, _value(value)) for key, value in pairs.items())) for name, pairs in sections.items()),
        tuple(_digests(project, run, known)),
        tuple((name, version) for name, version in known.get("versions", {}).items() if name != "platform"),
        known.get("template") or "",
    )


def _settings(record: dict[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Every recorded setting, by section."""
    settings = recorded_settings(record)
    top = {"random_seed": settings.random_seed, "noun": settings.noun, "task": settings.task_sentence}
    recorded = settings_record(settings)
    for member in recorded["panel"]["members"]:  # a report is passed on: where a server is, is nobody's business
        if isinstance(member, dict):
            member.pop("url", None)
            member.pop("key_file", None)
    return {"project": top, **{name: recorded[name] for name in SECTIONS}}


def _digests(project: Project, run: str, record: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [("label set", project.labels.digest)]
    named = {"template": "prompt template", "guidelines": "guidelines"}
    found += [(name, digest_text(record[key])) for key, name in named.items() if record.get(key)]
    found += [(f"encoder: {name}", digest) for name, digest in record.get("encoder", {}).items()]
    fit = run_fit(project, run)
    for key in fit.panel if fit is not None else ():
        name, identity = project.store.observations.annotator(key)
        found += [(f"{name}: {what}", identity[what]) for what in ("model", "file", "engine") if what in identity]
        if identity.get("annotator") == "server":
            found.append((f"{name}: unproven", "model and engine are what its server says of itself"))
        found.append((f"{name}: observations", key))
    return found


def _value(value: Any) -> str:
    """A setting in words; of absolute paths the last part."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(one)}" for key, one in value.items())
    return ", ".join(map(_value, value)) if isinstance(value, (list, tuple)) else without_folders(str(value))
