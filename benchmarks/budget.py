"""The person's time is the budget: 50 labels, then 25 answers at a time, asked by several rules.

    python benchmarks/budget.py --data DIR --encoders A,B (--outputs FILE.npy | --outputs-shots FILE.npy --shots ROWS)
        [--columns NAMES] [--steps 4] [--seeds 5] [--pool 1000] [--rules NAMES] [--out DIR] [--json]

DIR, the outputs and the encoders (the best one last) are those of instead.py. Of each draw 50 random texts are
labelled, and the LLMs read --pool others. A rule chooses 25 of these, which are labelled; the default aggregator is
fitted on all labels, the default classifier learns its verdicts, and the rule chooses again. Beside them what has no
rule: other methods of instead.py with as many random labels. Accuracies: `rest`, of the verdicts on what nobody was
asked about; `pool`, the same where the person's answers count, as right; `test`, of the classifier. `over` is the mean
confidence of the rest's verdicts less their accuracy.

--out keeps embeddings and every finished step; stopped, the same command goes on.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

# Before numpy starts its threads: figures are CPU-seconds of one core.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from alternatives import (
    OWN,
    Draw,
    Material,
    distilled,
    logistic_on,
    mixture_without_llms,
    mollia_verdicts,
)
from instead import counts, interval, material, names, order

from mollia_cli.aggregators.calibration import expected_calibration_error
from mollia_cli.aggregators.mixture import Mixture
from mollia_cli.aggregators.views import View
from mollia_cli.domain.metrics import micro_f1
from mollia_cli.domain.observations import FloatArray, IntArray
from mollia_cli.domain.rng import stream
from mollia_cli.strategies.base import entropy_of

FIRST, MORE = 50, 25
FOLDS = 5
SHOWN = ("rest", "pool", "test", "over", "ece")
Row = dict[str, Any]


@dataclass(frozen=True)
class Situation:
    """What a rule sees: the texts, the labels that there are, and the verdicts [m, K] on the draw's pool."""

    data: Material
    draw: Draw
    verdicts: FloatArray

    @cached_property
    def view(self) -> FloatArray:
        """[n + m + u, d] what the aggregator's head learns from: labelled texts, pool, unread texts."""
        rows = np.concatenate([self.draw.given, self.draw.pool, self.draw.unread])
        blocks = [[made.thirds[rows, k] for k in range(made.thirds.shape[1])] for made in self.data.embedded.values()]
        return View.fit(blocks)(blocks)

    @property
    def members(self) -> FloatArray:
        """[m, N + 1, K] probabilities of each LLM, and of the encoders with no LLM beside them."""
        panel = self.data.panel if self.data.shown is None else self.data.shown
        assert panel is not None
        m, classes = len(self.draw.pool), len(self.data.labels)
        llms = panel.take(self.draw.pool).probabilities
        llms = llms / np.maximum(llms.sum(axis=2, keepdims=True), 1e-12)
        alone = Mixture().mix(self.view, self.draw.labels, classes).pool[:m]
        return np.concatenate([llms, alone[:, None]], axis=1)


Rule = Callable[[Situation], FloatArray]


def random(seen: Situation) -> FloatArray:
    return stream(seen.draw.number, "budget", str(len(seen.draw.given))).random(len(seen.draw.pool))


def doubt(seen: Situation) -> FloatArray:
    """What `mollia review` asks first: the least confident verdicts."""
    confidence: FloatArray = seen.verdicts.max(axis=1)
    return 1.0 - confidence


def margin(seen: Situation) -> FloatArray:
    """The verdicts whose two likeliest labels are nearest."""
    two = np.sort(seen.verdicts, axis=1)[:, -2:]
    return two[:, 0] - two[:, 1]


def sampled(seen: Situation) -> FloatArray:
    """Drawn at random, each text in proportion to its doubt (Efraimidis & Spirakis 2006)."""
    return random(seen) ** (1.0 / np.maximum(doubt(seen), 1e-6))


def density(seen: Situation) -> FloatArray:
    """Disagreement of members (Jensen-Shannon) times mean similarity to the pool (Settles & Craven 2008)."""
    p = seen.members
    rows = seen.data.sentences(list(seen.data.embedded)[-1])[seen.draw.pool]
    disagreement: FloatArray = entropy_of(p.mean(axis=1)) - entropy_of(p).mean(axis=1)
    near: FloatArray = rows @ rows.mean(axis=0)
    return disagreement * near


def crossfit(seen: Situation) -> FloatArray:
    """Doubt of the mean verdict of five aggregators, each fitted without a fifth of the labels."""
    given, labels = seen.draw.given, seen.draw.labels
    fold = stream(seen.draw.number, "budget folds").permutation(len(given)) % FOLDS
    fits = [replace(seen.draw, given=given[fold != k], labels=labels[fold != k]) for k in range(FOLDS)]
    mean: FloatArray = np.mean(
        [mollia_verdicts(seen.data, fit, seen.data.shown is not None)[: len(seen.draw.pool)] for fit in fits], axis=0
    )
    confidence: FloatArray = mean.max(axis=1)
    return 1.0 - confidence


