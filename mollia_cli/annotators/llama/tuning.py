"""``mollia models tune``: the weight format and the threads that annotate fastest on this machine.

Annotation is prefill, so the matrix kernels decide, not the size of the file. A format that
keeps the values of the original (to the rounding of bfloat16 or float16) is only faster; a
coarser one makes another model, and is offered only when asked for, with the measured change
in label probabilities. Formats race on the model's first layers; only the
winner is written whole, and measured again beside the original.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from mollia_cli.annotators.llama.annotator import GgufAnnotator
from mollia_cli.annotators.llama.binding.formats import COARSER, COMPETING, reencode, size_as
from mollia_cli.annotators.llama.binding.header import read_header
from mollia_cli.annotators.llama.binding.llama import Model, log_to
from mollia_cli.annotators.llama.binding.memory import available, disk_free
from mollia_cli.annotators.llama.binding.speed import Ceiling
from mollia_cli.annotators.llama.binding.threads import candidates
from mollia_cli.annotators.llama.guard.build import Kernels
from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.printable import count
from mollia_cli.domain.prompting import Decoding, Prompt

_ROUNDS = 3  # each candidate is measured in each round, so that a busy moment meets them all
_WORTH_KEEPING = 1.1  # a second file must be at least this much faster
_FIRST_LAYERS = 4
_MOST_CHANGE = 0.1  # mean |dp| of label probabilities; kernels that round activations differ by less

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Change:
    """What re-encoding does to label probabilities: of |dp| the maximum and mean, and how often the argmax stays."""

    texts: int
    largest: float
    mean: float
    agreement: float


@dataclass(frozen=True, slots=True)
class Encoding:
    """A model in one weight format: its file and its prefill speed."""

    format: str
    path: Path
    bytes: int
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """What tuning found. ``best`` is ``original`` where nothing was clearly faster.

    ``layer_speeds``: format -> tokens/s on the first layers; ``threads``: number -> tokens/s of the fastest of these;
    ``skipped``: format -> reason; ``change``: what the best does to label probabilities, if texts were given.
    """

    original: Encoding
    best: Encoding
    layer_speeds: dict[str, float]
    skipped: dict[str, str]
    threads: dict[int, float]
    change: Change | None

    @property
    def keeps_values(self) -> bool:
        """Whether the best has the original's values, to rounding."""
        return self.best is self.original or self.best.format not in COARSER

    @property
    def gain(self) -> float:
        """How many times faster the best is than the original."""
        return self.best.tokens_per_s / self.original.tokens_per_s


@dataclass(frozen=True, slots=True)
class TextSample:
    """Texts, labels and prompt on which a change in label probabilities is measured."""

    items: Sequence[Item]
    labels: LabelSet
    prompt: Prompt


def tune(
    path: Path,
    folder: Path,
    *,
    coarser: bool = False,
    sample: TextSample | None = None,
    threads: int = 0,
    extra_buffers: bool = True,
    log_path: Path | None = None,
    say: Say = lambda text: None,
) -> Tuned:
    """Find the fastest encoding of ``path``; if it is another, write it as ``folder/STEM.FORMAT.gguf``.

    With ``coarser`` formats that change the values compete too. ``sample``: texts on which the
    change in label probabilities is measured. ``extra_buffers``: as the original is loaded.
    Raises MolliaError where llama.cpp fails, and where a format that should keep the values does not.
    """
    log_to(log_path)
    header = read_header(path)
    header.check_whole()
    own = header.main_type
    elements = sum(tensor.elements for tensor in header.tensors)
    wanted = [name for name in (*COMPETING, *(COARSER if coarser else ())) if name != own]
    reasons = {name: _too_big(size_as(elements, name), folder) for name in wanted}
    competing = [name for name in wanted if not reasons[name]]
    layer_speeds, counts = _race_first_layers(path, own, competing, folder, threads, extra_buffers, say)
    count = max(counts, key=lambda n: counts[n])
    winner = max(layer_speeds, key=lambda name: layer_speeds[name])
    files = {own: path}
    if layer_speeds[winner] >= _WORTH_KEEPING * layer_speeds[own]:
        say(f"writing {path.name} as {winner}")
        files[winner] = folder / f"{path.stem}.{winner.lower()}.gguf"
        reencode(path, files[winner], winner, threads=threads)
    keep = path
    try:
        say("measuring what it gains" if winner in files else "measuring the original")
        speeds = _race(files, count, extra_buffers)
        encodings = {name: Encoding(name, file, file.stat().st_size, speeds[name]) for name, file in files.items()}
        best = encodings[max(speeds, key=lambda name: speeds[name])]
        probabilities = partial(_probabilities, threads=count, extra_buffers=extra_buffers, log_path=log_path)
        change = _change(path, best.path, sample, probabilities) if sample and best.path != path else None
        skipped = {name: reason for name, reason in reasons.items() if reason}
        tuned = Tuned(encodings[own], best, layer_speeds, skipped, counts, change)
        _check(tuned)
        keep = best.path
        return tuned
    finally:
        for file in files.values():
            if file not in (path, keep):
                file.unlink(missing_ok=True)


