"""A project's folder: finding it, and reading and writing ``mollia.toml``."""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType
from typing import Any

import tomlkit
from tomlkit.items import InlineTable, Table

from mollia_cli.domain.declared import Key, keys
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.files import write_private
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.members import MemberSpec
from mollia_cli.domain.settings import SECTIONS, SETTINGS_FILE, PanelSettings, Settings, parse_settings

PROJECT_VARIABLE = "MOLLIA_PROJECT"
_WIDTH = 110  # of comments


def find_root(given: Path | None) -> Path:
    """The project folder: the one given, else ``MOLLIA_PROJECT``, else the nearest parent of here that is one."""
    chosen = given or (Path(os.environ[PROJECT_VARIABLE]) if os.environ.get(PROJECT_VARIABLE) else None)
    if chosen is not None:
        if not (chosen / SETTINGS_FILE).is_file():
            raise NotFoundError(f"{chosen} is no mollia project: it has no {SETTINGS_FILE}", f"mollia init {chosen}")
        return chosen.resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / SETTINGS_FILE).is_file():
            return folder
    raise NotFoundError(
        f"there is no mollia project in {here} or above it",
        "make one with `mollia init --labels a,b,c`, or name one with -p FOLDER",
    )


def read_settings(path: Path) -> Settings:
    """Parse and check a settings file; a mistake raises InputError naming the file and the key or line."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}", "mend that line; texts stand in quotes, lists in [ ]") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start})", "save it as UTF-8") from error
    return parse_settings(data, str(path))


def written_keys(path: Path) -> set[str]:
    """The keys that a settings file has, those of a section with its name and a full stop before them."""
    found = set()
    for name, value in tomllib.loads(path.read_text(encoding="utf-8")).items():
        found |= {f"{name}.{key}" for key in value} if name in SECTIONS else {name}
    return found


def write_settings(path: Path, settings: Settings, members: Callable[[Key], Iterable[str]] = lambda key: ()) -> None:
    """Write a new settings file: every key, below a comment that says what it is and what it may be.

    members: of the family that a key names one of.
    """
    document = tomlkit.document()
    document.add(tomlkit.comment("The settings of this mollia project. Every key is optional except [labels]."))
    _add_keys(document, replace(settings, task=settings.task_sentence), members)
    sections = tomlkit.document()
    for name in SECTIONS:
        values = getattr(settings, name)
        table = tomlkit.table()
        table.comment(type(values).__doc__ or "")
        _add_keys(table, values, members)
        sections.add(name, table)
    # a tomlkit table of 10,000 labels takes half a minute: each key is compared with all before it
    labels = "".join(
        f"{tomlkit.key(name).as_string()} = {tomlkit.item(description).as_string()}\n"
        for name, description in zip(settings.labels.names, settings.labels.descriptions, strict=True)
    )
    heading = "\n[labels] # label = what it means (may stay empty)\n"
    write_private(path, f"{tomlkit.dumps(document)}{heading}{labels}\n{tomlkit.dumps(sections)}")


def write_panel(path: Path, members: Sequence[MemberSpec]) -> None:
    """Set ``panel.members`` in an existing settings file, leaving everything else as it stands."""
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    panel = document.setdefault("panel", tomlkit.table())
    panel["members"] = _members(members)
    write_private(path, tomlkit.dumps(document))


def write_labels(path: Path, labels: LabelSet, renamed: Mapping[str, str] = MappingProxyType({})) -> None:
    """Set ``[labels]`` in an existing settings file; comments in it and everything else stay as they stand.

    ``renamed``: the new name of a label by its old one; its place and its description stay.
    """
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    before = document["labels"]
    after: Any = tomlkit.inline_table() if isinstance(before, InlineTable) else tomlkit.table()
    if isinstance(before, Table):
        after.trivia.comment, after.trivia.comment_ws = before.trivia.comment, before.trivia.comment_ws
    if isinstance(before, Table | InlineTable):
        body = list(before.value.body)
    else:  # keys with dots, which may stand anywhere
        body = []
        document.remove("labels")
    end = 1 + max((place for place, (key, _) in enumerate(body) if key is not None), default=-1)
    names = [None if key is None else renamed.get(key.key, key.key) for key, _ in body]
    for name, (_, item) in zip(names[:end], body[:end], strict=True):
        if name is None:
            after.add(item)
        elif name in labels.names:
            after.add(name, item)
    for name, description in zip(labels.names, labels.descriptions, strict=True):
        if name not in names:
            after.add(name, description)
    for _, item in body[end:]:  # blank lines and comments that the next section begins with
        after.add(item)
    document["labels"] = after
    write_private(path, tomlkit.dumps(document))


def write_setting(path: Path, section: str, key: str, value: int | bool, remark: str) -> None:
    """Set one key in an existing settings file, with a remark behind it, leaving everything else as it stands."""
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    document.setdefault(section, tomlkit.table())[key] = tomlkit.item(value).comment(remark)
    write_private(path, tomlkit.dumps(document))


def _add_keys(table: Any, values: Any, members: Callable[[Key], Iterable[str]]) -> None:
    for name, key in keys(type(values)).items():
        if key.description:
            for line in wrap(key.remark(members(key)), _WIDTH):
                table.add(tomlkit.comment(line))
            value = getattr(values, name)
            value = _members(value) if isinstance(values, PanelSettings) else value
            table.add(name, list(value) if isinstance(value, tuple) else value)


def _members(members: Sequence[MemberSpec]) -> Any:
    array = tomlkit.array()
    for member in members:
        entry = member.written
        if not isinstance(entry, str):
            table = tomlkit.inline_table()
            table.update(entry)
            entry = table
        array.append(entry)
    return array
