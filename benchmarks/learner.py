"""Training and inference of the learner: ours, Hugging Face's Trainer, a plain loop, and the limit, in one run.

    python benchmarks/learner.py --encoder FOLDER                # speed on texts of TREC's and AG News's lengths
    python benchmarks/learner.py --encoder FOLDER --data FOLDER  # and F1, from train.jsonl and test.jsonl there
    python benchmarks/learner.py --encoder FOLDER --json out.json

Times are CPU seconds over threads, which a busy machine disturbs less than wall time; a step is an
optimiser step of 50 examples. The plain loop is float32 with every text padded to 128 tokens. The
limit is the linear layers' FLOPs on real tokens (three times in training) over the bfloat16
matrix-product rate measured now, on this machine, plus AdamW's bytes over the measured bandwidth.
The Trainer is measured where accelerate is installed.
"""

import argparse
import importlib.util
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.metrics import micro_f1
from mollia_cli.domain.rng import stream
from mollia_cli.learners.base import Examples
from mollia_cli.learners.devices import choose_device, fast_dtype
from mollia_cli.learners.pretrained import load_pretrained, load_tokenizer
from mollia_cli.learners.tokens import TokenStore
from mollia_cli.learners.transformer import TransformerLearner

BATCH, MAX_TOKENS, RATE = 50, 128, 5e-5
CLASSES = 6
# Words a text, mean and standard deviation: TREC's questions; AG News's titles with descriptions.
LENGTHS = {"trec": (9.5, 3.5), "ag_news": (49.0, 13.0)}
NOTHING = Examples.gold([], np.zeros(0, dtype=np.int64), CLASSES)


@dataclass(frozen=True)
class Row:
    """Seconds of one way of doing one job, and how they compare."""

    texts: str
    job: str
    who: str
    seconds: float
    speedup: float  # over the plain loop
    of_limit: float  # the limit's seconds / these


@dataclass(frozen=True)
class Machine:
    """Measured: bfloat16 FLOPs per second, bytes per second."""

    flops: float
    bandwidth: float


@dataclass(frozen=True)
class Job:
    """What every way is measured on."""

    encoder: Path
    threads: int
    names: tuple[str, ...]
    texts: list[str]
    targets: np.ndarray


def cpu_seconds(call: Callable[[], Any], threads: int, repeats: int = 3) -> float:
    """Median CPU seconds over threads."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        taken.append((time.process_time() - start) / threads)
    return statistics.median(taken)


def measure_machine(dtype: torch.dtype, threads: int) -> Machine:
    a, b = (torch.randn(2048, 2048, dtype=dtype) for _ in range(2))
    source = torch.zeros(1 << 26)
    target = torch.empty_like(source)
    a @ b
    target.copy_(source)
    return Machine(
        2 * 2048**3 / cpu_seconds(lambda: a @ b, threads, 9),
        2 * source.nbytes / cpu_seconds(lambda: target.copy_(source), threads, 9),
    )


def make_texts(encoder: Path, shape: tuple[float, float], n: int) -> list[str]:
    """Texts of whole words from the tokenizer's vocabulary, with lengths as in a data set."""
    rng = stream(0, "texts", *shape)
    words = sorted(word for word in load_tokenizer(encoder).get_vocab() if word.isascii() and word.isalpha())
    sizes = np.clip(rng.normal(*shape, n).round(), 3, 120).astype(int)
    return [" ".join(rng.choice(words, size)) for size in sizes]


class Plain:
    """The loop everybody writes first."""

    def __init__(self, job: Job, seed: int = 0) -> None:
        self._model: Any = load_pretrained(job.encoder, job.names, seed)
        options = {"padding": "max_length", "truncation": True, "max_length": MAX_TOKENS, "return_tensors": "pt"}
        self._inputs = load_tokenizer(job.encoder)(job.texts, **options)
        self._targets = torch.from_numpy(job.targets)
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=RATE)

    def _logits(self, rows: torch.Tensor) -> torch.Tensor:
        mask = self._inputs["attention_mask"][rows]
        logits: torch.Tensor = self._model(input_ids=self._inputs["input_ids"][rows], attention_mask=mask).logits
        return logits

    def step(self, rows: torch.Tensor) -> None:
        self._model.train()
        self._optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(self._logits(rows), self._targets[rows])
        torch.autograd.backward(loss)
        self._optimizer.step()

    @torch.no_grad()
    def predict(self, rows: torch.Tensor) -> np.ndarray:
        self._model.eval()
        return torch.cat([self._logits(part) for part in torch.split(rows, BATCH)]).argmax(dim=1).numpy()


