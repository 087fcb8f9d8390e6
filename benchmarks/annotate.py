"""Annotation speed: mollia beside the usual ways to label texts with a local GGUF model, on the same file.

    python benchmarks/annotate.py MODEL.gguf                            # the demo's messages
    python benchmarks/annotate.py MODEL.gguf --texts FILE --limit 500 --peer-limit 40 --threads 2
    python benchmarks/annotate.py MODEL.gguf --json

FILE holds texts and labels (JSONL, CSV, ...); the labels are those that occur. All contenders
get the same prompt (mollia's default template), texts and threads, each in a process of its own, and
measure the prefill ceiling of the file (512-token batches) before, between and after their work, so that
`of_ceiling` (texts per second per thousand tokens per second of ceiling) can be compared on a busy machine.

loop          llama_cpp.Llama.create_chat_completion, T = 10 generations a text, answers matched with labels
loop+logits   the same, and one more completion with log-probabilities (which needs logits_all)
loglikelihood each label scored as the continuation of the prompt, without votes: what evaluation harnesses do
mollia        label scores and T = 10 sampled votes

Peers are slow: they get the first `--peer-limit` texts of the same shuffled order.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mollia_cli.annotators.llama import GgufAnnotator
from mollia_cli.annotators.llama.bench import bench_annotate
from mollia_cli.annotators.llama.binding.llama import Model, lib, log_to
from mollia_cli.annotators.llama.binding.speed import Ceiling
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet, normalise_answer
from mollia_cli.domain.memory import peak_rss
from mollia_cli.domain.prompting import Decoding, Prompt
from mollia_cli.machine.bench import bench_prompt, bench_texts

GENERATIONS = 10
CONTENDERS = ("mollia", "loop", "loop+logits", "loglikelihood")
Work = Callable[[Any, Sequence[Item], LabelSet, Prompt], list[int]]


def main() -> None:
    options = parse()
    if options.one:
        print(json.dumps(run_one(options)))
        return
    rows = [in_its_own_process(name) for name in ("mollia", *options.peers.split(","))]
    if options.json:
        print(json.dumps({"model": str(options.model), "rows": rows}))
        return
    ours = rows[0]
    print(f"{options.model.name}, {ours['threads']} threads, {ours['texts']} texts (peers {rows[1]['texts']})")
    print(f"{'':14}{'texts/s':>9}{'ceiling':>9}{'of ceiling':>11}{'mollia is':>11}{'accuracy':>10}{'peak MB':>9}")
    for row in rows:
        times = f"{ours['of_ceiling'] / row['of_ceiling']:.1f}x"
        print(
            f"{row['name']:14}{row['texts_per_s']:9.2f}{row['ceiling_tokens_per_s']:9.0f}{row['of_ceiling']:11.2f}"
            f"{times:>11}{row['accuracy']:10.3f}{row['peak_rss_mb']:9.0f}"
        )
    print(
        f"mollia: {ours['new_tokens_per_text']:.1f} new tokens a text, {ours['extra_tokens_per_text']:.1f} of them "
        f"for labels and votes; {ours['ratio']:.2f} of the ceiling (by CPU time {ours['ratio_cpu']:.2f})"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--texts", type=Path, help="texts with labels; default: the demo's messages")
    parser.add_argument("--noun", default="message", help="what a text is called in the prompt")
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--peer-limit", type=int, default=40)
    parser.add_argument("--peers", default=",".join(CONTENDERS[1:]), help="some of: %(default)s")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    return parser.parse_args()


def in_its_own_process(name: str) -> dict[str, Any]:
    """One contender's row, measured by this file in a child process."""
    command = [sys.executable, __file__, *sys.argv[1:], "--one", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def run_one(options: argparse.Namespace) -> dict[str, Any]:
    """Measure one contender in this process."""
    items, labels = bench_texts(options.texts, options.limit)
    prompt = bench_prompt(labels, options.noun)
    log_to(None)
    if options.one == "mollia":
        row = run_mollia(options, items, labels, prompt)
    else:
        row = run_peer(options, items[: options.peer_limit], labels, prompt)
    row["of_ceiling"] = 1000.0 * row["texts_per_s"] / row["ceiling_tokens_per_s"]
    return {"name": options.one, "threads": options.threads, "peak_rss_mb": peak_rss() / 2**20, **row}


def run_mollia(options: argparse.Namespace, items: Sequence[Item], labels: LabelSet, prompt: Prompt) -> dict[str, Any]:
    """The engine, as ``mollia annotate`` runs it."""
    guesses: dict[str, int] = {}
    arguments = ("mollia", options.model, labels, prompt, Decoding(samples=GENERATIONS))
    with GgufAnnotator(*arguments, model_digest="benchmark", threads=options.threads) as annotator:

        def keep(batch: list[Any]) -> None:
            guesses.update({o.item_id: int(o.log_probs.argmax()) for o in batch})

        row = bench_annotate(annotator, items, keep)
    return asdict(row) | {"accuracy": float(np.mean([guesses[item.id] == item.label for item in items]))}


def run_peer(options: argparse.Namespace, items: Sequence[Item], labels: LabelSet, prompt: Prompt) -> dict[str, Any]:
    """A peer through llama_cpp.Llama, with the ceiling measured around it."""
    work, everywhere = PEERS[options.one]
    llama = lib().Llama(
        str(options.model), n_ctx=2048, n_threads=options.threads, n_threads_batch=options.threads, verbose=False,
        logits_all=everywhere,
    )  # fmt: skip
    with Model(options.model) as model, Ceiling(model) as ceiling:
        guesses: list[int] = []
        seconds = 0.0
        parts = max(1, len(items) // 8)
        for start in range(0, len(items), parts):
            ceiling.measure(options.threads)
            begin = time.perf_counter()
            guesses.extend(work(llama, items[start : start + parts], labels, prompt))
            seconds += time.perf_counter() - begin
        ceiling.measure(options.threads)
        rate = ceiling.clock.rate
    return {
        "texts": len(items),
        "texts_per_s": len(items) / seconds,
        "ceiling_tokens_per_s": rate,
        "accuracy": float(np.mean([guess == item.label for guess, item in zip(guesses, items, strict=True)])),
    }


def chat(prompt: Prompt, item: Item) -> list[dict[str, str]]:
    """The conversation for one text."""
    return [{"role": "user", "content": prompt.message(item.text)}]


def votes_by_loop(llama: Any, item: Item, labels: LabelSet, prompt: Prompt) -> np.ndarray:
    """T chat completions of one text, counted by label."""
    keys = [normalise_answer(name) for name in labels.names]
    longest = max(len(llama.tokenize(name.encode(), add_bos=False)) for name in labels.names)
    votes = np.zeros(len(labels))
    for _ in range(GENERATIONS):
        answer = llama.create_chat_completion(
            chat(prompt, item), max_tokens=longest + 2, temperature=0.7, top_p=0.9, top_k=0, min_p=0.0
        )["choices"][0]["message"]["content"]
        word = normalise_answer(answer)
        if word in keys:
            votes[keys.index(word)] += 1
    return votes


def loop(llama: Any, items: Sequence[Item], labels: LabelSet, prompt: Prompt) -> list[int]:
    """Votes alone."""
    return [int(votes_by_loop(llama, item, labels, prompt).argmax()) for item in items]


def loop_with_logits(llama: Any, items: Sequence[Item], labels: LabelSet, prompt: Prompt) -> list[int]:
    """Votes, and the log-probabilities of the first answer token."""
    guesses = []
    for item in items:
        votes = votes_by_loop(llama, item, labels, prompt)
        llama.create_chat_completion(chat(prompt, item), max_tokens=1, temperature=0.0, logprobs=True, top_logprobs=20)
        guesses.append(int(votes.argmax()))
    return guesses


def loglikelihood(llama: Any, items: Sequence[Item], labels: LabelSet, prompt: Prompt) -> list[int]:
    """The label whose tokens are the most probable continuation of the prompt."""
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    template = llama.metadata.get("tokenizer.chat_template")
    end = llama.detokenize([llama.token_eos()], special=True).decode()
    formatter = Jinja2ChatFormatter(template, eos_token=end, bos_token="") if template else None
    guesses = []
    for item in items:
        text = formatter(messages=chat(prompt, item)).prompt if formatter else prompt.message(item.text)
        start = llama.tokenize(text.encode(), special=True)
        scores = []
        for name in labels.names:
            tokens = start + llama.tokenize(name.encode(), add_bos=False)
            llama.n_tokens = shared(llama, tokens)
            llama._ctx.kv_cache_seq_rm(-1, llama.n_tokens, -1)
            llama.eval(tokens[llama.n_tokens :])
            rows = llama.scores[len(start) - 1 : len(tokens) - 1].astype(np.float64)
            picked = rows[np.arange(len(rows)), tokens[len(start) :]]
            peak = rows.max(axis=1)
            scores.append(float((picked - peak - np.log(np.exp(rows - peak[:, None]).sum(axis=1))).sum()))
        guesses.append(int(np.argmax(scores)))
    return guesses


def shared(llama: Any, tokens: Sequence[int]) -> int:
    """How many of the tokens the context already holds, less one."""
    held = llama.input_ids[: llama.n_tokens].tolist()
    same = next((i for i, (a, b) in enumerate(zip(held, tokens, strict=False)) if a != b), min(len(held), len(tokens)))
    return min(same, len(tokens) - 1)


PEERS: dict[str, tuple[Work, bool]] = {
    "loop": (loop, False),
    "loop+logits": (loop_with_logits, True),
    "loglikelihood": (loglikelihood, True),
}

if __name__ == "__main__":
    main()
