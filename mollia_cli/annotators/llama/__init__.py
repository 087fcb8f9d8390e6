"""Local LLMs in GGUF files, through llama.cpp: exact label scores and votes from one shared prompt state.

Nothing here imports llama_cpp until a model is opened.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mollia_cli.annotators.llama.annotator import GgufAnnotator

__all__ = ["GgufAnnotator"]


def __getattr__(name: str) -> Any:
    if name == "GgufAnnotator":
        from mollia_cli.annotators.llama.annotator import GgufAnnotator

        return GgufAnnotator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
