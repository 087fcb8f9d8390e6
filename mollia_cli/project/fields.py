"""Items by the other columns of their file: ``--where column=value``."""

from collections.abc import Sequence

from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.project.context import Project

_SHOWN = 8


def where(project: Project, conditions: Sequence[str]) -> frozenset[str] | None:
    """The ids of the items that meet every condition, each "column=value"; None without any.

    Values are compared as they are written; "column=" is about items that have none. Raises InputError for what is no
    condition or no column, NotFoundError where no item meets them.
    """
    if not conditions:
        return None
    items, found = project.store.items, None
    columns = list(items.fields())
    for condition in conditions:
        name, sign, value = condition.partition("=")
        if not sign:
            raise InputError(f"{condition!r} is no condition", "write it as COLUMN=VALUE, for example author=Ann")
        if name not in columns:
            have = f"columns: {', '.join(columns)}" if columns else "the imported files had none beside text and label"
            raise InputError(f"no item has a column {name!r}", have)
        met = items.where(name, value)
        if not met:
            values = ", ".join(map(repr, items.values(name, _SHOWN)))
            raise NotFoundError(f"no item has {condition}", f"it must be the whole value; {name} is {values}")
        found = met if found is None else found & met
    if not found:
        raise NotFoundError(f"no item has {' and '.join(conditions)}", "leave one of them out")
    return frozenset(found)
