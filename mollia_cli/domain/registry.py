"""Lazy registries: a family's members by name, each imported only when it is asked for.

Our own stand in the family's ``__init__``. Other packages add theirs as entry points (``mollia.strategies``,
``mollia.aggregators``, ...), which are looked up where all are listed, or a name is none of our own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mollia_cli import __version__
from mollia_cli.domain.errors import InputError, RefusedError

if TYPE_CHECKING:  # importing it takes 40 ms, and our own members need none of it
    from importlib.metadata import Distribution, EntryPoint


@dataclass(frozen=True, slots=True)
class Entry:
    """One of our own members: the class that implements it and one line about it, with its source."""

    class_name: str
    summary: str


class Registry:
    """The members of one family. The name on the command line is the name of the member's file (with - for _), or entry
    point.

    ``contract``: the class in the family's ``base`` whose methods every member has; "" for a family that takes
    no members of other packages.
    """

    def __init__(self, family: str, package: str, entries: Mapping[str, Entry], contract: str = "") -> None:
        self.family = family
        self._package = package
        self._entries = dict(entries)
        self._contract = contract
        self._group = f"mollia.{package.rpartition('.')[2]}"

    @property
    def own(self) -> tuple[str, ...]:
        """Our own members: no other package is looked for."""
        return tuple(self._entries)

    def __iter__(self) -> Iterator[str]:
        yield from self._entries
        yield from self._plugins()

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._plugins()

    def summary(self, name: str) -> str:
        """One line about a member, without importing it: of another package's, what that package says of itself."""
        self.check(name)
        if name in self._entries:
            return self._entries[name].summary
        return str((_package_of(self._plugins()[name]).metadata.get_all("Summary") or [""])[0])

    def package(self, name: str) -> str:
        """The package that a member comes from, with its version."""
        self.check(name)
        return f"mollia {__version__}" if name in self._entries else _called(self._plugins()[name])

    def check(self, name: str) -> str:
        """``name`` if it is a member's; else InputError with the nearest one."""
        if name in self:
            return name
        near = get_close_matches(name.replace("-", "_"), self, n=1)
        did_you_mean = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"no {self.family} is called {name!r}", f"{did_you_mean}known: {', '.join(self)}")

    def load(self, name: str) -> Any:
        """The member's class, importing its file. RefusedError for another package's that is broken."""
        self.check(name)
        if name in self._entries:
            module = name.replace("-", "_")
            return getattr(import_module(f"{self._package}.{module}"), self._entries[name].class_name)
        point = self._plugins()[name]
        what, hint = f"{self.family} {name!r} of the package {_called(point)}", _without(_package_of(point))
        try:
            made = point.load()
        except Exception as error:  # other people's code: whatever it raises
            raise RefusedError(f"{what} cannot be loaded: {type(error).__name__}: {error}", hint) from error
        if breach := self._breach(name, made):
            raise RefusedError(f"{what} {breach}", hint)
        return made

    def _plugins(self) -> dict[str, "EntryPoint"]:
        """Other packages' members by name; RefusedError where a name is taken. Nothing of theirs is imported."""
        found: dict[str, EntryPoint] = {}
        for point in _entry_points() if self._contract else ():
            if point.group != self._group:
                continue
            if point.name in self._entries or point.name in found:
                owner = "mollia itself" if point.name in self._entries else f"the package {_called(found[point.name])}"
                raise RefusedError(
                    f"the package {_called(point)} calls a {self.family} {point.name!r}, as {owner} does",
                    _without(_package_of(point)),
                )
            found[point.name] = point
        return found

    def _breach(self, name: str, made: Any) -> str:
        """How another package's member breaks the family's contract, or ""."""
        if not isinstance(made, type):
            return f"is no class but {made!r}"
        base = getattr(import_module(f"{self._package}.base"), self._contract)
        wanted = {part for part in dir(base) if not part.startswith("_") and callable(getattr(base, part))}
        wanted |= {part for part, kind in base.__annotations__.items() if "ClassVar" in str(kind)}
        lacking = {part for part in wanted if not hasattr(made, part)} | getattr(made, "__abstractmethods__", set())
        if lacking:
            return f"lacks {', '.join(sorted(lacking))} ({base.__module__}.{self._contract})"
        own = getattr(made, "name", name)
        return f"is called {own!r} by its class" if isinstance(own, str) and own != name else ""


def plugin_packages() -> list[str]:
    """Names of the installed packages that add members to a family."""
    return sorted({_package_of(point).name for point in _entry_points()})


def _entry_points() -> list["EntryPoint"]:
    """All families' entry points; RefusedError naming the package whose list of them cannot be read."""
    from importlib.metadata import distributions, entry_points

    try:
        found = entry_points()
        groups = [found.select(group=group) for group in found.groups if group.startswith("mollia.")]
        return sorted((point for group in groups for point in group), key=lambda point: (point.name, _called(point)))
    except TypeError:  # a line that is no name = value; it does not say in which package
        for package in distributions():
            try:
                _ = package.entry_points
            except TypeError:
                raise RefusedError(
                    f"the entry points of the package {package.name} {package.version} cannot be read",
                    _without(package),
                ) from None
        raise


def _package_of(point: "EntryPoint") -> "Distribution":
    assert point.dist is not None  # it was found in one
    return point.dist


def _called(point: "EntryPoint") -> str:
    return f"{_package_of(point).name} {_package_of(point).version}"


def _without(package: "Distribution") -> str:
    return f"install another version of it, or: pip uninstall {package.name}"
