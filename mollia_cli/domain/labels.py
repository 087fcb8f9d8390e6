"""The label set of a project."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.printable import count


@dataclass(frozen=True, slots=True)
class LabelSet:
    """K >= 2 label names in their fixed order; ``descriptions[k]`` may be empty."""

    names: tuple[str, ...]
    descriptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.descriptions:
            object.__setattr__(self, "descriptions", ("",) * len(self.names))
        if len(self.descriptions) != len(self.names):
            raise InputError(
                f"{count(len(self.names), 'label')} but {count(len(self.descriptions), 'description')}",
                "give one description for each label, or none at all",
            )
        if len(self.names) < 2:
            raise InputError(
                f"a classifier needs two labels or more, got {list(self.names)}",
                "name them, for example: --labels spam,ham",
            )
        seen: dict[str, str] = {}
        for name in self.names:
            if not name.strip() or name != name.strip():
                raise InputError(f"label {name!r} is empty or has spaces around it", "remove them")
            if any(ord(character) < 32 for character in name):
                raise InputError(f"label {name!r} holds a control character", "use printable text")
            key = normalise_answer(name)
            if key in seen:
                raise InputError(
                    f"labels {seen[key]!r} and {name!r} read the same to an LLM",
                    "labels must differ in more than case, quotes or a final full stop",
                )
            seen[key] = name

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The index of a label given by name; an unknown one raises InputError with a suggestion."""
        try:
            return self.names.index(name)
        except ValueError:
            pass
        by_key = {normalise_answer(known): k for k, known in enumerate(self.names)}
        found = by_key.get(normalise_answer(name))
        if found is not None:
            return found
        near = get_close_matches(name, self.names, n=1)
        did_you_mean = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(
            f"label {name!r} is not one of the project's labels",
            f"{did_you_mean}labels: {', '.join(self.names)}",
        )

    def chosen(self, answer: str) -> int | None:
        """The label that a person means by its number from 1, its name, or the start of one name; None where unclear.

        A label that is a number itself is meant by its name.
        """
        if answer.isdecimal() and 1 <= int(answer) <= len(self) and answer not in self.names:
            return int(answer) - 1
        key = normalise_answer(answer)
        names = [normalise_answer(name) for name in self.names]
        if key in names:
            return names.index(key)
        starts = [k for k, name in enumerate(names) if key and name.startswith(key)]
        return starts[0] if len(starts) == 1 else None

    @property
    def digest(self) -> str:
        """Identity of the label set: names, order and descriptions."""
        return digest_of({"names": self.names, "descriptions": self.descriptions})


_QUOTES = "\"'`\u2018\u2019\u201c\u201d"


def normalise_answer(answer: str) -> str:
    """An LLM's answer as it is compared with labels: stripped of white space, quotes and final stop, case-folded."""
    text = answer.strip()
    previous = None
    while previous != text:
        previous = text
        text = text.strip(_QUOTES + "*").rstrip(".").strip()
    return text.casefold()


def parse_labels(names: Iterable[str], descriptions: Iterable[str] = ()) -> LabelSet:
    """A LabelSet from loose input: names are stripped and empty ones dropped."""
    kept = tuple(name.strip() for name in names if name.strip())
    return LabelSet(kept, tuple(text.strip() for text in descriptions))
