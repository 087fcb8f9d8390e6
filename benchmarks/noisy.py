"""The classifier on the panel's verdicts: ways to learn from them, and the same learner on the true labels.

    python benchmarks/noisy.py --data DIR --encoders A,B --outputs FILE.npy [--columns NAMES] [--pool 500]
                               [--unread 2000] [--labels 50] [--seeds 5] [--brief] [--out DIR] [--json]

The texts, draws and stored outputs are those of instead.py, the verdicts are the default aggregator's (as `mollia run`
makes them), and the learner is the linear head on the last encoder, on 512 principal axes. Its penalty is chosen once
for the probabilities and once for the true labels. --pool: texts that the LLMs read (0: all);
--unread: how many texts, with those, the encoders read. "Unread" ways train on their verdicts, too. --out keeps
embeddings, verdicts and finished draws; stopped, the same command goes on.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from alternatives import Draw, Material, mollia_verdicts
from instead import interval, kept, material, names, order

from mollia_cli.aggregators.negatives import negative_labels, rule_for, without_verdicts
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray
from mollia_cli.learners.base import Examples, join, take
from mollia_cli.learners.discrepancy import annotation_discrepancy, discrepancy_weights
from mollia_cli.learners.head import Scaling, choose_ridge, fit_head, softmax

FOLDS = 5
WIDTH = 512  # of the features, for the time of it
SHARE = 0.8  # of each label's verdicts, where the surest are chosen
LAMBDA = 0.4  # of Eq. 9, that of the paper's first round
TRUTH = "true labels of the same texts"


@dataclass(frozen=True)
class Noisy:
    """What one draw has to learn from.

    known: [n] true labels. verdicts: [m, K] on the texts that follow. features, other: [n + m, d] of all, by the last
    and the first encoder. test: [t, d]. negatives: [m, K], y- of Eq. 5 where the LLMs have read. ridge: the heads'
    penalty.
    """

    known: IntArray
    verdicts: FloatArray
    features: FloatArray
    other: FloatArray
    test: FloatArray
    negatives: BoolArray
    ridge: float = 0.0

    def take(self, rows: IntArray | BoolArray) -> "Noisy":
        """The known texts and some of the others."""
        n = len(self.known)
        every = np.concatenate([np.arange(n), n + np.arange(len(self.verdicts))[rows]])
        part = replace(self, verdicts=self.verdicts[rows], negatives=self.negatives[rows])
        return replace(part, features=self.features[every], other=self.other[every])

    def with_ridge(self, seed: int) -> "Noisy":
        """The same, with the penalty that LinearLearner chooses for the verdicts' probabilities."""
        return replace(self, ridge=choose_ridge(self.features, self.examples(self.verdicts), 0.0, seed))

    def examples(
        self, soft: FloatArray | None = None, weights: FloatArray | None = None, negatives: bool = False
    ) -> Examples:
        """The known labels and the verdicts; ``soft`` [m, K] in the place of their most probable labels."""
        m, classes = self.verdicts.shape
        gold = Examples.gold([""] * len(self.known), self.known, classes)
        labels = self.verdicts.argmax(axis=1) if soft is None else soft.argmax(axis=1)
        against = self.negatives if negatives else np.zeros((m, classes), dtype=bool)
        weights = np.ones(m) if weights is None else weights
        return join(gold, Examples(("",) * m, labels, weights, against, np.zeros(m, dtype=bool), soft))

    def fitted(self, examples: Examples, negative_weight: float = 0.0) -> IntArray:
        """Labels of the test texts by a head that learned ``examples``."""
        head = fit_head(self.features, examples, negative_weight, self.ridge)
        return np.asarray(head.logits(self.test).argmax(axis=1))

    @cached_property
    def own(self) -> FloatArray:
        """[m, K] of the verdicts' texts, by heads that did not learn from their verdicts."""
        return self._cross_fitted(self.features)

    @cached_property
    def others(self) -> FloatArray:
        """The same by heads on the other encoder."""
        return self._cross_fitted(self.other)

    def _cross_fitted(self, features: FloatArray) -> FloatArray:
        examples = self.examples(self.verdicts)
        part = np.random.default_rng(0).permutation(len(features)) % FOLDS
        found = np.empty((len(features), self.verdicts.shape[1]))
        for number in range(FOLDS):
            rest, held = np.flatnonzero(part != number), np.flatnonzero(part == number)
            head = fit_head(features[rest], take(examples, rest), 0.0, self.ridge, tolerance=1e-6)
            found[held] = softmax(head.logits(features[held]))
        return found[len(self.known) :]

    def surest(self, by: FloatArray) -> "Noisy":
        """Of each label's verdicts the share that ``by`` [m, K] gives the highest probability."""
        labels, chosen = self.verdicts.argmax(axis=1), np.zeros(len(self.verdicts), dtype=bool)
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            chosen[rows[np.argsort(-by[rows, label])[: int(np.ceil(SHARE * len(rows)))]]] = True
        return self.take(chosen)

    @cached_property
    def weights(self) -> FloatArray:
        """[m] W_d of Eq. 8 by a head that learned the known labels alone."""
        n = len(self.known)
        gold = Examples.gold([""] * n, self.known, self.verdicts.shape[1])
        head = fit_head(self.features[:n], gold, 0.0, self.ridge)
        before = softmax(head.logits(self.features[n:]))
        return discrepancy_weights(annotation_discrepancy(before, self.verdicts.argmax(axis=1)))


