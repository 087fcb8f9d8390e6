"""The Python API: ``from mollia_cli import Project``. The command line's verbs, for scripts and notebooks."""

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import signature
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import numpy as np

from mollia_cli.domain.items import check_split
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray, Panel
from mollia_cli.domain.report import Curve, Report
from mollia_cli.domain.settings import RunConfig, by_paper, parse_settings
from mollia_cli.insight import compare, evaluate, export, imports, predict, report, status
from mollia_cli.insight import merge as merging
from mollia_cli.loop import aggregate as aggregation
from mollia_cli.loop import estimate as estimation
from mollia_cli.loop import round as rounds
from mollia_cli.loop import run as runs
from mollia_cli.loop import select
from mollia_cli.loop.cascade import Cascaded, aggregate_cascade
from mollia_cli.loop.generate import Generated, generate
from mollia_cli.loop.needed import next_items
from mollia_cli.loop.setup import open_run
from mollia_cli.loop.shots import settle_prompt
from mollia_cli.project import context as core
from mollia_cli.project import observe as annotation
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.ingest import ImportReport, ingest
from mollia_cli.project.members import REPLAY, labelling
from mollia_cli.store.merge import Merged
from mollia_cli.store.runs import Round
from mollia_cli.strategies.base import Pick

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class _Named(RunConfig):
    """The arguments of a method about one run: what a run is, each left out as it was opened, else as the settings."""

    run: str = field(default="", kw_only=False)
    paper: bool = False


@dataclass(frozen=True, kw_only=True)
class _Heard(_Named):
    """The same and ``done``, which hears of each round."""

    done: Callable[[Round], None] = lambda record: None


def _takes(arguments: Callable[P, object]) -> Callable[[Callable[..., T]], Callable[Concatenate[Any, P], T]]:
    """Have type checkers and ``help`` see the fields of a dataclass as the arguments of a method that takes any."""

    def seen(method: Callable[..., T]) -> Callable[Concatenate[Any, P], T]:
        this = next(iter(signature(method).parameters.values()))
        whole = signature(arguments)
        method.__signature__ = whole.replace(parameters=[this, *whole.parameters.values()])  # type: ignore[attr-defined]
        return method

    return seen


