"""``mollia bundle``: models and wheels in one file, with what the wheels need of a processor."""

from collections.abc import Sequence
from pathlib import Path

from mollia_cli.annotators.llama.guard.build import wheel_needs
from mollia_cli.domain.progress import Progress, silent
from mollia_cli.models.bundle import Bundle, pack


def bundle(
    out: Path, names: Sequence[str] = (), wheels: Path | None = None, progress: Progress = silent
) -> tuple[Bundle, tuple[str, ...]]:
    """``pack``, and the processor's flags without which the wheels do not run; () where they are not known."""
    found = sorted(wheels.glob("llama_cpp_python-*.whl")) if wheels else []
    needs = wheel_needs(found[-1]) if found else ()
    return pack(out, names, wheels, progress, needs), needs
