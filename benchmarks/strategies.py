"""Query strategies: our time, the peers' and the machine's limit, in one run.

    python benchmarks/strategies.py                 # the sizes of the issue; about 2 GB of memory, a few minutes
    python benchmarks/strategies.py --scale 0.05    # a quick look
    python benchmarks/strategies.py --json out.json

Peers (scikit-activeml, small-text) are measured where they are installed and named as missing where
not. A peer that would take very long, or more memory than there is, gets a part of the pool, and its
time is multiplied: all that are treated so are linear in the pool. The limit of a row is the larger
of the bytes that must be read over the measured bandwidth and the floating-point operations of our
algorithm over the measured matrix-product rate, both of this machine, now.
"""

import argparse
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mollia_cli.domain.rng import stream
from mollia_cli.strategies import STRATEGIES
from mollia_cli.strategies.base import Signals
from mollia_cli.strategies.coreset import k_center_greedy

PICKS, LABELLED, DIMENSIONS, LABELS, MEMBERS = 50, 500, 768, 4, 5


@dataclass
class Row:
    """One strategy at one size: seconds of ours and the peers', the limit's, and what else was seen."""

    strategy: str
    size: str
    ours: float
    limit: float
    peers: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Machine:
    """Measured: bytes read per second, and floating-point operations per second in float32 and float64."""

    bandwidth: float
    single: float
    double: float

    def limit(self, read: float, single: float = 0.0, double: float = 0.0) -> float:
        return max(read / self.bandwidth, single / self.single + double / self.double)