def soft(noisy: Noisy) -> IntArray:
    """The method distil: probabilities as targets."""
    return noisy.fitted(noisy.examples(noisy.verdicts))


def hard(noisy: Noisy) -> IntArray:
    """The most probable labels as targets."""
    return noisy.fitted(noisy.examples())


def retrained(noisy: Noisy) -> IntArray:
    """Self-training: targets are the mean of the verdict and of what the other texts' verdicts say of a text."""
    return noisy.fitted(noisy.examples((noisy.verdicts + noisy.own) / 2))


WAYS: dict[str, Callable[[Noisy], IntArray]] = {
    "soft (distil, the default)": soft,
    "hard": hard,
    "hard, weighed by confidence": lambda n: n.fitted(n.examples(weights=n.verdicts.max(axis=1))),
    "surest 80% per label, soft": lambda n: soft(n.surest(n.verdicts)),
    "surest 80% per label, hard": lambda n: hard(n.surest(n.verdicts)),
    "small loss (own), soft": lambda n: soft(n.surest(n.own)),
    "small loss (other encoder), soft": lambda n: soft(n.surest(n.others)),
    "self-training": retrained,
    "hard, W_d (Eq. 8)": lambda n: n.fitted(n.examples(weights=n.weights)),
    "hard, y- (Eq. 7)": lambda n: n.fitted(n.examples(negatives=True), LAMBDA),
    "hard, W_d and y- (Eq. 9)": lambda n: n.fitted(n.examples(weights=n.weights, negatives=True), LAMBDA),
    "soft, y-": lambda n: n.fitted(n.examples(n.verdicts, negatives=True), LAMBDA),
    "soft, W_d": lambda n: n.fitted(n.examples(n.verdicts, n.weights)),
}
UNREAD: dict[str, Callable[[Noisy], IntArray]] = {
    "soft": soft,
    "hard": hard,
    "surest 80% per label, soft": lambda n: soft(n.surest(n.verdicts)),
}


def measure(data: Material, gold: IntArray, number: int, options: argparse.Namespace) -> dict[str, float]:
    """Accuracies of one draw: of the verdicts, of every way on the test texts, and of the learner on true labels."""
    draw, verdicts = drawn(data, gold, number, options)
    given, read, unread = draw.given, draw.pool, draw.unread
    assert data.panel is not None
    delta = rule_for(data.panel.take(given), draw.labels, 0.0, 0.02).delta
    negatives = np.zeros(verdicts.shape, dtype=bool)
    found = without_verdicts(negative_labels(data.panel.take(read), delta), verdicts[: len(read)].argmax(axis=1))
    negatives[: len(read)] = found
    every = np.concatenate([given, read, unread])
    views = [rotated(one.thirds[every], one.thirds[data.train :]) for one in data.embedded.values()]
    other, (features, test) = views[0][0], views[-1]
    whole = Noisy(draw.labels, verdicts, features, other, test, negatives)
    few = whole.take(np.arange(len(read))).with_ridge(number)
    whole = replace(whole, ridge=few.ridge)
    true = gold[data.train :]
    row = {"verdicts": float((few.verdicts.argmax(axis=1) == gold[read]).mean())}
    row[TRUTH] = float((hard(with_truth(few, gold[read]).with_ridge(number)) == true).mean())
    ways = {name: way for name, way in WAYS.items() if way in (soft, hard) or not options.brief}
    row |= {name: float((way(few) == true).mean()) for name, way in ways.items()}
    if len(unread):
        row["unread: verdicts"] = float((verdicts[len(read) :].argmax(axis=1) == gold[unread]).mean())
        row |= {f"unread: {name}": float((way(whole) == true).mean()) for name, way in UNREAD.items()}
        row["unread: true labels"] = float(
            (hard(with_truth(whole, gold[np.concatenate([read, unread])])) == true).mean()
        )
    return row


