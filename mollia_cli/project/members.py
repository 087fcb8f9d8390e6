"""Who labels, before anybody is made: a panel's specs, checked against the kinds of annotators that there are."""

from collections.abc import Sequence
from pathlib import Path

from mollia_cli import models
from mollia_cli.annotators import ANNOTATORS
from mollia_cli.annotators.base import Annotator
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.members import LLAMA, MemberSpec, options_of
from mollia_cli.domain.settings import SETTINGS_FILE, Settings

PANEL = "panel"
REPLAY = "replay"


def labelling(settings: Settings, source: str = PANEL, replay: str = "") -> tuple[MemberSpec, ...]:
    """The members that label for a run: the project's panel, the stored outputs ``replay``, a person or the oracle."""
    if source == PANEL:
        return settings.panel.members
    return (MemberSpec("" if replay else source, source, {"file": replay} if replay else {}),)


def kind_of(spec: MemberSpec) -> type[Annotator]:
    """The annotator's class; InputError for a kind that there is not."""
    kind: type[Annotator] = ANNOTATORS.load(spec.kind)
    return kind


def llm_name(spec: MemberSpec, folder: Path) -> str:
    """The catalogue name, or the path, of an LLM's file; a relative path is one of the project's folder."""
    return _placed(str(spec.options.get("file", spec.name)), folder)


def encoder_name(spec: MemberSpec, folder: Path) -> str:
    """The catalogue name or the folder of an encoder; a relative one is one of the project's folder."""
    return _placed(str(spec.options.get("model") or spec.name), folder)


def _placed(written: str, folder: Path) -> str:
    return str(folder.absolute() / Path(written).expanduser()) if models.looks_like_path(written) else written


def certain(members: Sequence[MemberSpec]) -> bool:
    """Whether what they say are labels, which are verdicts as they are; no aggregator is fitted to them."""
    return any(kind_of(spec).certain for spec in members)


def recorded(members: Sequence[MemberSpec]) -> bool:
    """Whether all that they say is written down already, so that they cannot be asked anything else."""
    return bool(members) and all(kind_of(spec).recorded for spec in members)


def check_members(members: Sequence[MemberSpec], where: str = f"{SETTINGS_FILE}: panel.members") -> None:
    """InputError for a kind that there is not, for options that are not its own, and for others beside a certain one.

    Nothing is made, and no model's file is looked at.
    """
    for spec in members:
        try:
            ANNOTATORS.check(spec.kind)
        except InputError as error:
            raise InputError(f"{where}: {spec.name!r}: {error.message}", error.hint) from None
        if spec.kind != LLAMA or spec.options:  # most panels hold names alone, and need no class for that
            options_of(spec, kind_of(spec).Options, where)
    if len(members) > 1 and certain(members):
        sure = next(spec for spec in members if kind_of(spec).certain)
        raise InputError(
            f"{where}: {sure.name!r} ({sure.kind}) knows the labels, and nobody else is needed beside it",
            f"take it out of the panel, and let it label a run: mollia run --annotator {sure.kind}",
        )
