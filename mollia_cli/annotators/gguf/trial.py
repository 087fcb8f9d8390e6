"""Load a model file for a trial, in a process of its own: a file that crashes llama.cpp ends that one alone."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from mollia_cli.annotators.gguf.child import ChildError, answer, call
from mollia_cli.annotators.gguf.header import read_header
from mollia_cli.domain.errors import MolliaError, RefusedError

_SECONDS, _BYTES_A_SECOND = 120.0, 20e6  # the time that a file may take: so much, and what a slow disk needs
_CELLS, _BATCH = 256, 32
_TEXT = "Is my scan back? 42 \u00e9\u4e2d\U0001f600"


def try_file(path: Path) -> None:
    """Load a GGUF file and use it a little, elsewhere; RefusedError for a file that does not survive it.

    Raises what ``Model`` and ``Context`` raise, and MolliaError where the system ended the process (memory).
    """
    read_header(path).check_whole()
    seconds = _SECONDS + path.stat().st_size / _BYTES_A_SECOND
    try:
        call(__name__, {"path": str(path)}, seconds)
    except ChildError as error:
        if error.memory:
            raise MolliaError(
                f"the system ended the trial of {path}: most likely the memory was used up",
                "use a smaller model, or close other programs",
            ) from None
        raise RefusedError(
            f"the model file {path} crashes llama.cpp: a trial in a process of its own {error}{_assertion(error.said)}",
            "do not use it; get it again from a source that you trust, or choose another: mollia models list",
        ) from None


def _assertion(said: str) -> str:
    """What llama.cpp itself says of it, if it does."""
    found = re.search(r"GGML_ASSERT\(.{1,200}\) failed", said)
    return f" ({found[0]})" if found else ""


def _work(request: dict[str, Any]) -> dict[str, Any]:
    from mollia_cli.annotators.gguf.llama import Context, Model

    path = Path(request["path"])
    with Model(path) as model:
        vocabulary = (model.bos, model.eos, model.chat_template, model.control_texts, model.end_tokens, model.pieces)
        tokens = model.tokenize(_TEXT, add_special=True, parse_special=True)[:_BATCH]
        if not len(tokens) or not any(vocabulary[-1]):
            raise RefusedError(f"{path} has a vocabulary that cannot write anything", "use another model")
        context = Context(model, cells=_CELLS, sequences=2, batch=_BATCH, threads=1)
        try:
            last = context.add(tokens, 0, [0], want_last=True)
            context.decode()
            sound = bool(np.isfinite(context.logits(last)).all())
        finally:
            context.close()
    if not sound:
        raise RefusedError(f"{path} computes no numbers: its weights are damaged", "get it again")
    return {}


if __name__ == "__main__":
    answer(_work)
