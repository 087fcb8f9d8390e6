"""``mollia status``: what the project holds and how far it is."""

from dataclasses import dataclass

from mollia_cli import models
from mollia_cli.domain.members import ENCODER, LLAMA, MemberSpec
from mollia_cli.domain.people import Corrections
from mollia_cli.insight.corrections import corrections
from mollia_cli.loop.answers import new_labels
from mollia_cli.project.context import Project
from mollia_cli.project.learner import current_run
from mollia_cli.project.members import encoder_name, llm_name
from mollia_cli.project.questions import by_question
from mollia_cli.store.runs import Round


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model that the project uses, the kind of panel member that it is or "encoder", and whether it is installed.

    classifier: it is the encoder that the classifier is made of.
    """

    name: str
    kind: str
    installed: bool
    classifier: bool = False

    @property
    def known(self) -> bool:
        """Whether a model of the catalogue, or an installed one, is called so."""
        return any(row.name == self.name for row in models.list_models())


@dataclass(frozen=True, slots=True)
class AnnotatorSummary:
    """What one annotator has observed: items, mean label mass and invalid rate, tokens, texts cut, seconds, bytes.

    question: the label that it was asked about, in a project with several labels; else "".
    """

    name: str
    question: str
    key: str
    items: int
    mass: float | None
    invalid: float | None
    tokens: int | None
    truncated: int | None
    seconds: float | None
    memory: int | None


@dataclass(frozen=True, slots=True)
class AggregatorState:
    """The last aggregation's aggregator, and how many seed items it was fitted on."""

    name: str
    seed_items: int


@dataclass(frozen=True, slots=True)
class Status:
    """A project's state.

    items: split -> {"items": n, "labelled": n}; synthetic: label -> how many; run: the current one, None before its
    first round; stopped: why it has ended, "" while it goes on; rounds: those of ``run``; new_labels: the last
    of them does not know all labels that people have given.
    """

    project: str
    labels: tuple[str, ...]
    multilabel: bool
    items: dict[str, dict[str, int]]
    synthetic: dict[str, int]
    panel: tuple[ModelState, ...]
    encoder: ModelState
    annotators: tuple[AnnotatorSummary, ...]
    people: Corrections
    aggregator: AggregatorState | None
    run: str | None
    runs: tuple[str, ...]
    stopped: str
    rounds: tuple[Round, ...]
    new_labels: bool

    @property
    def models(self) -> tuple[ModelState, ...]:
        """Each model once: the panel's, and the classifier's encoder where it is no member of it."""
        return self.panel if any(model.classifier for model in self.panel) else (*self.panel, self.encoder)


def status(project: Project) -> Status:
    """Splits, panel, annotators, fits and runs; loads no model."""
    store = project.store
    run = current_run(project)
    fits = [seen.store.verdicts.latest_fit() for seen in by_question(project)]
    fit = fits[-1]  # of several labels, the last that is aggregated
    encoder = project.settings.learner.encoder
    rounds = tuple(store.runs.rounds(run))
    return Status(
        project=str(project.root),
        labels=project.labels.names,
        multilabel=project.settings.multilabel,
        items=store.items.counts(),
        synthetic=store.synthetic.counts(),
        panel=tuple(_member(project, spec) for spec in project.panel),
        encoder=ModelState(encoder, ENCODER, models.is_installed(encoder), classifier=True),
        annotators=tuple(AnnotatorSummary(**row) for row in store.observations.summary()),
        people=corrections(project),
        aggregator=None if fit is None else AggregatorState(fit.aggregator, fit.seed_items),
        run=run if store.runs.config(run) else None,
        runs=tuple(store.runs.names()),
        stopped=store.runs.stopped(run),
        rounds=rounds,
        new_labels=bool(rounds) and rounds[-1].metrics is not None and new_labels(project, rounds[-1]),
    )


def next_step(state: Status) -> str:
    """The command to type next."""
    if "pool" not in state.items:
        return "mollia import texts.csv --split pool"
    if not state.items.get("seed", {}).get("labelled"):
        if state.multilabel:
            return "mollia import labelled.csv --split seed (its labels with ; between)"
        return "mollia label --seed 50 (or: mollia import labelled.csv --split seed)"
    missing = [model for model in state.models if not model.installed]
    if unknown := [model.name for model in missing if not model.known]:
        return f"mend mollia.toml: there is no model {unknown[0]!r} (mollia models list; mollia models add adds yours)"
    if missing:
        return f"mollia models pull {' '.join(model.name for model in missing)}"
    if not state.panel:
        return "mollia panel add NAME (mollia models list says which LLMs there are)"
    if state.multilabel:
        done = "mollia annotate, then mollia aggregate"
        return done if state.aggregator is None else "mollia export labels -o labels.csv"
    if not state.rounds:
        return "mollia run --rounds 10"
    if state.rounds[-1].metrics is None:
        return "mollia round (continues the unfinished one)"
    if state.new_labels:
        return "mollia run (learns from the labels that it has not seen)"
    if state.stopped or state.rounds[-1].number >= state.rounds[-1].metrics.get("of_rounds", 0):
        return "mollia review --limit 25, then mollia run; or mollia predict texts.csv"
    return "mollia round"


def _member(project: Project, spec: MemberSpec) -> ModelState:
    """A member of the panel; the kinds that have no file need none."""
    files = {LLAMA: llm_name(spec, project.folder), ENCODER: encoder_name(spec, project.folder)}
    installed = spec.kind not in files or models.is_installed(files[spec.kind])
    trained = spec.kind == ENCODER and files[ENCODER] == project.settings.learner.encoder
    return ModelState(spec.name, spec.kind, installed, classifier=trained)
