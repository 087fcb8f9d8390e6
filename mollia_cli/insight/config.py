"""``mollia config``: what is set, and where from."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from mollia_cli.domain.declared import keys
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.members import MemberSpec
from mollia_cli.domain.settings import SECTIONS, SETTINGS_FILE, RunConfig, Settings
from mollia_cli.models.home import HOME_VARIABLE, HUB_VARIABLE, home
from mollia_cli.project.context import Project
from mollia_cli.project.learner import current_run
from mollia_cli.store.project_files import PROJECT_VARIABLE, written_keys

DEFAULT = "default"
ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, JSON-ready.

    source: mollia.toml, default or environment. run: what the run keeps instead, which it was opened with; None where
    it keeps nothing else.
    """

    key: str
    value: Any
    source: str
    default: Any
    run: Any = None


def config(project: Project, run: str = "") -> list[Setting]:
    """Every setting in the order of mollia.toml, then the variables of the environment.

    run: whose kept settings stand beside them; the one used last without a name. Raises NotFoundError for an unknown
    run.
    """
    name = current_run(project, run)
    kept = project.store.runs.config(name)
    if run and kept is None:
        raise NotFoundError(f"there is no run {run!r}", f"runs: {', '.join(project.store.runs.names()) or 'none yet'}")
    return [*_settings(project, kept), *_environment(project)]


def setting(project: Project, key: str, run: str = "") -> Setting:
    """One setting by its key. Raises NotFoundError with the nearest key."""
    found = {one.key: one for one in config(project, run)}
    if key not in found:
        near = get_close_matches(key, found, n=1) or [name for name in found if name.rpartition(".")[2] == key]
        did_you_mean = f"did you mean {near[0]}? " if near else ""
        raise NotFoundError(f"no setting is called {key!r}", f"{did_you_mean}mollia config lists them")
    return found[key]


def _settings(project: Project, kept: RunConfig | None) -> Iterator[Setting]:
    written, settings = written_keys(project.root / SETTINGS_FILE), project.settings
    of_run = kept.settings(settings) if kept else settings
    yield Setting("labels", list(settings.labels.names), SETTINGS_FILE, None)
    sections: list[tuple[str, Any, Any, type]] = [("", settings, settings, Settings)]
    for name, section in SECTIONS.items():
        theirs = kept if kept and name == "run" else getattr(of_run, name)
        sections.append((f"{name}.", getattr(settings, name), theirs, section))
    for prefix, values, theirs, section in sections:
        for name, key in keys(section).items():
            if not key.description:
                continue
            value, other = _plain(getattr(values, name)), _plain(getattr(theirs, name))
            source = SETTINGS_FILE if f"{prefix}{name}" in written else DEFAULT
            yield Setting(f"{prefix}{name}", value, source, _plain(key.default), None if other == value else other)


def _environment(project: Project) -> Iterator[Setting]:
    defaults = {PROJECT_VARIABLE: str(project.root), HOME_VARIABLE: str(home()), HUB_VARIABLE: None}
    for name, default in defaults.items():
        given = os.environ.get(name)
        yield Setting(name, given or default, ENVIRONMENT if given else DEFAULT, None)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [one.written if isinstance(one, MemberSpec) else one for one in value]
    return value
