"""Shell completion of names, from light sources only."""

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.registry import Registry
from mollia_cli.engines import ENGINES
from mollia_cli.stopping import STOPPING
from mollia_cli.strategies import STRATEGIES


def strategies(incomplete: str) -> list[tuple[str, str]]:
    """Query strategies that start so."""
    return _starting(STRATEGIES, incomplete)


def aggregators(incomplete: str) -> list[tuple[str, str]]:
    """Aggregators that start so."""
    return _starting(AGGREGATORS, incomplete)


def criteria(incomplete: str) -> list[tuple[str, str]]:
    """Stopping criteria that start so."""
    return _starting(STOPPING, incomplete)


def engines(incomplete: str) -> list[tuple[str, str]]:
    """Engines that start so."""
    return _starting(ENGINES, incomplete)


def models(incomplete: str) -> list[str]:
    """Catalogue and installed models that start so."""
    from mollia_cli.models import list_models

    return [model.name for model in list_models() if model.name.startswith(incomplete)]


def labels(incomplete: str) -> list[str]:
    """The project's labels that start so; none outside a project."""
    from mollia_cli.domain.settings import SETTINGS_FILE
    from mollia_cli.store.project_files import find_root, read_settings

    try:
        names = read_settings(find_root(None) / SETTINGS_FILE).labels.names
    except MolliaError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def _starting(registry: Registry, incomplete: str) -> list[tuple[str, str]]:
    """Members that start so, with their summaries; none where packages clash, which the command itself says."""
    try:
        return [(name, registry.summary(name)) for name in registry if name.startswith(incomplete)]
    except MolliaError:
        return []