def change(seen: Situation) -> FloatArray:
    """Expected change of the pool's verdicts (total variation) by the answer; its own to what the answer is.

    The aggregator's head is a ridge regression, so the scores with one more gold label follow in closed form
    (Sherman-Morrison); a verdict's log-odds move with its score by ``_gain``. Else the aggregator stays as it is.
    """
    own = Mixture()
    n, m, classes = len(seen.draw.given), len(seen.draw.pool), len(seen.data.labels)
    x = np.concatenate([seen.view, np.ones((len(seen.view), 1))], axis=1)[: n + m]
    targets = np.eye(classes)[np.concatenate([seen.draw.labels, seen.verdicts.argmax(axis=1)])]
    weights = np.where(np.arange(n + m) < n, own.gold_weight, 1.0)
    penalty = np.full(x.shape[1], own.ridge)
    penalty[-1] = 1e-6
    inverse = np.linalg.inv((x * weights[:, None]).T @ x + np.diag(penalty))
    pool = x[n:]
    fitted = pool @ (inverse @ ((x * weights[:, None]).T @ targets))
    kernel = pool @ inverse @ pool.T
    logs = np.log(np.maximum(seen.verdicts, 1e-6))
    gain = _gain(fitted, seen.verdicts)
    expected = np.zeros(m)
    for row in range(m):
        step = gain * kernel[row] / (1.0 + (own.gold_weight - 1.0) * kernel[row, row])
        for label in range(classes):
            answer = np.eye(classes)[label]
            pull = own.gold_weight * (answer - fitted[row]) - (targets[n + row] - fitted[row])
            moved = logs + step[:, None] * pull
            moved = np.exp(moved - moved.max(axis=1, keepdims=True))
            moved /= moved.sum(axis=1, keepdims=True)
            moved[row] = answer
            expected[row] += seen.verdicts[row, label] * np.abs(moved - seen.verdicts).sum() / 2
    return expected


def _gain(fitted: FloatArray, verdicts: FloatArray) -> float:
    """By how much a verdict's log-odds rise with the head's score: the slope through the origin, over the pool."""
    scores = fitted - fitted.mean(axis=1, keepdims=True)
    logs = np.log(np.maximum(verdicts, 1e-6))
    logs -= logs.mean(axis=1, keepdims=True)
    return float((scores * logs).sum() / (scores**2).sum())


@dataclass(frozen=True)
class Way:
    """A rule, and what is done with its answers.

    calibrating: they choose the temperature, too (in the product only random seeds do). learned: the aggregator is
    fitted on them; else on the first 50 alone, and they take the place of verdicts.
    """

    rule: Rule
    calibrating: bool = False
    learned: bool = True


