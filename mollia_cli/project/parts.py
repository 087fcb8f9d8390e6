"""``mollia annotate --part 3/8``: the share of a panel's work that one of several copies of a project does."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mollia_cli.annotators.base import Annotator
from mollia_cli.domain.errors import InputError
from mollia_cli.project.context import Project
from mollia_cli.project.workers import batches_of


@dataclass(frozen=True, slots=True)
class Part:
    """The ``number``-th of ``of`` parts, from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, written: str) -> "Part":
        """Of "3/8"; InputError for anything else, and for a part that is not there."""
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", written, re.ASCII)
        number, of = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= of:
            raise InputError(f"--part {written!r} is no part of a whole", "give two numbers from 1 on: --part 3/8")
        return cls(number, of)

    def ids(self, project: Project, annotator: Annotator, ids: Sequence[str]) -> Iterator[str]:
        """Those of ``ids`` that are this part's: every ``of``-th of the batches that all of them are read in.

        It depends on the items alone and not on what is observed of them already: a part that was stopped goes on with
        the same items, and whatever the copies have done, no item is in two parts or in none. As batches stay whole,
        their observations are bit for bit those of one process that reads everything.
        """
        mine, batches = set[str](), 0
        for batches, batch in enumerate(batches_of(project, annotator, ids), 1):
            if batches % self.of == self.number % self.of:
                mine.update(item.id for item in batch)
        if batches < self.of:
            project.say_once(
                f"{annotator.name}: only the first {batches} of {self.of} parts have anything to read: it reads so many"
                " characters together that the items are few (docs/parts.md)"
            )
        return (item_id for item_id in ids if item_id in mine)