def seconds(call: Callable[[], Any], repeats: int = 1) -> float:
    """Median wall time."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure_machine() -> Machine:
    block = np.ones(128 * 1024 * 1024, dtype=np.float32)
    bandwidth = block.nbytes / min(seconds(block.sum) for _ in range(5))
    rates = []
    for kind in (np.float32, np.float64):
        square = np.ones((2048, 2048), dtype=kind)
        rates.append(2 * 2048**3 / min(seconds(lambda: square @ square) for _ in range(5)))  # noqa: B023
    return Machine(bandwidth, *rates)


def peer_module(name: str) -> Any:
    """An imported peer, or None where it is not installed."""
    try:
        return __import__(name, fromlist=["_"])
    except ImportError:
        print(f"not installed, left out: {name}", file=sys.stderr)
        return None


def ids_for(size: int) -> tuple[str, ...]:
    return tuple(f"{row:07d}" for row in range(size))


def select(name: str, signals: Signals) -> list[str]:
    return [pick.id for pick in STRATEGIES.load(name)().select(signals, PICKS, stream(1, "select"))]


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def coreset(size: int, machine: Machine, repeats: int) -> Row:
    points = stream(1, "embeddings").standard_normal((size + LABELLED, DIMENSIONS), dtype=np.float32)
    pool, labelled = points[LABELLED:], points[:LABELLED]
    limit = machine.limit(pool.nbytes, single=2.0 * size * 64 * DIMENSIONS)
    ours = seconds(lambda: k_center_greedy(pool, labelled, PICKS), repeats)
    row = Row("coreset", f"{size:,} x {DIMENSIONS}, {LABELLED} labelled, {PICKS} picks", ours, limit)
    picked = k_center_greedy(pool, labelled, PICKS)
    tracemalloc.start()
    k_center_greedy(pool, labelled, PICKS)
    row.notes.append(f"extra memory {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB")
    tracemalloc.stop()
    if activeml := peer_module("skactiveml.pool._core_set"):
        known = np.full(len(points), np.nan)
        known[:LABELLED] = 0
        found: list[np.ndarray] = []
        row.peers["scikit-activeml"] = seconds(
            lambda: found.append(activeml.k_greedy_center(points, known, batch_size=PICKS, random_state=0)[0])
        )
        same = np.array_equal(found[0] - LABELLED, picked)
        row.notes.append(f"picks {'identical to' if same else 'DIFFERENT FROM'} scikit-activeml's")
    if small := peer_module("small_text.query_strategies.coresets"):
        part = max(size // 60, PICKS + 1)
        rows = np.arange(LABELLED + part)
        row.peers[f"small-text (from {part:,} rows)"] = (
            seconds(
                lambda: small.greedy_coreset(
                    points[rows], rows[LABELLED:], rows[:LABELLED], PICKS, distance_metric="euclidean"
                )
            )
            * size
            / part
        )
    return row


def noise_stability(size: int, machine: Machine, repeats: int) -> Row:
    rng = stream(1, "perturbed")
    width = 50 * LABELS
    perturbed = rng.standard_normal((size, width), dtype=np.float32)
    perturbed *= rng.gamma(0.5, size=(size, 1)).astype(np.float32)
    signals = Signals(ids_for(size), perturbed=perturbed)
    row = Row(
        "noise_stability",
        f"{size:,} x {width}, {PICKS} picks",
        seconds(lambda: select("noise_stability", signals), repeats),
        machine.limit(perturbed.nbytes),
    )
    if activeml := peer_module("skactiveml.pool._core_set"):
        points = np.concatenate([np.zeros((1, width), dtype=np.float32), perturbed])
        known = np.full(len(points), np.nan)
        known[0] = 0
        row.peers["scikit-activeml"] = seconds(
            lambda: activeml.k_greedy_center(points, known, batch_size=PICKS, random_state=0)
        )
    return row


def core_mse_by_definition(members: np.ndarray, at: np.ndarray) -> np.ndarray:
    """v(x, x') with all members, labels and both items as axes of arrays: what the formula says, in blocks."""
    blocks = []
    for start in range(0, members.shape[1], 64):
        joint = members[:, start : start + 64].transpose(1, 2, 0)
        total = joint.sum(axis=2, keepdims=True)
        q = np.einsum("nye,emk->nymk", joint / total, at)
        loss = ((at[:, None, None] - q) ** 2).sum(axis=(0, 4))
        blocks.append(np.einsum("ny,nym->nm", total[:, :, 0] / len(members), loss))
    return np.concatenate(blocks)


def bemps(size: int, machine: Machine, repeats: int) -> list[Row]:
    rng = stream(1, "dropout")
    logits = 3 * rng.standard_normal((size, LABELS))
    members = softmax(logits + 0.5 * rng.standard_normal((MEMBERS, size, LABELS)))
    signals = Signals(ids_for(size), dropout=members)
    sized = f"{size:,} x {MEMBERS} members x {LABELS} labels"
    pairs = MEMBERS * (MEMBERS + 1) // 2
    products = 4.0 * size * pairs * LABELS + 4.0 * size * pairs**2
    k_means = 21 * 2.0 * (size / 2) * PICKS * pairs + 2 * PICKS * 3.0 * (size / 2) * pairs
    mse = Row(
        "bemps",
        f"{sized}, X' = the pool",
        seconds(lambda: select("bemps", signals), repeats),
        machine.limit(members.nbytes, double=products + k_means),
    )
    part, share = max(size // 200, 2), round(0.01 * size)
    at = members[:, :share]
    mse.peers[f"definition, X' = 1% (from {part:,} rows)"] = (
        seconds(lambda: core_mse_by_definition(members[:, :part], at)) * size / part
    )
    mse.notes.append("the definition's time is that of the scores alone")
    log = Row(
        "bemps_corelog",
        f"{sized}, X' = 256 items",
        seconds(lambda: select("bemps_corelog", signals), min(repeats, 3)),
        machine.limit(members.nbytes, double=2.0 * size * LABELS * MEMBERS * 256 * LABELS + k_means),
    )
    log.notes.append("limit without the logarithms")
    return [mse, log]


def badge(size: int, machine: Machine, repeats: int) -> Row:
    rng = stream(1, "badge")
    embeddings = rng.standard_normal((size, DIMENSIONS), dtype=np.float32)
    probabilities = softmax(2 * rng.standard_normal((size, LABELS)))
    signals = Signals(ids_for(size), probabilities=probabilities, embeddings=embeddings)
    row = Row(
        "badge",
        f"{size:,} x {DIMENSIONS} x {LABELS} labels, {PICKS} picks",
        seconds(lambda: select("badge", signals), min(repeats, 3)),
        machine.limit(PICKS * embeddings.nbytes),
    )
    if activeml := peer_module("skactiveml.pool"):
        part = size // 20

        class Known(peer_module("skactiveml.base").SkactivemlClassifier):  # type: ignore[misc]
            """A fitted classifier that hands out the probabilities and embeddings it was given."""

            def fit(self, X: Any, y: Any) -> "Known":  # noqa: N803
                return self

            def predict_proba(self, X: Any) -> Any:  # noqa: N803
                return probabilities[:part], embeddings[:part]

        strategy = activeml.Badge(random_state=0)
        unknown = np.full(part, np.nan)
        row.peers[f"scikit-activeml (from {part:,} rows)"] = (
            seconds(lambda: strategy.query(embeddings[:part], unknown, Known(), fit_clf=False, batch_size=PICKS))
            * size
            / part
        )
    return row


def simple(size: int, machine: Machine, repeats: int) -> list[Row]:
    rng = stream(1, "simple")
    probabilities = softmax(2 * rng.standard_normal((size, LABELS)))
    panel = softmax(2 * rng.standard_normal((size, MEMBERS, LABELS)))
    signals = Signals(ids_for(size), probabilities=probabilities, panel=panel, confidence=probabilities.max(axis=1))
    rows = []
    uncertainty = peer_module("skactiveml.pool._uncertainty_sampling")
    committee = peer_module("skactiveml.pool._query_by_committee")
    for name in ("random", "entropy", "margin", "least_confidence", "disagreement", "doubt"):
        read = sum(getattr(signals, need).nbytes for need in STRATEGIES.load(name).needs)
        row = Row(name, f"{size:,}", seconds(lambda: select(name, signals), repeats), machine.limit(read))  # noqa: B023
        method = {"entropy": "entropy", "margin": "margin_sampling", "least_confidence": "least_confident"}.get(name)
        if method and uncertainty:
            row.peers["scikit-activeml"] = seconds(
                lambda: uncertainty.uncertainty_scores(probabilities, method=method).argsort()[-PICKS:],  # noqa: B023
                repeats,
            )
        if name == "disagreement" and committee:
            row.peers["scikit-activeml"] = seconds(
                lambda: committee.average_kl_divergence(panel.transpose(1, 0, 2)).argsort()[-PICKS:], repeats
            )
        rows.append(row)
    return rows


def show(machine: Machine, rows: list[Row]) -> None:
    print(
        f"read bandwidth {machine.bandwidth / 1e9:.1f} GB/s, matrix product {machine.single / 1e9:.0f} GFLOP/s in "
        f"float32, {machine.double / 1e9:.0f} in float64; seconds are medians of wall time\n"
    )
    for row in rows:
        limit = f"limit {row.limit:.4f} s, {row.ours / row.limit:.1f} x" if row.limit else "no limit: reads nothing"
        print(f"{row.strategy:17}{row.ours:9.4f} s   {limit}   [{row.size}]")
        for name, peer in row.peers.items():
            print(f"{'':17}{peer:9.4f} s   {peer / row.ours:.1f} x ours: {name}")
        for note in row.notes:
            print(f"{'':30}{note}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Query strategies: our time, the peers' and the limit.")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    parser.add_argument("--repeats", type=int, default=5, help="runs of ours, of which the median counts")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    asked = parser.parse_args()
    large, medium = round(180_000 * asked.scale), round(114_000 * asked.scale)
    machine = measure_machine()
    rows = [coreset(large, machine, asked.repeats), noise_stability(medium, machine, asked.repeats)]
    rows += [*bemps(medium, machine, asked.repeats), badge(large, machine, asked.repeats)]
    rows += simple(large, machine, asked.repeats)
    show(machine, rows)
    if asked.json:
        asked.json.write_text(json.dumps({"machine": asdict(machine), "rows": [asdict(row) for row in rows]}, indent=2))


if __name__ == "__main__":
    main()
