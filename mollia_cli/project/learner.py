"""The project's learner: a new one, or one that a round has trained."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from shutil import rmtree

from mollia_cli import models
from mollia_cli.domain.errors import NotFoundError
from mollia_cli.domain.progress import step
from mollia_cli.domain.settings import RunConfig
from mollia_cli.learners import LEARNERS
from mollia_cli.learners.base import Learner
from mollia_cli.project.context import Project
from mollia_cli.store.runs import Round

DEFAULT_RUN = "main"
TOKEN_FILE = "tokens.safetensors"
EMBEDDINGS = "embeddings"  # folder of what encoders have made of the texts
_CLASSIFIERS = "classifiers"  # in it, of what fine-tuned ones have


def new_learner(project: Project, epochs: int = 0, steps: int = 0, name: str = "") -> Learner:
    """An untrained learner with the project's encoder and settings; 0 epochs or steps and no name are the settings'."""
    settings = asdict(project.settings.learner)
    for meant_for_us in ("name", "encoder", "validation", "validation_cap"):
        del settings[meant_for_us]
    settings |= {"epochs": epochs or settings["epochs"], "steps": steps or settings["steps"]}
    folder = models.resolve_encoder(project.settings.learner.encoder)
    with step(project.progress, f"loading {folder.name}"):  # and torch, which takes seconds
        learner: Learner = learner_kind(project, name)(
            folder,
            project.labels,
            **settings,
            token_file=project.root / TOKEN_FILE,
            embeddings=project.root / EMBEDDINGS,
        )
    return learner


def learner_kind(project: Project, name: str = "") -> type[Learner]:
    """The class of the project's learner, or of the one that is named."""
    kind: type[Learner] = LEARNERS.load(name or project.settings.learner.name)
    return kind


def trained_learner(project: Project, record: Round, own_texts: bool = True) -> Learner:
    """The learner that a finished round has kept.

    What it makes of the project's texts is kept; ``own_texts`` False: it will read others, too, of which nothing is.
    """
    with step(project.progress, f"loading the classifier of run {record.run}, round {record.number}"):
        return learner_loader(project, record, own_texts)()


def learner_loader(project: Project, record: Round, own_texts: bool = True) -> Callable[[], Learner]:
    """What loads ``trained_learner``. It does not touch the store, so that a thread may call it."""
    assert record.model is not None
    folder = project.root / record.model
    name = run_config(project, record.run).learner.name
    last = finished_rounds(project, record.run)[-1].number == record.number
    of_texts = {"token_file": project.root / TOKEN_FILE} if own_texts else {"keeps": project.store.items.has_text}

    def load() -> Learner:
        if not folder.is_dir():
            raise NotFoundError(f"the model folder {folder} is missing", "train it again: mollia run --run NEW")
        kind: type[Learner] = LEARNERS.load(name)
        return kind.load(
            folder,  # which knows where it cuts texts
            labels=project.labels,
            threads=project.settings.learner.threads,
            embeddings=project.root / EMBEDDINGS if kind.frozen else _outputs(project, record) if last else None,
            **of_texts,
        )

    return load


def _outputs(project: Project, last: Round) -> Path:
    """Where what a fine-tuned classifier makes of texts is kept: of a run's last one, so that rounds take no room."""
    folder = kept_outputs(project, last.run) / f"{last.number:02d}"
    for outdated in kept_outputs(project, last.run).glob("*"):
        if outdated != folder:
            rmtree(outdated, ignore_errors=True)
    return folder


def kept_outputs(project: Project, run: str) -> Path:
    """The folder of what a run's last classifier has made of the project's texts, if it is no frozen encoder's."""
    return project.root / EMBEDDINGS / _CLASSIFIERS / run


def current_run(project: Project, name: str = "") -> str:
    """The run that is named, else the one used last, else the default's name."""
    return name or next(iter(project.store.runs.names()), DEFAULT_RUN)


def run_config(project: Project, run: str) -> RunConfig:
    """What a run is; of one that was not opened yet, what the settings would make of it."""
    return project.store.runs.config(run) or RunConfig.of(project.settings)


def finished_rounds(project: Project, run: str) -> list[Round]:
    """The rounds of a run that have a trained model."""
    return [record for record in project.store.runs.rounds(run) if record.model is not None]


def best_round(project: Project, run: str) -> Round:
    """The round whose model is used by default.

    The best by F1 on gold validation items where the project has some (later rounds win ties);
    else the last one, because validation sets cut from each round's own labels cannot be compared.
    """
    rounds = finished_rounds(project, run)
    if not rounds:
        raise NotFoundError(f"run {run!r} has no trained model yet", "train one: mollia run, or mollia train")
    scored = [(record.metrics or {}).get("validation_f1") for record in rounds]
    if any(score is None for score in scored) or not project.store.items.ids("validation"):
        return rounds[-1]
    return max(rounds, key=lambda record: ((record.metrics or {})["validation_f1"], record.number))