def _race_first_layers(
    path: Path, own: str, formats: Sequence[str], folder: Path, threads: int, extra_buffers: bool, say: Say
) -> tuple[dict[str, float], dict[int, float]]:
    """Tokens per second of the model's first layers, by format, and those of the fastest format, by threads."""
    with TemporaryDirectory(prefix=".tune-", dir=folder) as scratch:
        files = {name: Path(scratch) / f"{name}.gguf" for name in (own, *formats)}
        for name, file in files.items():
            say(f"trying {name}")
            reencode(path, file, "" if name == own else name, threads=threads, layers=_FIRST_LAYERS)
        rates = _race(files, threads or max(candidates()), extra_buffers)
        fastest = max(rates, key=lambda name: rates[name])
        counts = [threads] if threads else candidates()
        return rates, measure_threads(files[fastest], counts, extra_buffers)


def measure_threads(path: Path, counts: Sequence[int], extra_buffers: bool = True) -> dict[int, float]:
    """Prefill tokens per second by number of threads, each measured in turn, several times."""
    rates: dict[int, list[float]] = {count: [] for count in counts}
    with Model(path, extra_buffers=extra_buffers) as model, Ceiling(model) as ceiling:
        for _ in range(_ROUNDS):
            for count in counts:
                rates[count].append(ceiling.measure(count))
    return {count: median(values) for count, values in rates.items()}


def _race(files: dict[str, Path], threads: int, extra_buffers: bool) -> dict[str, float]:
    """Tokens per second of each file: the median over rounds in which all take their turn."""
    rates: dict[str, list[float]] = {name: [] for name in files}
    with ExitStack() as opened:
        models = {name: opened.enter_context(Model(file, extra_buffers=extra_buffers)) for name, file in files.items()}
        ceilings = {name: opened.enter_context(Ceiling(model)) for name, model in models.items()}
        for _ in range(_ROUNDS):
            for name, ceiling in ceilings.items():
                rates[name].append(ceiling.measure(threads))
    return {name: median(values) for name, values in rates.items()}


def _change(
    original: Path, other: Path, sample: TextSample, probabilities: Callable[[Path, TextSample], FloatArray]
) -> Change:
    """Compare label probabilities of two files on the sample's texts."""
    before, after = (probabilities(path, sample) for path in (original, other))
    gap = np.abs(before - after)
    same = before.argmax(axis=1) == after.argmax(axis=1)
    return Change(len(sample.items), float(gap.max()), float(gap.mean()), float(same.mean()))


def _probabilities(
    path: Path, sample: TextSample, *, threads: int, extra_buffers: bool, log_path: Path | None
) -> FloatArray:
    """Label probabilities [n, K] of one file on the sample's texts, in their order."""
    arguments = (path.stem, path, sample.labels, sample.prompt, Decoding(votes="exact"))
    kernels = Kernels(extra_buffers=extra_buffers)
    with GgufAnnotator(
        *arguments, model_digest="", threads=threads, log_path=log_path, kernels=lambda: kernels
    ) as annotator:
        found = {o.item_id: o.log_probs for batch in annotator.annotate(sample.items) for o in batch}
    return np.asarray(np.exp(np.array([found[item.id] for item in sample.items])))


def _too_big(size: int, folder: Path) -> str:
    """Why a file of this size cannot be measured, or ''."""
    memory, disk = available(), disk_free(folder)
    if memory is not None and size > memory:
        return f"it would need {size / 2**30:.1f} GiB of memory, {memory / 2**30:.1f} are free"
    if size > disk:
        return f"it would need {size / 2**30:.1f} GiB on disk, {disk / 2**30:.1f} are free"
    return ""


def explain(tuned: Tuned) -> str:
    """One sentence on what tuning gained."""
    if tuned.best is tuned.original:
        return f"{tuned.original.format} is already the fastest: {tuned.original.tokens_per_s:,.0f} tokens/s"
    kept = "the same values" if tuned.keeps_values else "other, coarser values"
    return (
        f"{tuned.best.format} reads {tuned.best.tokens_per_s:,.0f} tokens/s, {tuned.gain:.1f} times the original's "
        f"{tuned.original.tokens_per_s:,.0f} ({tuned.original.format}), with {kept}"
    )


def _check(tuned: Tuned) -> None:
    """MolliaError if a format that should keep the values changes label probabilities."""
    change = tuned.change
    if tuned.keeps_values and change is not None and change.mean > _MOST_CHANGE:
        raise MolliaError(
            f"{tuned.best.path.name} gives other label probabilities than the original: they differ by"
            f" {change.mean:.3f} on average on {count(change.texts, 'text')}",
            "keep using the original; please report this",
        )
