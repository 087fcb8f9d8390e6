"""Panel members as they are written down: a name, a kind, and that kind's own options."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec

from mollia_cli.domain.errors import InputError

LLAMA = "llama"
ENCODER = "encoder"
_FORM = 'write a name or a path in quotes, or a table: { name = "lab", kind = "replay", file = "outputs.npy" }'
Options = TypeVar("Options")


@dataclass(frozen=True, slots=True)
class MemberSpec:
    """A panel member before it is made. A bare text is an LLM: a catalogue name, or the path of a GGUF file.

    ``kind`` is the name of an annotator, our own or another package's.
    """

    name: str
    kind: str = LLAMA
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def written(self) -> str | dict[str, Any]:
        """As it stands in ``mollia.toml``."""
        bare = self.kind == LLAMA and not self.options
        return self.name if bare else {"name": self.name, "kind": self.kind, **self.options}


def parse_members(entries: Any, where: str) -> tuple[MemberSpec, ...]:
    """The members of a list in a settings file; InputError names ``where`` and the entry that is none."""
    if not isinstance(entries, list | tuple):
        raise InputError(f"{where} is {entries!r}", "it must be a list of panel members")
    members = tuple(_parse_member(entry, f"{where}[{number}]") for number, entry in enumerate(entries))
    check_distinct([member.name for member in members], where)
    return members


def check_distinct(names: list[str], where: str) -> None:
    """InputError for the first name that two members share: their observations could not be distinguished."""
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise InputError(f"{where}: two members are called {twice!r}", 'give one another name: { name = "...", ... }')


def options_of(spec: MemberSpec, kind: type[Options], where: str = "panel.members") -> Options:
    """The options of a member as its kind declares them: a dataclass, whose fields are names, types and defaults.

    InputError for one that the kind does not know, one that is missing, and one of another type.
    """
    member = f"{where}: {spec.name!r} ({spec.kind})"
    known = {option.name: option for option in fields(kind)}  # type: ignore[arg-type]
    listed = f"options of {spec.kind}: {', '.join(known) or 'none'}"
    for name in spec.options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            did_you_mean = f"did you mean {near[0]}? " if near else ""
            raise InputError(f"{member} has no option {name!r}", f"{did_you_mean}{listed}")
    for name, option in known.items():
        if name not in spec.options and option.default is MISSING and option.default_factory is MISSING:
            raise InputError(f"{member} needs the option {name!r}", f"{listed}; write it beside its kind: {name} = ...")
    try:
        return msgspec.convert(dict(spec.options), kind)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        name = re.split(r"[.`[]", place)[0]
        given = f"{name} is {spec.options[name]!r}" if name else "its options are none"
        raise InputError(f"{member}: {given}", what[:1].lower() + what[1:]) from error


def _parse_member(entry: Any, where: str) -> MemberSpec:
    if isinstance(entry, str) and entry:
        return MemberSpec(entry)
    if not isinstance(entry, Mapping):
        raise InputError(f"{where} is {entry!r}", _FORM)
    options = dict(entry)
    name, kind = options.pop("name", None), options.pop("kind", None)
    for key, value in (("name", name), ("kind", kind)):
        if not isinstance(value, str) or not value:
            raise InputError(f"{where} has no {key}" if value is None else f"{where}.{key} is {value!r}", _FORM)
    return MemberSpec(name, kind, options)