def rotated(training: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    """[n, d] and [t, d] from thirds [., 3, D]: scaled as LinearLearner does, on their ``WIDTH`` principal axes."""
    scaling = Scaling.of(training)
    rows = scaling.apply(training)
    axes = np.linalg.eigh(rows.T @ rows)[1][:, ::-1][:, :WIDTH]
    return rows @ axes, scaling.apply(test) @ axes


def drawn(data: Material, gold: IntArray, number: int, options: argparse.Namespace) -> tuple[Draw, FloatArray]:
    """A draw, and the default aggregator's verdicts on its pool and its unread texts."""
    rows = order(data.train, (), number)
    given, others = np.split(rows, [options.labels])
    read = others[: options.pool or None]
    unread = others[len(read) : max(options.unread, len(read))]
    draw = Draw(given, gold[given], read, number, unread)
    stem = f"verdicts-{options.labels}-{len(read)}-{len(unread)}-{number}"
    return draw, kept(options, stem, lambda: [mollia_verdicts(data, draw)])[0]


def with_truth(noisy: Noisy, labels: IntArray) -> Noisy:
    """The same texts with true labels as verdicts."""
    return replace(noisy, verdicts=np.eye(noisy.verdicts.shape[1])[labels])


def rows(data: Material, gold: IntArray, options: argparse.Namespace) -> Iterator[dict[str, float]]:
    """Every draw: read where --out has it, else measured and written there."""
    for number in range(options.seeds):
        name = f"noisy-{options.labels}-{options.pool}-{options.unread}-{number}{'-brief' * options.brief}.json"
        path = options.out / name if options.out else None
        if path is None or not path.is_file():
            row = measure(data, gold, number, options)
            print(number, row, file=sys.stderr, flush=True)
            if path is None:
                yield row
                continue
            path.write_text(json.dumps(row), encoding="utf-8")
        yield json.loads(path.read_text(encoding="utf-8"))


def parser(description: str | None) -> argparse.ArgumentParser:
    """What a draw and its verdicts depend on."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", required=True, help="a folder, or: demo")
    made.add_argument("--encoders", type=names, required=True, help="comma-separated; the classifier's last")
    made.add_argument("--outputs", type=Path, metavar="FILE.npy", required=True)
    made.add_argument("--columns", type=names, help="the labels in the order of the stored columns; sorted")
    made.add_argument("--labels", type=int, default=50)
    made.add_argument("--pool", type=int, default=500, help="texts that the LLMs read (0: all others)")
    made.add_argument("--unread", type=int, default=2000, help="texts that the encoders read, with those")
    made.add_argument("--tokens", type=int, default=128)
    made.add_argument("--out", type=Path, metavar="DIR")
    made.set_defaults(panel=[], outputs_shots=None, shots=[])  # of instead.py's
    return made


def main() -> None:
    """Parse, measure, print."""
    reading = parser(__doc__)
    reading.add_argument("--seeds", type=int, default=5)
    reading.add_argument("--brief", action="store_true", help="soft and hard targets alone, for a large pool")
    reading.add_argument("--json", action="store_true")
    options = reading.parse_args()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    found = list(rows(*material(options), options))
    if options.json:
        print(json.dumps(found))
        return
    for name in found[0]:
        here = [row[name] for row in found]
        behind = np.mean([row[TRUTH] - row[name] for row in found])
        cells = " ".join(f"{value:.3f}" for value in here)
        print(f"| {name} | {cells} | {interval(here)} | {100 * behind:+.1f} |")


if __name__ == "__main__":
    main()
