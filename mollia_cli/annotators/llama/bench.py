"""How near an annotator comes to what its model file can do on this machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time

import numpy as np

from mollia_cli.annotators.llama.annotator import GgufAnnotator
from mollia_cli.annotators.llama.binding.speed import Ceiling, Clock
from mollia_cli.domain.items import Item
from mollia_cli.domain.memory import peak_rss
from mollia_cli.domain.observations import Observation

_CEILING_SHARE = 0.5  # time for the ceiling per time of work, in turns: whatever else the machine does meets both

Sink = Callable[[list[Observation]], None]


@dataclass(frozen=True, slots=True)
class AnnotationSpeed:
    """How fast ``texts`` texts were annotated, beside the ceiling: plain prefill on the same threads in the same run.

    ratio: ``tokens_per_s`` / ``ceiling_tokens_per_s``; ratio_cpu: the same by CPU time. extra_tokens_per_text: tokens
    decoded for label scores and votes. mean_mass: the label mass. peak_rss_mb: MiB of the whole process.
    """

    model: str
    format: str
    texts: int
    threads: int
    texts_per_s: float
    tokens_per_s: float
    new_tokens_per_text: float
    extra_tokens_per_text: float
    ceiling_tokens_per_s: float
    ratio: float
    ratio_cpu: float
    seconds: float
    load_seconds: float
    truncated: int
    failed: int
    mean_mass: float
    peak_rss_mb: float


def bench_annotate(annotator: GgufAnnotator, items: Sequence[Item], sink: Sink = lambda batch: None) -> AnnotationSpeed:
    """Annotate ``items`` and compare with the ceiling of the same threads, measured in the same run.

    ``sink`` takes each batch of observations, as a store would; its time counts. Loading the
    model, decoding the shared prefix and learning completions are timed apart (``load_seconds``).
    """
    model = annotator.load()
    work = Clock()
    masses: list[float] = []
    before = annotator.stats.tally.total
    with Ceiling(model) as ceiling:
        wall, cpu = perf_counter(), process_time()
        for batch in annotator.annotate(items):
            sink(batch)
            masses.extend(observation.mass for observation in batch)
            work.add(perf_counter() - wall, process_time() - cpu)
            while ceiling.clock.wall <= _CEILING_SHARE * work.wall:
                ceiling.measure(annotator.stats.threads)
            wall, cpu = perf_counter(), process_time()
        stats = annotator.stats
        work.add(perf_counter() - wall, process_time() - cpu, stats.tally.total - before)
    most, tally = ceiling.clock, stats.tally
    extra = tally.trie + tally.votes + tally.shown + tally.spare
    return AnnotationSpeed(
        model=annotator.name,
        format=model.main_type,
        texts=len(items),
        threads=stats.threads,
        texts_per_s=len(items) / work.wall,
        tokens_per_s=work.rate,
        new_tokens_per_text=work.tokens / len(items),
        extra_tokens_per_text=extra / len(items),
        ceiling_tokens_per_s=most.rate,
        ratio=work.rate / most.rate,
        ratio_cpu=work.cpu_rate / most.cpu_rate,
        seconds=work.wall,
        load_seconds=stats.load_seconds,
        truncated=stats.truncated,
        failed=stats.failed,
        mean_mass=float(np.mean(masses)),
        peak_rss_mb=peak_rss() / 2**20,
    )
