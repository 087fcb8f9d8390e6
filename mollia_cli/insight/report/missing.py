"""What a report says where something is missing, and what it never says: where a project lies."""

import re
from collections.abc import Callable
from typing import TypeVar

from mollia_cli.domain.errors import MolliaError, StoreError
from mollia_cli.domain.report import Missing

T = TypeVar("T")
# The folders of an absolute path, on whatever platform it was written; they tell of people, and a report travels.
_FOLDERS = re.compile(r"(?<![\w.~-])(?:~|[A-Za-z]:)?(?:[\\/][^\s\\/]+)*[\\/](?=[^\s\\/])")


def or_missing(gather: Callable[[], T]) -> T | Missing:
    """What ``gather`` returns, or its MolliaError in words; without the database there is no report."""
    try:
        return gather()
    except StoreError:
        raise
    except MolliaError as error:
        return Missing(without_folders(error.message), without_folders(error.hint))


def without_folders(text: str) -> str:
    """Text whose absolute paths are shortened to their last part."""
    return _FOLDERS.sub("", text)
