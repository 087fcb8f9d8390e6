"""The names that settings may hold: members of the families, and models that are on this machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.domain.declared import Key, keys
from mollia_cli.domain.errors import InputError, MolliaError
from mollia_cli.domain.members import ENCODER, LLAMA
from mollia_cli.domain.registry import Registry
from mollia_cli.domain.settings import SECTIONS, SETTINGS_FILE, Settings
from mollia_cli.engines import ENGINES
from mollia_cli.learners import LEARNERS
from mollia_cli.stopping import STOPPING
from mollia_cli.strategies import STRATEGIES

FAMILIES: dict[str, Registry] = {
    "aggregator": AGGREGATORS,
    "strategy": STRATEGIES,
    "stop": STOPPING,
    "learner": LEARNERS,
    "engine": ENGINES,
}
"""By the word that a field declares (``domain/settings.py``)."""


def members(key: Key) -> tuple[str, ...]:
    """Our own members of the family that a setting names one of; none where it names no family's."""
    return FAMILIES[key.family].own if key.family else ()


def check_settings(settings: Settings, source: str) -> None:
    """InputError for the first name that is no member of its family. Nothing is imported for that."""
    for name in SECTIONS:
        check_choices(getattr(settings, name), source, f"{name}.")


def check_choices(section: Any, source: str, prefix: str = "") -> None:
    """The same for one section, or for what a run is."""
    for key in keys(type(section)).values():
        if key.family:
            try:
                FAMILIES[key.family].check(getattr(section, key.name))
            except InputError as error:
                raise InputError(f"{source}: {prefix}{key.name}: {error.message}", error.hint) from None


def missing_models(settings: Settings, folder: Path) -> list[str]:
    """Models of the settings that are not on this machine: what asks or trains them will refuse."""
    from mollia_cli import models  # the command line's help reads this file
    from mollia_cli.project.members import encoder_name, llm_name

    llms = [llm_name(spec, folder) for spec in settings.panel.members if spec.kind == LLAMA]
    encoders = [encoder_name(spec, folder) for spec in settings.panel.members if spec.kind == ENCODER]
    return [
        name for name in dict.fromkeys([*llms, *encoders, settings.learner.encoder]) if not models.is_installed(name)
    ]


def remarks_on(settings: Settings, folder: Path) -> Iterator[str]:
    """Names in the settings that nothing has: no error, because reading a project needs none of them."""
    from mollia_cli import models

    for name in missing_models(settings, folder):
        if not models.looks_like_path(name):
            try:
                models.check_model(name)
            except MolliaError as error:
                yield f"{SETTINGS_FILE}: {error.message}, here or in the catalogue ({error.hint})"
    if not (folder / settings.annotate.template).is_file():
        yield f"{SETTINGS_FILE}: annotate.template: no file is called {folder / settings.annotate.template}"
    panel = [spec.name for spec in settings.panel.members]
    for name in settings.run.cascade:
        if not any(name in (member, Path(member).stem) for member in panel):
            yield f"{SETTINGS_FILE}: run.cascade: {name!r} is not in the panel ({', '.join(panel)})"
