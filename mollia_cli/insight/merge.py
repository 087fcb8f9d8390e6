"""``mollia merge``: what copies of the project have observed comes home."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.files import check_local
from mollia_cli.domain.printable import count
from mollia_cli.project.context import Project
from mollia_cli.project.panel import panel_annotators
from mollia_cli.project.questions import by_question
from mollia_cli.store.database import DATABASE_FILE
from mollia_cli.store.merge import Merged


def merge(project: Project, files: Sequence[str | Path], dry_run: bool = False) -> list[Merged]:
    """Add the observations of copies of the project, folders or database files: all of them or nothing.

    They keep their identities, their seconds and their memory; what is here already is not written again. The copies'
    labels, decisions, verdicts and runs stay where they are. dry_run: only look. The project's own database is skipped.
    Raises NotFoundError for a file that is not there, RefusedError for one that is not a copy of this project.
    """
    for file in files:
        check_local(str(file))
    given = [Path(file) / DATABASE_FILE if Path(file).is_dir() else Path(file) for file in files]
    done = project.store.merge([path for path in given if not _is_own(project, path)], dry_run)
    for path in filter(lambda path: _is_own(project, path), given):
        project.say(f"{path} is this project's own database: there is nothing to merge")
    for one in (annotator for merged in done for annotator in merged.annotators):
        if one.different:
            project.say(
                f"{one.name}: {count(one.different, 'observation')} here with other numbers, which have stayed, the"
                f" first of {one.first_different!r}"
            )
    _say_unused(project, {one.key: (one.name, one.identity) for merged in done for one in merged.annotators})
    return done


def _is_own(project: Project, path: Path) -> bool:
    return path.exists() and not path.is_symlink() and path.samefile(project.store.path)


def _say_unused(project: Project, merged: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    """Say which identities are not the panel's: what they have observed is kept, and no aggregation looks at it."""
    try:
        panel = [
            (one.name, seen.store.observations.stored(one.identity))
            for seen in by_question(project)
            for one in panel_annotators(seen)
        ]
    except MolliaError:
        return  # a model is not here: whoever asks the panel hears of it
    for name, identity in merged.values():
        if identity in [own for _, own in panel]:
            continue
        differs = [
            sorted(key for key in {*identity, *own} if identity.get(key) != own.get(key))
            for called, own in panel
            if called == name
        ]
        fewest = min(differs, key=len) if differs else []
        words = ", ".join(fewest)
        why = f"its {words} there are not those of here" if words else "the panel here has no such member"
        project.say(f"{name}: what it has observed is kept and not used, as {why}")
