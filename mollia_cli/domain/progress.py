"""How long work reports that it goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]
"""Called as ``progress(what, done, total)``; ``done == total`` ends that piece of work, ``UNKNOWN`` is no number."""
UNKNOWN = -1
"""The total of what nobody has counted yet."""


def silent(what: str, done: int, total: int) -> None:
    """Reports nothing."""


@contextmanager
def step(progress: Progress, what: str) -> Iterator[None]:
    """Around work that cannot be counted, such as loading a model: it is named while it takes its time."""
    progress(what, 0, 1)
    try:
        yield
    finally:
        progress(what, 1, 1)
