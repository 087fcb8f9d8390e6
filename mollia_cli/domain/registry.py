"""Lazy registries: a family's members by name, each imported only when it is asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from mollia_cli.domain.errors import InputError


@dataclass(frozen=True, slots=True)
class Entry:
    """One member: the class that implements it and one line about it, with its source."""

    class_name: str
    summary: str


class Registry:
    """The members of one family. The name on the command line is the name of the member's file."""

    def __init__(self, family: str, package: str, entries: Mapping[str, Entry]) -> None:
        self.family = family
        self._package = package
        self._entries = dict(entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def summary(self, name: str) -> str:
        """One line about a member, without importing it."""
        return self._entries[self.check(name)].summary

    def check(self, name: str) -> str:
        """``name`` if it is a member's; else InputError with the nearest one."""
        if name in self._entries:
            return name
        near = get_close_matches(name.replace("-", "_"), self._entries, n=1)
        did_you_mean = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"no {self.family} is called {name!r}", f"{did_you_mean}known: {', '.join(self._entries)}")

    def load(self, name: str) -> Any:
        """The member's class, importing its file."""
        entry = self._entries[self.check(name)]
        return getattr(import_module(f"{self._package}.{name}"), entry.class_name)
