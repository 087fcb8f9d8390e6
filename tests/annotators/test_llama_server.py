"""A real llama.cpp server: PyPI's xllamacpp, in a process of its own."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mollia_cli.annotators.base import PanelContext
from mollia_cli.annotators.llama import GgufAnnotator
from mollia_cli.annotators.llama_server import LlamaServer
from mollia_cli.annotators.server import link
from mollia_cli.annotators.server.base import ServerOptions
from mollia_cli.annotators.server.link import ServerError
from mollia_cli.domain.items import Item
from mollia_cli.domain.prompting import Decoding

from .oracle import LABELS, PROMPT, TEXTS

pytestmark = [
    pytest.mark.usefixtures("guarded"),
    pytest.mark.proof,
    pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="pip install xllamacpp: a real server"),
]
ITEMS = [Item(str(n), text) for n, text in enumerate(TEXTS)]
SERVE = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.hostnames = sys.argv[1], 0, ["127.0.0.1"]
params.n_ctx, params.n_parallel, params.ui = 4096, 2, False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print("at", server.listening_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def serving(path: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """(address, process) of a server of a model, on a free port of this machine."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield next(line.split()[1] for line in process.stdout if line.startswith("at ")), process
    finally:
        process.kill()
        process.communicate()


def server(url: str, folder: Path, **changes: object) -> LlamaServer:
    arguments = {"decoding": Decoding(), "threads": 1, "tokens": 0, "long": "head-tail", "show_invalid": 0} | changes
    context = PanelContext(
        folder=folder,
        labels=LABELS,
        prompt=lambda: PROMPT,
        log_path=folder / "log",
        find_llm=None,  # type: ignore[arg-type]
        ask=str,
        recall=lambda name: {},
        **arguments,  # type: ignore[arg-type]
    )
    return LlamaServer("big", ServerOptions(url), context)


def test_a_real_server_gives_what_the_model_gives_in_process(
    precise_llm: Path, make: Callable[..., GgufAnnotator], tmp_path: Path
) -> None:
    """Equal within .005 for F32: the server states the 128 most probable tokens of 49,152."""
    with serving(precise_llm) as (url, _):
        behind = server(url, tmp_path)
        seen = {one.item_id: one for batch in behind.annotate(ITEMS) for one in batch}
        before = behind.link.requests
        again = {one.item_id: one for batch in behind.annotate(ITEMS) for one in batch}
        requests = (behind.link.requests - before - 1) / len(ITEMS)
        inside = make(model_digest=behind.digest)
        expected = {one.item_id: one for batch in inside.annotate(ITEMS) for one in batch}
        for item in ITEMS:
            p, q = (np.exp(some[item.id].log_probs) for some in (seen, expected))
            assert np.abs(p - q).max() <= 0.005
            assert np.abs(p - np.exp(again[item.id].log_probs)).max() <= 0.005
            assert np.abs(seen[item.id].votes - expected[item.id].votes).sum() <= 0.4
            assert behind.preview(item) == inside.preview(item)
        assert requests <= 5
        model = inside.load()
        tokens = behind._vocabulary()
        assert [*tokens.pieces] == model.pieces and tokens.end_tokens == model.end_tokens
        assert behind.identity["model"] == precise_llm.name and behind.identity["stated"]["type"] == "all F32"


def test_a_server_that_dies_stops_the_reading(
    shallow_llm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "WAITS", (0.0, 0.1))
    with serving(shallow_llm) as (url, process):
        behind = server(url, tmp_path)
        read = behind.annotate([Item(str(n), "It is fine.") for n in range(64)])
        assert len(next(read)) == 16
        process.kill()
        process.wait()
        with pytest.raises(ServerError, match="cannot be reached") as error:
            next(read)
        assert error.value.hint == "start it, then type the same command again"