class Project(core.Project):
    """A project folder, open. Close it, or use it in a ``with`` statement.

    Every method is the command of the same name, stores what it makes, and raises MolliaError (``message``,
    ``hint``) as the command prints it. ``say`` and ``progress`` may be set to hear what is being done.
    """

    @classmethod
    def create(
        cls,
        folder: str | Path,
        labels: Sequence[str] | Mapping[str, str],
        *,
        panel: Sequence[str | Mapping[str, Any]] = (),
        encoder: str = "",
        noun: str = "text",
        task: str = "",
        random_seed: int = 0,
        paper: bool = False,
        guidelines: str = "",
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Self:
        """A new project (``mollia init``); a folder that holds one raises RefusedError.

        labels: names, or names with what they mean. panel: catalogue names, paths of GGUF files, and members of
        other kinds as dictionaries, as they stand in ``mollia.toml``. guidelines: the text of ``guidelines.md``.
        settings: sections of ``mollia.toml``, for example ``{"learner": {"epochs": 10}}``. paper: its values elsewhere.
        """
        described = labels if isinstance(labels, Mapping) else dict.fromkeys(labels, "")
        given = parse_settings({"labels": dict(described), **(settings or {})}, "settings")
        named = LabelSet(tuple(described), tuple(described.values()))
        if paper:
            given = by_paper(given, settings or {})
        made = new_settings(named, noun, task, panel, encoder, random_seed, paper)
        learner = replace(given.learner, encoder=made.learner.encoder)
        create(
            Path(folder),
            replace(
                made,
                panel=made.panel if panel or not given.panel.members else given.panel,
                annotate=given.annotate,
                aggregate=given.aggregate,
                learner=learner,
                run=given.run,
            ),
            paper,
            guidelines,
        )
        return cls.open(Path(folder))

    @classmethod
    def open(
        cls, folder: str | Path | None = None, say: Callable[[str], None] | None = None, changing_labels: bool = False
    ) -> Self:
        """The project in ``folder``, else of ``MOLLIA_PROJECT``, else in the nearest parent of here.

        say: hears remarks, as that the database was brought up to date. changing_labels: open it though the labels in
        ``mollia.toml`` are not those of what is stored.
        """
        return super().open(None if folder is None else Path(folder), say, changing_labels)

    def close(self) -> None:
        """Close the project's database."""
        self.store.close()

    def import_(
        self, source: str | Path | Iterable[Mapping[str, Any]], split: str = "pool", **columns: Any
    ) -> ImportReport:
        """Add texts from a file, or from records with "text" and perhaps "label" and "id".

        split: pool, seed, validation or test. columns: ``text_column``, ``label_column``, ``id_column``,
        ``file_format``, ``strict``, as the options of ``mollia import``.
        """
        check_split(split)
        if isinstance(source, (str, Path)):
            return ingest(self, Path(source), split, name=str(source), **columns)
        lines = "\n".join(json.dumps(dict(record), ensure_ascii=False) for record in source)
        return ingest(self, io.BytesIO(lines.encode()), split, name="records", **{"file_format": "jsonl"} | columns)

    def move(self, ids: Sequence[str], split: str) -> imports.Moved:
        """Put items into another split; seed and validation items need a label.

        Classifiers that have learned from them, and scores that were measured with them, stay and are named.
        """
        return imports.move(self, ids, check_split(split))

    def annotate(
        self,
        ids: Sequence[str] | None = None,
        *,
        split: str = "",
        members: Sequence[str] = (),
        replay: str | Path = "",
    ) -> Panel:
        """What the panel, or some of its members, say of items: of ``ids``, of a split, else of what comes next.

        replay: a file of stored outputs that stand for the panel.
        The arrays' rows follow the items, their second axis the LLMs: see Panel.
        """
        if ids is None:
            ids = self.store.items.ids(check_split(split)) if split else next_items(self)
        seen = self.with_panel(labelling(self.settings, REPLAY, str(Path(replay).resolve()))) if replay else self
        settle_prompt(self, seen, members)
        return annotation.stack(seen, annotation.annotate(seen, ids, members), ids)

    def merge(self, *files: str | Path, dry_run: bool = False) -> list[Merged]:
        """Add what copies of the project (folders, or their database files) have observed; dry_run: only look."""
        return merging.merge(self, files, dry_run)

    def aggregate(
        self,
        name: str = "",
        ids: Sequence[str] | None = None,
        target_precision: float | None = None,
        confidence_level: float = aggregation.LEVEL,
    ) -> aggregation.Aggregated:
        """Verdicts on items (None: on every annotated pool item) by the aggregator ``name``."""
        return aggregation.aggregate(self, name, ids, target_precision, confidence_level)

    def cascade(
        self, order: Sequence[str], ids: Sequence[str] | None = None, *, threshold: float | None = None, name: str = ""
    ) -> Cascaded:
        """Annotate and aggregate at once, asking each LLM of ``order`` only where those before leave doubt."""
        threshold = self.settings.run.threshold if threshold is None else threshold
        return aggregate_cascade(self, order, threshold, ids, name)

    def select(
        self, strategy: str = "", n: int = 0, *, run: str = "", pool_sample: int = 0, where: Sequence[str] = ()
    ) -> list[Pick]:
        """The items to annotate next; 0 items are the project's batch.

        where: conditions on the other columns that items were imported with, as ``mollia select --where`` has them.
        """
        settings = self.settings.run
        return select.select(self, strategy or settings.strategy, n or settings.batch, run, pool_sample, where)

    def train(self, run: str = "") -> Round:
        """Train on the seed labels and the verdicts of the last aggregation."""
        return rounds.train_now(self, run)

    @_takes(_Named)
    def round(self, run: str = "", **options: Any) -> Round | None:
        """One round: select, annotate, aggregate, train, evaluate; None where the pool is used up."""
        return rounds.advance(self, *open_run(self, run, **options))

    @_takes(_Heard)
    def run(self, run: str = "", done: Callable[[Round], None] = lambda record: None, **options: Any) -> list[Round]:
        """Rounds until ``rounds`` of them are done or ``stop`` says so; continues a run. ``done`` hears of each."""
        return next(iter(runs.run_repeats(self, run, 1, done, **options).values())).rounds

    @_takes(_Named)
    def estimate(self, run: str = "", **options: Any) -> estimation.Estimate:
        """What ``run`` with the same options will cost: tokens, seconds, bytes."""
        return estimation.estimate(self, run, **options)

    def evaluate(self, split: str = "test", limit: int = 0) -> list[evaluate.Score]:
        """Each LLM, the aggregators and the classifier on a split's labelled items; 0: all of them."""
        return evaluate.evaluate_panel(self, check_split(split), limit)

    def compare(self, *names: str) -> list[Curve]:
        """The learning curves of some runs, or of all."""
        return compare.compare(self, names)

    def predict(self, texts: Iterable[str], *, run: str = "", round: int | None = None) -> FloatArray:
        """[n, K] label probabilities of new texts, by a run's best classifier or that of one round.

        Rows follow the texts, columns ``labels.names``.
        """
        given = list(texts)
        learner = predict.learner_of(self, predict.choose_round(self, run, round))
        return learner.predict_proba(given, self.progress) if given else np.zeros((0, len(self.labels)))

    def generate(self, label: str, n: int = 50, writer: str = "") -> Generated:
        """Synthetic texts of a label by one LLM of the panel; used by runs with ``synthetic=True`` alone."""
        return generate(self, label, n, writer)

    def export_labels(self, out: str | Path | None = None, *, synthetic: bool = False) -> list[dict[str, Any]]:
        """Every labelled item as a record; also written to ``out`` (.csv, .jsonl) where that is given."""
        rows = list(export.labelled_rows(self, synthetic))
        if out is not None:
            export.write_rows(rows, Path(out), target=export.target_of(self))
        return rows

    def export_model(self, out: str | Path, *, run: str = "", round: int | None = None) -> Path:
        """Copy a classifier to a new folder, which ``transformers`` loads."""
        return export.export_model(self, predict.choose_round(self, run, round), Path(out))

    def report(self, run: str = "") -> Report:
        """Everything that ``mollia report`` tells of a run and of the panel."""
        return report.report(self, run)

    def status(self) -> status.Status:
        """What the project holds and how far it is."""
        return status.status(self)
