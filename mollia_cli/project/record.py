"""A run's record: what it takes to repeat it, written down when the run is opened first."""

import platform
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mollia_cli import __version__, models
from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.members import LLAMA
from mollia_cli.domain.registry import plugin_packages
from mollia_cli.domain.settings import SECTIONS, Settings, parse_settings
from mollia_cli.models.digests import digest
from mollia_cli.project.context import Project
from mollia_cli.project.guidelines import read_guidelines
from mollia_cli.project.panel import llm_file, read_template

# The libraries that numbers come from.
LIBRARIES = ("numpy", "scipy", "llama-cpp-python", "torch", "transformers", "xgboost-cpu")

_WHERE = ("engine", "address", "workers")  # keys of [annotate] that say where it is computed, not what


def run_record(project: Project) -> dict[str, Any]:
    """Settings, prompt template, guidelines, digests of the panel's files and of the encoder's, versions.

    JSON-ready. A model or template that is not there has no entry: the run itself will say what it lacks.
    """
    return {
        "settings": settings_record(project.settings),
        "template": prompt_template(project),
        "guidelines": read_guidelines(project),
        "panel": _panel(project),
        "encoder": _encoder(project.settings.learner.encoder),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The versions of mollia, Python, the machine's system, and the libraries and plug-ins that numbers come from."""
    program = {"mollia": __version__, "Python": platform.python_version(), "platform": platform.platform()}
    return program | installed_versions((*LIBRARIES, *plugin_packages()))


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of those of the distributions that are installed."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def settings_record(settings: Settings) -> dict[str, Any]:
    """Settings as ``recorded_settings`` reads them, but where the LLMs ran: a rerun may read elsewhere."""
    labels = dict(zip(settings.labels.names, settings.labels.descriptions, strict=True))
    top = {"noun": settings.noun, "task": settings.task, "random_seed": settings.random_seed, "labels": labels}
    sections = {name: asdict(getattr(settings, name)) for name in SECTIONS}
    sections["annotate"] = {key: value for key, value in sections["annotate"].items() if key not in _WHERE}
    sections["panel"] = {"members": [spec.written for spec in settings.panel.members]}
    return top | {
        name: {key: list(value) if isinstance(value, tuple) else value for key, value in section.items()}
        for name, section in sections.items()
    }


def recorded_settings(record: dict[str, Any]) -> Settings:
    """The settings of a record."""
    return parse_settings(record["settings"], "the run's record")


def prompt_template(project: Project) -> str | None:
    """The text of the project's prompt template; None where it cannot be read."""
    try:
        return read_template(project)[0]
    except MolliaError:
        return None


def _panel(project: Project) -> dict[str, str]:
    """SHA-256 of each LLM's file, by the member's name or path."""
    found = {}
    for spec in project.settings.panel.members:
        if spec.kind != LLAMA:
            continue
        try:
            found[spec.name] = llm_file(project, spec).sha256
        except MolliaError:
            continue
    return found


def _encoder(name: str) -> dict[str, str]:
    """SHA-256 of each file of the encoder's weights."""
    try:
        folder = models.resolve_encoder(name)
    except MolliaError:
        return {}
    return {path.name: digest(path) for path in sorted(folder.glob("*.safetensors"))}
