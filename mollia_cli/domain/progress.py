"""How long work reports that it goes on."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as ``progress(what, done, total)``; ``done == total`` ends that piece of work."""


def silent(what: str, done: int, total: int) -> None:
    """Reports nothing."""
