"""``mollia choices``: everything that can be chosen by its name, in one list."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mollia_cli.domain.errors import InputError

if TYPE_CHECKING:
    from mollia_cli.domain.registry import Registry

FAMILIES = ("strategies", "aggregators", "annotators", "engines", "learners", "stopping", "readers", "writers")


@dataclass(frozen=True, slots=True)
class Choice:
    """A member of a family: its package with the version, one line about it, whether a new project uses it."""

    family: str
    name: str
    default: bool
    package: str
    summary: str


def choices(*families: str) -> Iterator[Choice]:
    """The members of families (none: of all), in the families' order; none is imported. InputError for no family."""
    for family in families:
        if family not in FAMILIES:
            raise InputError(f"nothing to choose is called {family!r}", f"known: {', '.join(FAMILIES)}")
    registries = _registries()
    for family in FAMILIES:
        if not families or family in families:
            registry, default = registries[family]
            for name in registry:
                yield Choice(family, name, name == default, registry.package(name), registry.summary(name))


def _registries() -> "dict[str, tuple[Registry, str]]":
    """By family: its members, and the one that a new project uses; "" where a file's name decides."""
    # here, because completion and help read the names of the families alone
    from mollia_cli.aggregators import AGGREGATORS, DEFAULT
    from mollia_cli.annotators import ANNOTATORS
    from mollia_cli.domain.settings import AnnotateSettings, LearnerSettings, RunSettings
    from mollia_cli.engines import ENGINES
    from mollia_cli.learners import LEARNERS
    from mollia_cli.readers import FORMATS
    from mollia_cli.stopping import STOPPING
    from mollia_cli.strategies import STRATEGIES
    from mollia_cli.writers import WRITERS

    run = RunSettings()
    return {
        "strategies": (STRATEGIES, run.strategy),
        "aggregators": (AGGREGATORS, DEFAULT),
        "annotators": (ANNOTATORS, "llama"),
        "engines": (ENGINES, AnnotateSettings().engine),
        "learners": (LEARNERS, LearnerSettings().name),
        "stopping": (STOPPING, run.stop),
        "readers": (FORMATS, ""),
        "writers": (WRITERS, ""),
    }
