"""``mollia predict``: label new texts with a trained classifier."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.progress import UNKNOWN
from mollia_cli.learners.base import Learner
from mollia_cli.project.context import Project
from mollia_cli.project.learner import best_round, current_run, finished_rounds, trained_learner
from mollia_cli.readers import Problem, Record, read
from mollia_cli.store.runs import Round

_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Prediction:
    """One text's prediction: its own id (None where it brought none), its line, and probabilities [K]."""

    id: str | None
    line: int
    probabilities: FloatArray


def choose_round(project: Project, run_name: str = "", number: int | None = None) -> Round:
    """The round whose model predicts: the one asked for, else the run's best (see ``best_round``).

    Raises NotFoundError for a round without a model.
    """
    run = current_run(project, run_name)
    if number is None:
        best = best_round(project, run)
        why = "the best on gold validation items" if project.store.items.ids("validation") else "the last one"
        project.say(f"the model of run {run}, round {best.number}: {why}")
        return best
    for record in finished_rounds(project, run):
        if record.number == number:
            return record
    have = ", ".join(str(record.number) for record in finished_rounds(project, run)) or "none"
    raise NotFoundError(f"run {run!r} has no trained model of round {number}", f"rounds with a model: {have}")


def learner_of(project: Project, chosen: Round) -> Learner:
    """The classifier of a round, to read texts that may not be the project's."""
    return trained_learner(project, chosen, own_texts=False)


def predict(
    project: Project,
    source: Path | BinaryIO,
    chosen: Round,
    *,
    name: str,
    file_format: str | None = None,
    text_column: str | None = None,
    id_column: str | None = None,
) -> Iterator[Prediction | Problem]:
    """Predictions for the texts of a file in their order, streaming; rows that cannot be used come as problems."""
    learner = learner_of(project, chosen)
    rows = read(source, file_format, name=name, text_column=text_column, id_column=id_column, say=project.say)
    done = 0
    project.progress("predicting", done, UNKNOWN)
    while batch := list(islice(rows, _BATCH)):
        records = [row for row in batch if isinstance(row, Record)]
        probabilities = iter(learner.predict_proba([record.text for record in records]))
        for row in batch:
            yield row if isinstance(row, Problem) else Prediction(row.id, row.line, next(probabilities))
        done += len(batch)
        project.progress("predicting", done, UNKNOWN)
    project.progress("predicting", done, done)