WAYS = {
    "random": Way(random),
    "random:calibrating": Way(random, calibrating=True),
    "doubt": Way(doubt),
    "margin": Way(margin),
    "sampled": Way(sampled),
    "density": Way(density),
    "crossfit": Way(crossfit),
    "change": Way(change),
    "doubt:calibrating": Way(doubt, calibrating=True),
    "doubt:not-learned": Way(doubt, learned=False),
}
ALTERNATIVES = ("lr", OWN)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a folder, or: demo")
    parser.add_argument("--encoders", type=names, required=True, help="comma-separated; the best one last")
    panel = parser.add_mutually_exclusive_group(required=True)
    panel.add_argument("--panel", type=names, default=[], help="installed LLMs, comma-separated")
    panel.add_argument("--outputs", type=Path, metavar="FILE.npy")
    panel.add_argument("--outputs-shots", type=Path, metavar="FILE.npy")
    parser.add_argument("--shots", type=counts, default=[], help="the rows that --outputs-shots was shown")
    parser.add_argument("--columns", type=names, help="the labels in the order of the stored columns; sorted")
    parser.add_argument("--steps", type=int, default=4, help=f"of {MORE} answers, after {FIRST} labels")
    parser.add_argument("--seeds", type=int, default=5, help="draws")
    parser.add_argument("--pool", type=int, default=1000, help="texts that are read, and may be asked about")
    parser.add_argument("--unread", type=int, default=1000, help="more texts, which the encoders alone read")
    parser.add_argument("--rules", type=names, default=[*WAYS, *ALTERNATIVES])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--noun", default="text", help="for --panel")
    parser.add_argument("--out", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measure(way: Way, data: Material, gold: IntArray, start: Draw, draw: Draw) -> tuple[Row, FloatArray]:
    """Accuracies with the draw's labels, and the verdicts [m, K] on its pool."""
    more = len(draw.given) - len(start.given)
    fitted = draw if way.learned else start
    keep = ~np.isin(np.concatenate([fitted.pool, fitted.unread]), draw.given)
    reviewed = more if way.learned and not way.calibrating else 0
    learned = mollia_verdicts(data, fitted, data.shown is not None, reviewed)[keep]
    verdicts = learned[: len(draw.pool)]
    right, confidence = verdicts.argmax(axis=1) == gold[draw.pool], verdicts.max(axis=1)
    row: Row = {
        "rest": float(right.mean()),
        "pool": float((right.sum() + more) / len(start.pool)),
        "test": micro_f1(gold[data.train :], distilled(data, draw, learned)),
        "over": float(confidence.mean() - right.mean()),
        "ece": expected_calibration_error(confidence, right),
    }
    return row, verdicts


def answered(draw: Draw, asked: IntArray, gold: IntArray) -> Draw:
    """The same with the true labels of some of its pool."""
    given = np.concatenate([draw.given, asked])
    return replace(draw, given=given, labels=gold[given], pool=draw.pool[~np.isin(draw.pool, asked)])


@dataclass
class Walks:
    """The rules' and the alternatives' ways through a draw's labels; all rules begin at the same figures."""

    data: Material
    gold: IntArray
    start: Draw

    @cached_property
    def begun(self) -> tuple[Row, FloatArray]:
        return measure(Way(random), self.data, self.gold, self.start, self.start)

    def along(self, name: str, steps: int, known: Sequence[Row]) -> Iterator[Row]:
        """A row for 50 labels, and for every 25 more; ``known`` rows are not measured again."""
        draw = self.start
        for step in range(steps + 1):
            begin = time.process_time()
            if step < len(known):
                row = known[step]
            else:
                facts = {"rule": name, "draw": draw.number, "labels": FIRST + MORE * step}
                found = self._ruled(WAYS[name], draw) if name in WAYS else self._alternative(name, step)
                row = facts | found | {"cpu": round(time.process_time() - begin, 2)}
            yield row
            draw = answered(draw, np.array(row.get("asks", []), dtype=np.int64), self.gold)

    def _ruled(self, way: Way, draw: Draw) -> Row:
        row, verdicts = self.begun if draw is self.start else measure(way, self.data, self.gold, self.start, draw)
        scores = way.rule(Situation(self.data, draw, verdicts))
        return row | {"asks": draw.pool[np.argsort(-scores, kind="stable")[:MORE]].tolist()}

    def _alternative(self, name: str, step: int) -> Row:
        """A method without an LLM, with as many random labels."""
        start, gold = self.start, self.gold
        method = mixture_without_llms if name == OWN else logistic_on(list(self.data.embedded)[-1])
        given, rest = np.split(np.concatenate([start.given, start.pool]), [FIRST + MORE * step])
        answer = method(self.data, replace(start, given=given, labels=gold[given], pool=rest))
        assert answer.test is not None and answer.pool is not None
        right = answer.pool == gold[rest]
        return {
            "rest": float(right.mean()),
            "pool": float((right.sum() + MORE * step) / len(start.pool)),
            "test": micro_f1(gold[self.data.train :], answer.test),
        }


def run(data: Material, gold: IntArray, options: argparse.Namespace) -> Iterator[Row]:
    """Every row: read where --out has it, else measured and written there."""
    path = options.out / "steps.jsonl" if options.out else None
    lines = path.read_text(encoding="utf-8").splitlines() if path and path.is_file() else []
    known: dict[tuple[str, int], list[Row]] = {}
    for row in map(json.loads, lines):
        known.setdefault((row["rule"], row["draw"]), []).append(row)
    for number in range(options.seeds):
        rows = order(data.train, data.shots, number)
        given, others = np.split(rows, [FIRST])
        unread = others[options.pool : options.pool + options.unread]
        walks = Walks(data, gold, Draw(given, gold[given], others[: options.pool], number, unread))
        for name in options.rules:
            before = known.get((name, number), [])
            for place, row in enumerate(walks.along(name, options.steps, before)):
                if place >= len(before) and path:
                    print({key: row[key] for key in row if key != "asks"}, file=sys.stderr, flush=True)
                    with path.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
                yield row


def table(rows: Sequence[Row], steps: int) -> str:
    """A Markdown table for each figure: rules by numbers of labels, means and 95% intervals over draws.

    ``beside random``: the difference to random answers of the same draw, at the last number.
    """
    counted = [FIRST + MORE * step for step in range(steps + 1)]
    lines: list[str] = []
    for key in SHOWN:
        by: dict[str, dict[int, dict[int, float]]] = {}
        for row in rows:
            if key in row:
                by.setdefault(row["rule"], {}).setdefault(row["labels"], {})[row["draw"]] = row[key]
        lines += ["", f"| {key} | {' | '.join(map(str, counted))} | beside random |", "|---" * (len(counted) + 2) + "|"]
        for name, found in by.items():
            cells = [interval(list(found.get(labels, {}).values())) for labels in counted]
            last, base = found.get(counted[-1], {}), by.get("random", {}).get(counted[-1], {})
            beside = interval([last[draw] - base[draw] for draw in last if draw in base])
            lines.append(f"| {' | '.join([name, *cells, beside])} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parse, measure, print."""
    options = parse()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    data, gold = material(options)
    rows = list(run(data, gold, options))
    print(json.dumps({"rows": rows}) if options.json else table(rows, options.steps))


if __name__ == "__main__":
    main()