class HuggingFace:
    """transformers.Trainer: float32 or bfloat16, padded to the longest text of the batch."""

    def __init__(self, job: Job, bf16: bool, steps: int) -> None:
        from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

        tokenizer = load_tokenizer(job.encoder)
        encoded = tokenizer(job.texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
        rows = [{"input_ids": ids, "label": int(y)} for ids, y in zip(encoded, job.targets, strict=True)]
        self._rows = rows
        self._folder = tempfile.TemporaryDirectory()
        arguments = TrainingArguments(
            self._folder.name, per_device_train_batch_size=BATCH, per_device_eval_batch_size=BATCH, max_steps=steps,
            learning_rate=RATE, use_cpu=True, bf16=bf16, bf16_full_eval=bf16, save_strategy="no", report_to=[],
            disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        model = load_pretrained(job.encoder, job.names, 0)
        collator = DataCollatorWithPadding(tokenizer)
        self._trainer = Trainer(model, arguments, data_collator=collator, train_dataset=rows)

    def train(self) -> None:
        self._trainer.train()

    def predict(self) -> None:
        self._trainer.predict(self._rows)


def ours(job: Job, epochs: int) -> TransformerLearner:
    labels = LabelSet(job.names)
    return TransformerLearner(job.encoder, labels, epochs=epochs, threads=job.threads, batch_size=BATCH, device="cpu")


def limits(job: Job, machine: Machine) -> tuple[float, float, float]:
    """(seconds of an optimiser step, seconds of inference over all texts, both at the limit; tokens a text)."""
    model = load_pretrained(job.encoder, job.names, 0)
    embedding = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    body = sum(p.numel() for p in model.parameters() if p.ndim == 2 and id(p) not in embedding)
    tokens = float(TokenStore(load_tokenizer(job.encoder), MAX_TOKENS).encode(job.texts).lengths.mean())
    forward = 2 * body * tokens / machine.flops
    # AdamW reads weight, gradient and two moments, and writes all but the gradient: 7 floats a weight.
    return 3 * forward * BATCH + 28 * body / machine.bandwidth, forward * len(job.texts), tokens


def speed(name: str, job: Job, machine: Machine) -> Iterator[Row]:
    """Rows for one set of texts; the plain loop comes first."""
    step_limit, pass_limit, tokens = limits(job, machine)
    n, epochs = len(job.texts), 2
    print(f"{name}: {tokens:.1f} tokens a text; limit {step_limit:.3f} s a step, {pass_limit:.2f} s for {n} texts")
    plain, batches = Plain(job), torch.split(torch.arange(n), BATCH)
    train, infer = {}, {}
    plain.step(batches[0])
    train["plain loop, float32"] = cpu_seconds(lambda: plain.step(batches[1]), job.threads, 2)
    infer["plain loop, float32"] = cpu_seconds(lambda: plain.predict(batches[0]), job.threads) * n / BATCH
    if importlib.util.find_spec("accelerate"):
        for bf16 in (False, True):
            trainer = HuggingFace(job, bf16, len(batches))
            who = f"Trainer, {'bfloat16' if bf16 else 'float32'}"
            train[who] = cpu_seconds(trainer.train, job.threads, 1) / len(batches)
            infer[who] = cpu_seconds(trainer.predict, job.threads, 1)
    learner = ours(job, epochs)
    examples = Examples.gold(job.texts, job.targets, len(job.names))
    train["mollia"] = cpu_seconds(lambda: learner.fit(examples, NOTHING, 0.0, 0), job.threads) / len(batches) / epochs
    learner.predict_proba(job.texts)
    infer["mollia"] = cpu_seconds(lambda: learner.predict_proba(job.texts), job.threads)
    for kind, taken, limit in (("train step", train, step_limit), ("inference", infer, pass_limit)):
        for who, seconds in taken.items():
            yield Row(name, kind, who, seconds, taken["plain loop, float32"] / seconds, limit / seconds)


def compare_f1(arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Test micro-F1 of ours and of the plain loop with the same recipe, over seeds."""
    train, test = (
        [json.loads(line) for line in (arguments.data / f"{part}.jsonl").read_text().splitlines()]
        for part in ("train", "test")
    )
    names = tuple(sorted({row["label"] for row in train}))
    found: dict[str, list[float]] = {"mollia": [], "plain loop, float32": []}
    for seed in range(arguments.seeds):
        drawn = [train[row] for row in stream(seed, "draw").permutation(len(train))[: arguments.labelled]]
        texts, targets = ([row[key] for row in drawn + test] for key in ("text", "label"))
        n, gold = len(drawn), np.array([names.index(label) for label in targets])
        job = Job(arguments.encoder, arguments.threads, names, texts, gold)
        learner = ours(job, arguments.epochs)
        learner.fit(Examples.gold(texts[:n], gold[:n], len(names)), NOTHING, 0.0, seed)
        found["mollia"].append(micro_f1(gold[n:], learner.predict_proba(texts[n:]).argmax(axis=1)))
        torch.manual_seed(seed)
        plain = Plain(job, seed)
        for _ in range(arguments.epochs):
            for rows in torch.split(torch.randperm(n), BATCH):
                plain.step(rows)
        found["plain loop, float32"].append(micro_f1(gold[n:], plain.predict(torch.arange(n, len(texts)))))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of a pretrained encoder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--texts", type=int, default=400, help="texts of each length")
    parser.add_argument("--data", type=Path, help="folder with train.jsonl and test.jsonl, for F1")
    parser.add_argument("--labelled", type=int, default=250)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    dtype = fast_dtype(choose_device("cpu"))
    machine = measure_machine(dtype, arguments.threads)
    print(f"{dtype}: {machine.flops / 1e9:.0f} GFLOP/s a thread, {machine.bandwidth / 1e9:.1f} GB/s")
    rows: list[Row] = []
    for name, shape in LENGTHS.items():
        texts = make_texts(arguments.encoder, shape, arguments.texts)
        targets = stream(0, "labels").integers(0, CLASSES, len(texts))
        names = tuple(f"label {k}" for k in range(CLASSES))
        rows += speed(name, Job(arguments.encoder, arguments.threads, names, texts, targets), machine)
    print(f"{'texts':8} {'job':11} {'who':20} {'seconds':>8} {'speed-up':>8} {'of limit':>8}")
    for row in rows:
        print(f"{row.texts:8} {row.job:11} {row.who:20} {row.seconds:8.3f} {row.speedup:8.1f} {row.of_limit:8.0%}")
    scores = compare_f1(arguments) if arguments.data else {}
    for who, values in scores.items():
        print(f"micro-F1 of {who}: {np.mean(values):.3f} +- {np.std(values):.3f} over {len(values)} seeds: {values}")
    if arguments.json:
        record = {"machine": asdict(machine), "speed": [asdict(row) for row in rows], "micro_f1": scores}
        arguments.json.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
