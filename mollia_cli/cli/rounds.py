"""``mollia train``, ``mollia round`` and ``mollia run``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mollia_cli.cli.common import (
    JsonOption,
    ProjectOption,
    RunOption,
    ThreadsOption,
    emit_json,
    open_project,
    table,
    talk,
)
from mollia_cli.cli.progress import duration
from mollia_cli.cli.run_options import with_engine_options, with_run_options
from mollia_cli.domain.printable import count
from mollia_cli.reports.words import accuracy_words

if TYPE_CHECKING:
    from mollia_cli.store.runs import Round


EPOCHS = "epochs"
COLUMNS = ("round", "labelled", "verdict accuracy", "test micro-F1", "test macro-F1", EPOCHS, "seconds")


def train(
    run: RunOption = "", threads: ThreadsOption = None, project: ProjectOption = None, as_json: JsonOption = False
) -> None:
    """Train the classifier, step by step.

    It learns from the seed labels, people's labels and exactly the verdicts that the last aggregation has stored,
    whatever made them (--aggregator, --cascade). No LLM reads anything. `mollia aggregate` without ids makes one for
    every annotated item of the pool, with ids on those alone.

    Example: mollia select -n 50 | mollia annotate - | mollia aggregate - > verdicts.jsonl && mollia train
    """
    from mollia_cli.loop.round import train_now

    with open_project(project, threads) as opened:
        record = train_now(opened, run)
    show_rounds([record], as_json)


@with_run_options(ends=False)
@with_engine_options
def round_(
    *,
    options: dict[str, Any],
    run: RunOption = "",
    threads: ThreadsOption = None,
    engine: dict[str, Any],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do one round of active learning.

    That is: select, annotate, aggregate, train, evaluate.
    Continues a round that was interrupted. The first round of a run trains on the seed set alone.

    Example: mollia round --strategy entropy
    """
    from mollia_cli.loop.round import advance
    from mollia_cli.loop.setup import open_run

    with open_project(project, threads) as opened:
        opened.use_annotation(**engine)
        record = advance(opened, *open_run(opened, run, **options))
    show_rounds([] if record is None else [record], as_json)


@with_run_options()
@with_engine_options
def run_(
    *,
    repeats: Annotated[
        int,
        typer.Option(
            help="Repeats with random streams of their own, NAME, NAME.2, ...: in selection, training, the"
            " aggregator and the unlabelled items that it learns from. They share the seed set.",
            min=1,
        ),
    ] = 1,
    options: dict[str, Any],
    run: RunOption = "",
    threads: ThreadsOption = None,
    engine: dict[str, Any],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do several rounds of active learning.

    Stopped anywhere, the same command continues. With --stop it ends before its number of rounds
    when the classifier has stopped learning, and says why; no test label is looked at for that.
    A run that has ended makes a round more where people have labelled since (mollia review): it
    selects nothing, learns from these labels and says what they changed.

    Example: mollia run --rounds 30 --stop agreement
    """
    from mollia_cli.loop.run import run_repeats

    with open_project(project, threads) as opened:
        opened.use_annotation(**engine)
        done = run_repeats(opened, run, repeats, lambda record: talk(summary_of_run(record)), **options)
    if as_json or repeats == 1:
        records = [record for finished in done.values() for record in finished.rounds]
        show_rounds(records, as_json, stopped={name: finished.stopped for name, finished in done.items()})
    else:
        for name, finished in done.items():
            show_rounds(finished.rounds, False, f"run {name}")


def summary_of_run(record: "Round") -> str:
    """One line about a round of a run, and what is left of the run at that round's pace."""
    left = (record.metrics or {}).get("of_rounds", 0) - record.number
    if left <= 0 or not record.number:
        return summary(record)
    # round 0 reads nothing, and round 1 what the aggregator learns from, too: neither says how long the others take
    time = f", about {duration(left * sum(record.seconds.values()))}" if record.number > 1 else ""
    return f"{summary(record)}; {count(left, 'round')} left{time}"


def summary(record: "Round") -> str:
    """One line about a finished round."""
    row = dict(zip(COLUMNS, round_cells(record), strict=True))
    facts = [f"{key} {value}" for key, value in row.items() if value not in (None, "") and key != "round"]
    return f"{record.run} round {record.number}: {', '.join(facts)}"


def round_cells(record: "Round") -> list[Any]:
    """One round as the cells of COLUMNS."""
    metrics = record.metrics or {}

    def share(key: str) -> str | None:
        return f"{metrics[key]:.3f}" if key in metrics else None

    right = None
    if "verdict_accuracy" in metrics:
        keys = ("verdict_accuracy", "verdicts_known", "verdict_lower", "verdict_upper")
        right = accuracy_words(*(metrics[key] for key in keys))
    steps = ", ".join(f"{step} {seconds:.0f}" for step, seconds in record.seconds.items() if seconds >= 0.5)
    return [
        record.number,
        metrics.get("labelled"),
        right,
        share("test_micro_f1"),
        share("test_macro_f1"),
        metrics.get("epochs"),
        steps,
    ]


def rounds_table(records: "Sequence[Round]", title: str = "") -> None:
    """Rounds as a table, without a column of epochs where the classifier has none."""
    rows = [round_cells(record) for record in records]
    shown = [n for n, name in enumerate(COLUMNS) if name != EPOCHS or any(row[n] is not None for row in rows)]
    table([COLUMNS[n] for n in shown], [[row[n] for n in shown] for row in rows], title)


def round_row(record: "Round") -> dict[str, Any]:
    """One round as a flat JSON-ready object: its metrics stand beside its name."""
    return {
        "run": record.run,
        "round": record.number,
        "finished": record.metrics is not None,
        **(record.metrics or {}),
        "seconds": dict(record.seconds),
        "memory": record.memory,
    }


def show_rounds(
    records: "Sequence[Round]", as_json: bool, title: str = "", stopped: Mapping[str, str] | None = None
) -> None:
    """Rounds as a table, or as one JSON object with why each run ended (null: it has all its rounds)."""
    if as_json:
        ended = {} if stopped is None else {"stopped": {run: reason or None for run, reason in stopped.items()}}
        emit_json({"rounds": [round_row(record) for record in records], **ended})
    else:
        rounds_table(records, title)
