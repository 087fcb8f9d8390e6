"""The methods that benchmarks/instead.py sets beside each other: mollia, and what a user would pick instead.

A method sees the texts, the labels of some of them, what LLMs said of them, and frozen embeddings; it never sees
another label. It answers with predicted labels of the test texts and, where it has them, of the pool.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from baselines.frozen import Spreading, cross_validated, logistic, unit
from baselines.setfit import setfit

from mollia_cli.aggregators import AGGREGATORS, DEFAULT
from mollia_cli.aggregators.base import Aggregator
from mollia_cli.aggregators.calibration import fit_calibrated, tempered
from mollia_cli.aggregators.features import interleave
from mollia_cli.aggregators.mixture import Mixture
from mollia_cli.aggregators.views import View
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import BoolArray, FloatArray, IntArray, Panel, Texts
from mollia_cli.domain.rng import stream
from mollia_cli.domain.settings import LearnerSettings
from mollia_cli.learners.base import Examples, join
from mollia_cli.learners.head import Scaling, choose_ridge, fit_head, shortened

# Numbers of labels of the alternatives' curves: of what takes a second, and of what takes more.
GRID = (50, 75, 100, 150, 200, 300, 400, 500, 1000, 2000)
COARSE = (50, 100, 200, 400)
OWN = "mixture-without-llms"


@dataclass(frozen=True)
class Embedded:
    """What a frozen encoder makes of all texts, and the wall and CPU seconds that either takes.

    sentences: [n, d] rows of length 1; thirds: [n, 3, d] (see FrozenEncoder).
    """

    sentences: FloatArray
    thirds: FloatArray
    seconds: tuple[float, float]
    seconds_of_thirds: tuple[float, float]


@dataclass
class Material:
    """Texts (those of train first, then the test's), and what is known of them without a label.

    panel: what LLMs said of the train rows; ``test_panel``: of the test rows, None where they were not asked.
    shown, shown_test: the same with worked examples in the prompt, which are the train rows ``shots``; ``unread``:
    those of them that were read with their own label, or not at all.
    reading: wall and CPU seconds of the LLMs without (False) and with (True) them, where they were read here.
    """

    labels: LabelSet
    texts: list[str]
    train: int
    encoders: dict[str, Path]
    panel: Panel | None = None
    test_panel: Panel | None = None
    shown: Panel | None = None
    shown_test: Panel | None = None
    shots: tuple[int, ...] = ()
    unread: tuple[int, ...] = ()
    embedded: dict[str, Embedded] = field(default_factory=dict)
    reading: dict[bool, tuple[float, float]] = field(default_factory=dict)

    def sentences(self, encoder: str) -> FloatArray:
        """[n, d] rows of length 1: the encoder's last layer."""
        return self.embedded[encoder].sentences

    @cached_property
    def read(self) -> Texts:
        """The encoders as a panel's members; ids are numbers of texts. One object: the aggregator keeps its view."""
        return Texts(tuple(self.embedded), lambda name, ids: self.embedded[name].thirds[[int(row) for row in ids]])


@dataclass(frozen=True)
class Draw:
    """Some labelled train rows, others that may be read, the draw's number, and ``unread`` rows for encoders alone."""

    given: IntArray
    labels: IntArray
    pool: IntArray
    number: int
    unread: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class Answer:
    """Predicted label indices of the test texts and of the draw's pool; None: not predicted."""

    test: IntArray | None = None
    pool: IntArray | None = None


@dataclass(frozen=True)
class Method:
    """A method and what it needs.

    encoders: whose embeddings of sentences; thirds: whose as members of a panel; reads: the LLMs' readings, without
    (False) or with (True) worked examples. slow: few draws of it are affordable; curve: numbers of labels that it is
    measured with beside those asked for; asked: it is so slow that it runs only where it is named.
    """

    run: Callable[[Material, Draw], Answer]
    encoders: tuple[str, ...] = ()
    thirds: tuple[str, ...] = ()
    reads: tuple[bool, ...] = ()
    slow: bool = False
    curve: tuple[int, ...] = ()
    asked: bool = False


def embed(texts: list[str], folder: Path, tokens: int) -> list[FloatArray]:
    """What ``Embedded`` holds: sentences, thirds, and [[wall, CPU] seconds of the one, of the other]."""
    from mollia_cli.learners.devices import choose_device
    from mollia_cli.learners.frozen import FrozenEncoder
    from mollia_cli.learners.inference import pooled_layers
    from mollia_cli.learners.pretrained import load_tokenizer
    from mollia_cli.learners.tokens import TokenStore

    encoder = FrozenEncoder.open(folder, tokens, threads=1)
    tokenizer = TokenStore(load_tokenizer(folder), tokens, None)

    def sentences(given: list[str]) -> FloatArray:
        last = pooled_layers(encoder.body(), tokenizer.encode(given), choose_device("auto"), lambda _: None)[:, -1]
        return unit(last.astype(np.float64))

    made, seconds = [], []
    for reading in (sentences, encoder.thirds):
        begin = time.perf_counter(), time.process_time()
        made.append(np.asarray(reading(texts)))
        seconds.append([time.perf_counter() - begin[0], time.process_time() - begin[1]])
    return [*made, np.array(seconds)]


def logistic_on(encoder: str) -> Callable[[Material, Draw], Answer]:
    """Logistic regression on frozen embeddings; C by cross-validation on the labels alone."""

    def run(data: Material, draw: Draw) -> Answer:
        rows, classes = data.sentences(encoder), len(data.labels)
        penalty, _ = cross_validated(rows[draw.given], draw.labels, classes, draw.number)
        head = logistic(rows[draw.given], np.eye(classes)[draw.labels], penalty)
        return Answer(head(rows[data.train :]).argmax(axis=1), head(rows[draw.pool]).argmax(axis=1))

    return run


def spreading_on(encoder: str) -> Callable[[Material, Draw], Answer]:
    """Label spreading over the labelled texts and the pool."""

    def run(data: Material, draw: Draw) -> Answer:
        rows, n = data.sentences(encoder), len(draw.given)
        graph = Spreading(rows[np.concatenate([draw.given, draw.pool, draw.unread])])
        scores = graph.scores(np.arange(n), draw.labels, len(data.labels))
        return Answer(
            graph.outside(rows[data.train :], scores).argmax(axis=1), scores[n : n + len(draw.pool)].argmax(axis=1)
        )

    return run


def setfit_on(encoder: str, tokens: int) -> Callable[[Material, Draw], Answer]:
    """SetFit by its usual recipe."""

    def run(data: Material, draw: Draw) -> Answer:
        texts, test = [data.texts[row] for row in draw.given], data.texts[data.train :]
        found = setfit(data.encoders[encoder], texts, draw.labels, test, len(data.labels), tokens, draw.number)
        return Answer(found.argmax(axis=1))

    return run


def finetune_on(encoder: str, tokens: int) -> Callable[[Material, Draw], Answer]:
    """mollia's learner with its default settings, on the labels alone."""
    from mollia_cli.learners.splits import validation_split
    from mollia_cli.learners.transformer import TransformerLearner

    def run(data: Material, draw: Draw) -> Answer:
        own = LearnerSettings()
        learner = TransformerLearner(
            data.encoders[encoder], data.labels, max_tokens=tokens, learning_rate=own.learning_rate,
            batch_size=own.batch_size, epochs=own.epochs, patience=own.patience, steps=own.steps, threads=1,
        )  # fmt: skip
        rng = stream(draw.number, "instead validation")
        cut = validation_split(draw.labels, rng, own.validation, own.validation_cap)
        training, held_out = (
            Examples.gold([data.texts[row] for row in draw.given[part]], draw.labels[part], len(data.labels))
            for part in cut
        )
        learner.fit(training, held_out, 0.0, draw.number)
        return Answer(learner.predict_proba(data.texts[data.train :]).argmax(axis=1))

    return run


def best_llm(shown: bool) -> Callable[[Material, Draw], Answer]:
    """The most probable label of the LLM that is right on most of the labelled texts."""

    def run(data: Material, draw: Draw) -> Answer:
        return _aggregated("single", data, draw, shown)

    return run


def vote(shown: bool) -> Callable[[Material, Draw], Answer]:
    """The majority of the LLMs."""

    def run(data: Material, draw: Draw) -> Answer:
        return _aggregated("vote", data, draw, shown)

    return run


def _aggregated(name: str, data: Material, draw: Draw, shown: bool) -> Answer:
    panel, test = (data.shown, data.shown_test) if shown else (data.panel, data.test_panel)
    assert panel is not None
    keep = unshown(data, draw) if shown else np.ones(len(draw.given), dtype=bool)
    pool = panel.take(draw.pool)
    made = AGGREGATORS.load(name)().fit(panel.take(draw.given[keep]), draw.labels[keep], pool, draw.number)
    return Answer(None if test is None else made.predict_proba(test).argmax(1), made.predict_proba(pool).argmax(1))


def unshown(data: Material, draw: Draw) -> BoolArray:
    """Which of the labelled rows no LLM has read with their own label."""
    return ~np.isin(draw.given, data.unread)


def mixture_without_llms(data: Material, draw: Draw) -> Answer:
    """mollia's mixture where no LLM takes part, and the classifier that it trains."""
    rows, classes = np.concatenate([draw.given, draw.pool, draw.unread]), len(data.labels)
    blocks = [[made.thirds[rows, place] for place in range(made.thirds.shape[1])] for made in data.embedded.values()]
    found = Mixture().mix(View.fit(blocks)(blocks), draw.labels, classes).pool
    return Answer(distilled(data, draw, found), found[: len(draw.pool)].argmax(axis=1))


def mollia_default(shown: bool) -> Callable[[Material, Draw], Answer]:
    """What `mollia init`, `import`, `run` without an option do, by the code that they call.

    A linear head learns the probabilities of ``mollia_verdicts``.
    """

    def run(data: Material, draw: Draw) -> Answer:
        verdicts = mollia_verdicts(data, draw, shown)
        return Answer(distilled(data, draw, verdicts), verdicts[: len(draw.pool)].argmax(axis=1))

    return run


def mollia_verdicts(data: Material, draw: Draw, shown: bool = False, reviewed: int = 0) -> FloatArray:
    """[m + u, K] calibrated verdicts of the default aggregator on the draw's pool, then on what is unread.

    Its panel has the LLMs and every encoder. What the LLMs were shown, if they were (``shown``), it learns from alone.
    The last ``reviewed`` of the labels are learned from and do not calibrate.
    """
    panel = data.shown if shown else data.panel
    assert panel is not None
    panel = replace(panel, texts=data.read)
    keep = unshown(data, draw) if shown else np.ones(len(draw.given), dtype=bool)
    kind: type[Aggregator] = AGGREGATORS.load(DEFAULT)
    seed, pool = panel.take(draw.given[keep]), panel.take(draw.pool)
    both = pool.joined(unobserved(panel.take(draw.unread)))
    measured = np.arange(len(seed) - reviewed)
    fitted, known = fit_calibrated(kind, seed, draw.labels[keep], both, draw.number, measured)
    return tempered(fitted.predict_proba(both), known.temperature)


def unobserved(panel: Panel) -> Panel:
    """The same texts, where no LLM has read them."""
    nothing = np.full_like(panel.log_probs, np.nan)
    return replace(panel, log_probs=nothing, votes=np.zeros_like(nothing), invalid=np.ones(nothing.shape[:2]))


def distilled(data: Material, draw: Draw, verdicts: FloatArray) -> IntArray:
    """Labels of the test texts by LinearLearner's head on the last encoder, trained as the method distil does.

    verdicts: [m, K] probabilities of the draw's pool, then of what is unread.
    """
    rows = np.concatenate([draw.pool, draw.unread])
    thirds, classes = data.embedded[list(data.embedded)[-1]].thirds, len(data.labels)
    gold = Examples.gold([data.texts[row] for row in draw.given], draw.labels, classes)
    given = Examples.gold([data.texts[row] for row in rows], verdicts.argmax(axis=1), classes)
    examples = join(gold, replace(given, known=np.zeros(len(verdicts), dtype=bool), soft=verdicts))
    training = thirds[np.concatenate([draw.given, rows])]
    scaling = Scaling.of(training)
    features, basis = shortened(scaling.apply(training))
    head = fit_head(features, examples, 0.0, choose_ridge(features, examples, 0.0, draw.number))
    test = scaling.apply(thirds[data.train :]) @ basis.T
    return np.asarray(head.logits(test).argmax(axis=1), dtype=np.int64)


def papers_loop(encoder: str, tokens: int) -> Callable[[Material, Draw], Answer]:
    """`mollia run --method mollia`, coreset and MoLAM: a project of its own, what the LLMs said as stored outputs."""
    from mollia_cli import Project
    from mollia_cli.loop.run import run_rounds
    from mollia_cli.loop.setup import open_run
    from mollia_cli.project.learner import trained_learner

    def run(data: Material, draw: Draw) -> Answer:
        assert data.panel is not None
        folder = str(data.encoders[encoder].resolve())
        learner = {"learner": {"name": "transformer", "max_tokens": tokens, "threads": 1}}
        with tempfile.TemporaryDirectory() as work:
            outputs, root = Path(work) / "outputs.npy", Path(work) / "project"
            np.save(outputs, interleave(data.panel.probabilities, data.panel.votes))
            made = Project.create(root, data.labels.names, encoder=folder, random_seed=draw.number, settings=learner)
            with made as project:
                items = [Item(str(row), data.texts[row]) for row in draw.pool]
                for row, label in zip(draw.given, draw.labels, strict=True):
                    items.append(Item(str(row), data.texts[row], "seed", int(label)))
                with project.store.transaction():
                    project.store.items.add(items, "instead")
                changes: dict[str, Any] = {
                    "method": "mollia",
                    "strategy": "coreset",
                    "aggregator": "molam",
                    "replay": outputs,
                }
                name, setup = open_run(project, **changes, delta=0.001, rounds=10)
                record = run_rounds(project, name, setup, setup.rounds)[-1]
                found = trained_learner(project, record).predict_proba(data.texts[data.train :])
        return Answer(found.argmax(axis=1))

    return run


def catalogue(encoders: tuple[str, ...], tokens: int, panel: bool, shown: bool) -> dict[str, Method]:
    """Every method that there are the encoders and the LLMs' outputs for, by name."""
    made: dict[str, Method] = {}
    for name in encoders:
        made[f"lr:{name}"] = Method(logistic_on(name), (name,), curve=GRID)
    for name in encoders:
        made[f"spreading:{name}"] = Method(spreading_on(name), (name,), curve=GRID)
    for name in encoders:
        made[f"setfit:{name}"] = Method(setfit_on(name, tokens), slow=True)
        made[f"finetune:{name}"] = Method(finetune_on(name, tokens), slow=True)
    made[OWN] = Method(mixture_without_llms, thirds=encoders, slow=True, curve=COARSE)
    if panel:
        made["best-llm"] = Method(best_llm(shown=False), reads=(False,))
    if shown:
        made["best-llm-shots"] = Method(best_llm(shown=True), reads=(True,))
    for examples in [False] * panel + [True] * shown:
        suffix = "-shots" if examples and panel else ""
        made[f"vote{suffix}"] = Method(vote(examples), reads=(examples,))
        made[f"mollia{suffix}"] = Method(mollia_default(examples), thirds=encoders, reads=(examples,))
    if panel:
        made["mollia-paper"] = Method(papers_loop(encoders[0], tokens), reads=(False,), slow=True, asked=True)
    for name in encoders:
        made[f"oracle:{name}"] = Method(finetune_on(name, tokens), slow=True, asked=True)
    return made
