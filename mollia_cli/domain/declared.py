"""What is declared of a setting: its type, its limits and its remark, read off the field of a section."""

from collections.abc import Iterable
from dataclasses import Field, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from msgspec import Meta

from mollia_cli.domain.members import MemberSpec


@dataclass(frozen=True, slots=True)
class Key:
    """What is declared of one field. ``kind``: its type without the limits."""

    name: str
    kind: Any
    limits: Meta
    default: Any

    @property
    def description(self) -> str:
        """The remark for people; what has none is no option."""
        return self.limits.description or ""

    @property
    def family(self) -> str:
        """The family that a value names a member of, or ""."""
        return str((self.limits.extra or {}).get("family", ""))

    @property
    def words(self) -> str:
        """The type, for people; "" for one that has no words."""
        return _WORDS.get(Literal if get_origin(self.kind) is Literal else self.kind, "")

    @property
    def expected(self) -> str:
        """What a value must be, for people: its type and its limits."""
        if get_origin(self.kind) is Literal:
            return f"one of: {', '.join(get_args(self.kind))}"
        least, above, most, below = (getattr(self.limits, end) for end in ("ge", "gt", "le", "lt"))
        if least is not None:
            rest = f" to {most}" if most is not None else f" to below {below}" if below is not None else None
            return f"{self.words}, {least} or more" if rest is None else f"{self.words} from {least}{rest}"
        if above is not None:
            rest = f", at most {most}" if most is not None else f" and below {below}" if below is not None else ""
            return f"{self.words} above {above}{rest}"
        return self.words

    def remark(self, members: Iterable[str] = ()) -> str:
        """All of it as one sentence; ``members``: of the family."""
        expected = self.expected
        if members:
            expected = f"one of: {', '.join(members)}, or another package's"
        about = f" ({expected})" if expected not in ("", _WORDS[str]) else ""
        return f"{self.description.removesuffix('.')}{about}."


_WORDS = {
    str: "text in quotes",
    Literal: "text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    bool | Literal["auto"]: 'true, false or "auto"',
    tuple[str, ...]: "a list of texts in quotes",
    tuple[MemberSpec, ...]: "a list of names and tables",
}


def keys(section: type) -> dict[str, Key]:
    """What is declared of a section's fields, but of those that are sections themselves, by name."""
    return {known.name: key_of(known) for known in fields(section) if not is_dataclass(known.type)}


def key_of(known: "Field[Any]") -> Key:
    """What is declared of one field of a section."""
    kind, limits = get_args(known.type) if get_origin(known.type) is Annotated else (known.type, Meta())
    return Key(known.name, kind, limits, known.default)
