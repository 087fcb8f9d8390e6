"""An LLM behind llama.cpp's HTTP server beside the same file in process: probabilities, requests, texts a second.

    python benchmarks/servers.py MODEL.gguf --texts FILE --noun question --limit 100 --threads 1

Needs PyPI's xllamacpp, which holds llama.cpp's server. It runs in a process of its own, with so many threads and
slots; first it reads all texts, then the in-process reader does. FILE holds texts and labels (JSONL, CSV, ...).
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from time import perf_counter
from typing import Any

import numpy as np

from mollia_cli.annotators.base import Annotator, PanelContext
from mollia_cli.annotators.llama import GgufAnnotator
from mollia_cli.annotators.llama_server import LlamaServer
from mollia_cli.annotators.server.base import ServerOptions
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.prompting import Decoding
from mollia_cli.machine.bench import bench_prompt, bench_texts

SERVE = """
import sys, xllamacpp
path, threads, slots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
params = xllamacpp.CommonParams()
params.model.path, params.port, params.hostnames = path, 0, ["127.0.0.1"]
params.n_ctx, params.n_parallel, params.ui = 2048 * slots, slots, False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
server = xllamacpp.Server(params)
print("at", server.listening_address, flush=True)
sys.stdin.read()
"""


def main() -> None:
    options = parse()
    items, labels = bench_texts(options.texts, options.limit)
    prompt = bench_prompt(labels, options.noun)
    context = PanelContext(
        folder=Path(),
        labels=labels,
        prompt=lambda: prompt,
        decoding=Decoding(),
        threads=options.threads,
        tokens=0,
        long="head-tail",
        log_path=Path(gettempdir()) / "mollia-servers.log",
        show_invalid=0,
        find_llm=_nobody,
        ask=_nobody,
        recall=lambda name: {},
    )
    with serving(options.model, options.threads, options.slots) as url:
        behind = LlamaServer("server", ServerOptions(url), context)
        load = perf_counter()
        behind.load()
        load, begun = perf_counter() - load, behind.link.requests
        asked = counting(behind)
        served, seconds = read(behind, items)
        requests = behind.link.requests - begun
    inside = GgufAnnotator(
        "inside", options.model, labels, prompt, Decoding(), model_digest=behind.digest, threads=options.threads
    )
    inside.load()
    own, own_seconds = read(inside, items)
    inside.close()
    p, q = (np.exp([some[item.id].log_probs for item in items]) for some in (served, own))
    votes = np.array([np.abs(served[item.id].votes - own[item.id].votes).sum() / 2 for item in items])
    found = {
        "model": options.model.name,
        "texts": len(items),
        "threads": options.threads,
        "slots": options.slots,
        "load_seconds": round(load, 2),
        "requests_per_text": round(requests / len(items), 2),
        "by_path": {path: round(n / len(items), 2) for path, n in asked.items()},
        "texts_per_s": round(len(items) / seconds, 2),
        "in_process_texts_per_s": round(len(items) / own_seconds, 2),
        "largest_dp": round(float(np.abs(p - q).max()), 5),
        "mean_dp": round(float(np.abs(p - q).mean()), 6),
        "same_label": round(float((p.argmax(axis=1) == q.argmax(axis=1)).mean()), 4),
        "votes_that_differ": round(float(votes.mean()), 4),
        "mean_slack": [round(float(np.mean([seen.slack for seen in some.values()])), 4) for some in (served, own)],
    }
    print(json.dumps(found, indent=None if options.json else 1))


def read(annotator: Annotator, items: list[Item]) -> tuple[dict[str, Observation], float]:
    """Observations by item, and the seconds that they took."""
    begin = perf_counter()
    seen = {one.item_id: one for batch in annotator.annotate(items) for one in batch}
    return seen, perf_counter() - begin


def counting(annotator: LlamaServer) -> Counter[str]:
    """Counts what is asked of the server by path, and the prompts of its completions."""
    asked: Counter[str] = Counter()
    post = annotator.link.post

    def counted(path: str, question: dict[str, Any]) -> Any:
        asked[path] += 1
        if path == "/completion":
            asked["prompts"] += len(question["prompt"])
            asked["tokens at most"] += len(question["prompt"]) * question["n_predict"]
        return post(path, question)

    annotator.link.post = counted  # type: ignore[method-assign]
    return asked


@contextmanager
def serving(model: Path, threads: int, slots: int) -> Iterator[str]:
    """The address of a llama.cpp server of a model."""
    command = [sys.executable, "-c", SERVE, str(model), str(threads), str(slots)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield next(line.split()[1] for line in process.stdout if line.startswith("at "))
        finally:
            process.kill()


def _nobody(_: str) -> Any:
    raise NotImplementedError


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--noun", default="text")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
