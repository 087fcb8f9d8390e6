"""How much batches, attention kernels, caches and weight formats change what a model says.

    python benchmarks/deviation.py MODEL.gguf [MODEL.bf16.gguf ...]
    python benchmarks/deviation.py MODEL.gguf --texts FILE --noun question --limit 40 --threads 2 --json

For each file, the probability of each label's first token after the prompt of each text, every text alone and
without flash attention, is compared with the same in other settings: with flash attention; with other texts in
the same 512-token batch, in a cache that all sequences share (unified) or one for each (split). `engine` compares
whole-label probabilities as mollia computes them: full batches over a shared prefix against one text at a time.
`max` and `mean` are of |dp| over texts and labels, `same` is how often the most probable label stays.

Then q identical sequences are decoded by one token at once, for q from 1 to 64: `apart` is the largest |dp| between
these sequences over the whole vocabulary (0: they agree to the last bit), `from one` that to a single sequence.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mollia_cli.annotators.llama import GgufAnnotator
from mollia_cli.annotators.llama.binding.llama import CacheSettings, Context, Model, TokenArray, log_to
from mollia_cli.annotators.llama.decode.encoding import Encoder
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.prompting import Decoding, Prompt
from mollia_cli.machine.bench import bench_prompt, bench_texts

BATCH, TOGETHER, COPIES = 512, 8, 64
QUERIES = (1, 8, 31, 32, 33, 48, 64)
ALONE = CacheSettings(flash=False)
VARIANTS = (
    ("alone, flash", 1, CacheSettings()),
    ("batch, flash, unified", TOGETHER, CacheSettings()),
    ("batch, flash, split", TOGETHER, CacheSettings(unified=False)),
    ("batch, no flash, unified", TOGETHER, ALONE),
    ("batch, no flash, split", TOGETHER, CacheSettings(flash=False, unified=False)),
)


def main() -> None:
    options = parse()
    log_to(None)
    items, labels = bench_texts(options.texts, options.limit)
    prompt = bench_prompt(labels, options.noun)
    found = []
    for path in options.models:
        with Model(path) as model:
            encoder = Encoder(model, prompt, limit=BATCH)
            prompts = [encoder.all_tokens(item.text) for item in items]
            firsts = np.array([model.tokenize(name)[0] for name in labels.names])
            rows = settings_rows(model, prompts, firsts, options.threads)
            copies = [copies_row(model, prompts[0], unified, options.threads) for unified in (True, False)]
        rows.append(engine_row(path, items, labels, prompt, options.threads))
        found.append({"file": path.name, "format": model.main_type, "rows": rows, "identical": copies})
        if not options.json:
            show(found[-1], len(items))
    if options.json:
        print(json.dumps(found))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+", help="GGUF files")
    parser.add_argument("--texts", type=Path, help="texts with labels; default: the demo's messages")
    parser.add_argument("--noun", default="message", help="what a text is called in the prompt")
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def settings_rows(
    model: Model, prompts: Sequence[TokenArray], firsts: TokenArray, threads: int
) -> list[dict[str, Any]]:
    """One row for each setting, against every text alone without flash attention."""
    reference, _ = first_tokens(model, prompts, firsts, 1, ALONE, threads)
    rows = []
    for name, together, cache in VARIANTS:
        other, rate = first_tokens(model, prompts, firsts, together, cache, threads)
        rows.append({"setting": name, **difference(reference, other), "tokens_per_s": rate})
    return rows


def first_tokens(
    model: Model, prompts: Sequence[TokenArray], firsts: TokenArray, together: int, cache: CacheSettings, threads: int
) -> tuple[FloatArray, float]:
    """Probabilities [n, K] of the labels' first tokens, and tokens per second; whole prompts share batches."""
    found: list[FloatArray] = []
    cells = together * BATCH
    context = Context(model, cells=cells, sequences=together, batch=BATCH, threads=threads, cache=cache)
    begin, left = time.perf_counter(), list(prompts)
    while left:
        context.clear()
        places: list[int] = []
        while left and len(places) < together and len(left[0]) <= context.room:
            places.append(context.add(left.pop(0), 0, [len(places)], want_last=True))
        context.decode()
        found += [softmax(context.logits(place))[firsts] for place in places]
    seconds = time.perf_counter() - begin
    context.close()
    return np.array(found), sum(map(len, prompts)) / seconds


def copies_row(model: Model, prompt: TokenArray, unified: bool, threads: int) -> dict[str, Any]:
    """For q identical sequences decoded together: the spread between them, and the distance to a single one."""
    cells = COPIES * -(-(len(prompt) + 2) // 256) * 256
    cache = CacheSettings(unified=unified)
    context = Context(model, cells=cells, sequences=COPIES, batch=BATCH, threads=threads, cache=cache)
    apart, from_one, one = {}, {}, None
    for count in QUERIES:
        context.clear()
        context.add(prompt, 0, [0], want_last=False)
        context.decode()
        for copy in range(1, count):
            context.copy_sequence(0, copy)
        places = [context.add(int(prompt[-1]), len(prompt), [copy], want_last=True) for copy in range(count)]
        context.decode()
        rows = np.array([softmax(context.logits(place)) for place in places])
        one = rows[0] if one is None else one
        apart[count] = float(np.abs(rows - rows[0]).max())
        from_one[count] = float(np.abs(rows - one).max())
    context.close()
    return {"cache": "unified" if unified else "split", "apart": apart, "from_one": from_one}


def engine_row(path: Path, items: Sequence[Item], labels: LabelSet, prompt: Prompt, threads: int) -> dict[str, Any]:
    """mollia's whole-label probabilities: full batches against one text at a time."""
    decoding = Decoding(votes="exact")
    with GgufAnnotator("x", path, labels, prompt, decoding, model_digest="", threads=threads) as annotator:
        together = {o.item_id: o.log_probs for batch in annotator.annotate(items) for o in batch}
        alone = {o.item_id: o.log_probs for item in items for batch in annotator.annotate([item]) for o in batch}
    one, other = (np.exp([table[item.id] for item in items]) for table in (alone, together))
    return {"setting": "engine", **difference(one, other), "tokens_per_s": None}


def difference(one: FloatArray, other: FloatArray) -> dict[str, float]:
    gap = np.abs(one - other)
    same = one.argmax(axis=1) == other.argmax(axis=1)
    return {"max": float(gap.max()), "mean": float(gap.mean()), "same": float(same.mean())}


def softmax(logits: np.ndarray) -> FloatArray:
    shifted = np.exp(logits.astype(np.float64) - logits.max())
    return np.asarray(shifted / shifted.sum())


def show(found: dict[str, Any], texts: int) -> None:
    print(f"{found['file']} ({found['format']}), {texts} texts")
    print(f"  {'':26}{'max':>9}{'mean':>10}{'same':>7}{'tokens/s':>10}")
    for row in found["rows"]:
        rate = "" if row["tokens_per_s"] is None else f"{row['tokens_per_s']:.0f}"
        print(f"  {row['setting']:26}{row['max']:9.5f}{row['mean']:10.6f}{row['same']:7.3f}{rate:>10}")
    for row in found["identical"]:
        for key, words in (("apart", "apart"), ("from_one", "from one")):
            cells = "  ".join(f"{count}: {value:.1e}" for count, value in row[key].items())
            print(f"  {row['cache'] + ', ' + words:18}{cells}", flush=True)


if __name__ == "__main__":
    main()
