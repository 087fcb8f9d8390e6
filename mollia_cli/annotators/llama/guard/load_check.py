"""The load check: a model file is used a little in a child process before it is used here; a crash ends that alone.

A processor can be the reason as well as the file: kernels that crash there (AMX, llama.cpp #20824) or compute something
else. So a file is loaded twice, with llama.cpp's quickest kernels and with its plain ones, and the two are compared.
"""

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mollia_cli.annotators.llama.binding.header import read_header
from mollia_cli.annotators.llama.guard.build import ILLEGAL, wrong_processor
from mollia_cli.annotators.llama.guard.child import ChildError, answer, call
from mollia_cli.domain.errors import MolliaError, RefusedError

_SECONDS, _BYTES_A_SECOND = 120.0, 20e6  # the time that a file may take: so much, and what a slow disk needs
_CELLS, _BATCH = 256, 64
_TEXTS = (
    "Is my scan back? 42 \u00e9\u4e2d\U0001f600",
    "The appointment was moved to Tuesday afternoon, and nobody told the patient why; the letter arrived a week later,"
    " with the wrong name on it. Category:",
)
# Total variation distance between the next token's distributions, mean of the texts. Rounding gives .06 at most
# (five small models, Zen 5, repacked kernels against plain ones); kernels that compute something else give near 1.
_OTHER_NUMBERS = 0.25


def check_load(path: Path) -> bool:
    """Load a GGUF file and use it a little, in a child process; whether it may be used with the extra buffers.

    Raises RefusedError for a file that survives no setting, or that this build of llama.cpp cannot compute on this
    processor; what ``Model`` and ``Context`` raise; and MolliaError where the system ended the process (memory).
    """
    read_header(path).check_whole()
    quick, plain = _last_logits(path, True), _last_logits(path, False)
    if isinstance(quick, np.ndarray) and isinstance(plain, np.ndarray):
        return _distance(quick, plain) <= _OTHER_NUMBERS
    if isinstance(quick, np.ndarray) or isinstance(plain, np.ndarray):
        return isinstance(quick, np.ndarray)
    if isinstance(plain, ChildError):
        raise _failure(path, plain)
    raise RefusedError(f"{path} computes no numbers: its weights are damaged", "get it again")


def _last_logits(path: Path, extra_buffers: bool) -> NDArray[np.float32] | ChildError | None:
    """The last logits [texts, n_vocab]; None where they are no numbers; how the process ended, where it did."""
    seconds = _SECONDS + path.stat().st_size / _BYTES_A_SECOND
    try:
        found = call(__name__, {"path": str(path), "extra_buffers": extra_buffers}, seconds)
    except ChildError as error:
        if error.memory:
            raise MolliaError(
                f"the system ended the load check of {path}: most likely the memory was used up",
                "use a smaller model, or close other programs",
            ) from None
        return error
    logits = np.frombuffer(base64.b64decode(found["logits"]), dtype=np.float32).reshape(len(_TEXTS), -1)
    return logits if np.isfinite(logits).all() else None


def _distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mean total variation distance between softmaxes."""
    p, q = (np.exp(x - x.max(axis=1, keepdims=True), dtype=np.float64) for x in (one, other))
    gap = np.abs(p / p.sum(axis=1, keepdims=True) - q / q.sum(axis=1, keepdims=True))
    return float(gap.sum(axis=1).mean() / 2)


def _failure(path: Path, error: ChildError) -> RefusedError:
    if error.signal == ILLEGAL:
        return wrong_processor()
    return RefusedError(
        f"the model file {path} crashes llama.cpp with every setting: the load check in a child process"
        f" {error}{_assertion(error.stderr)}",
        "do not use it; get it again from a source that you trust, or choose another: mollia models list",
    )


def _assertion(stderr: str) -> str:
    """The assertion that llama.cpp printed, if it did."""
    found = re.search(r"GGML_ASSERT\(.{1,200}\) failed", stderr)
    return f" ({found[0]})" if found else ""


def _work(request: dict[str, Any]) -> dict[str, Any]:
    from mollia_cli.annotators.llama.binding.llama import Context, Model

    path = Path(request["path"])
    with Model(path, extra_buffers=request["extra_buffers"]) as model:
        vocabulary = (model.bos, model.eos, model.chat_template, model.control_texts, model.end_tokens, model.pieces)
        texts = [model.tokenize(text, add_special=True, parse_special=True)[:_BATCH] for text in _TEXTS]
        if not all(map(len, texts)) or not any(vocabulary[-1]):
            raise RefusedError(f"{path} has a vocabulary that cannot write anything", "use another model")
        context = Context(model, cells=_CELLS, sequences=2, batch=_BATCH, threads=1)
        rows = []
        try:
            for tokens in texts:
                context.clear()
                last = context.add(tokens, 0, [0], want_last=True)
                context.decode()
                rows.append(context.logits(last).copy())
        finally:
            context.close()
    return {"logits": base64.b64encode(np.array(rows, dtype=np.float32).tobytes()).decode()}


if __name__ == "__main__":
    answer(_work)
