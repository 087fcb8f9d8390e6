"""Shell completion of names, from light sources only."""

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.stopping import STOPPING
from mollia_cli.strategies import STRATEGIES


def strategies(incomplete: str) -> list[tuple[str, str]]:
    """Query strategies that start so."""
    return [(name, STRATEGIES.summary(name)) for name in STRATEGIES if name.startswith(incomplete)]


def aggregators(incomplete: str) -> list[tuple[str, str]]:
    """Aggregators that start so."""
    return [(name, AGGREGATORS.summary(name)) for name in AGGREGATORS if name.startswith(incomplete)]


def criteria(incomplete: str) -> list[tuple[str, str]]:
    """Stopping criteria that start so."""
    return [(name, STOPPING.summary(name)) for name in STOPPING if name.startswith(incomplete)]


def models(incomplete: str) -> list[str]:
    """Catalogue and installed models that start so."""
    from mollia_cli.models import list_models

    return [model.name for model in list_models() if model.name.startswith(incomplete)]


def labels(incomplete: str) -> list[str]:
    """The project's labels that start so; none outside a project."""
    from mollia_cli.domain.errors import MolliaError
    from mollia_cli.domain.settings import SETTINGS_FILE
    from mollia_cli.store.project_files import find_root, read_settings

    try:
        names = read_settings(find_root(None) / SETTINGS_FILE).labels.names
    except MolliaError:
        return []
    return [name for name in names if name.startswith(incomplete)]
