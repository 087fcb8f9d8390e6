"""mollia: label private text with a panel of small local LLMs and train a classifier from those labels."""

from typing import TYPE_CHECKING

from mollia_cli.domain.waiting import wait_politely

if TYPE_CHECKING:
    from mollia_cli.api import Project

__version__ = "0.1.0"
__all__ = ["Project", "__version__"]

wait_politely()  # before any library with threads of its own is loaded


def __getattr__(name: str) -> object:
    """``Project``, imported at its first use (PEP 562): ``import mollia_cli`` alone loads nothing."""
    if name == "Project":
        from mollia_cli.api import Project

        return Project
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
