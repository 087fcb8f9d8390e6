"""What a run is: its setup, fixed when it is opened first."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.settings import (
    SECTIONS,
    AggregateSettings,
    LearnerSettings,
    RunSettings,
    Settings,
    within_limits,
)
from mollia_cli.learners import LEARNERS
from mollia_cli.loop.cascade import check_order
from mollia_cli.loop.train import validation_rule
from mollia_cli.project.context import Project
from mollia_cli.project.learner import current_run
from mollia_cli.project.members import PANEL, REPLAY, SOURCES, certain, labelling, recorded
from mollia_cli.project.record import run_record, settings_record
from mollia_cli.stopping import STOPPING
from mollia_cli.strategies import STRATEGIES
from mollia_cli.strategies.base import ANSWERS

REFINED = "refined"
BUDGET = "budget"
_VERDICTS = ("aggregator", "unlabelled", "delta", "false_negatives")  # of [aggregate]: how verdicts are made
_FIXED = ("run", "aggregate", "learner")  # sections of mollia.toml that are a part of the setup
_ENDS = ("rounds", "stop", "budget_tokens", "budget_minutes")


@dataclass(frozen=True, slots=True)
class RunSetup:
    """What a run is: fixed at its first round, so that its rounds can be compared.

    ``method`` is "mollia" (the paper: verdicts on the selected items, Eqs. 7-9) or "refined" (see refine.py).
    ``cascade`` and ``sure``: see cascade.py. ``repeat`` numbers runs that differ in nothing but their random
    streams; ``replay`` is the file of stored outputs where ``annotator`` is "replay". ``learner``: its settings, but
    the threads. ``rounds``, ``stop`` and the budgets say when it ends, not what its rounds are, and may change.
    """

    method: str
    strategy: str
    aggregator: str
    annotator: str
    replay: str
    batch: int
    rounds: int
    cascade: tuple[str, ...]
    sure: float
    synthetic: bool
    stop: str
    budget_tokens: int
    budget_minutes: float
    pool_sample: int
    alpha: float
    lambda_start: float
    lambda_end: float
    delta: float
    false_negatives: float
    unlabelled: int
    learner: dict[str, Any]
    repeat: int

    def settings(self, present: Settings) -> Settings:
        """The settings that the run was opened with; of what no run fixes the present ones."""
        aggregate = replace(present.aggregate, **{key: getattr(self, key) for key in _VERDICTS})
        return replace(present, aggregate=aggregate, learner=replace(present.learner, **self.learner))


def ablations(no_negatives: bool, no_discrepancy: bool) -> dict[str, float]:
    """Table 4 as changes of a setup: B has no discrepancy weights (Eq. 8), C no negative labels (Eq. 7), D neither."""
    changes = {"lambda_start": 0.0, "lambda_end": 0.0} if no_negatives else {}
    return changes | ({"alpha": 1.0} if no_discrepancy else {})


def open_run(project: Project, name: str = "", **changes: Any) -> tuple[str, RunSetup]:
    """The run's name and setup, created at its first use from the settings and ``changes``.

    A change (None = no change) that contradicts what the run was opened with raises InputError; a process that
    is making rounds of it, RefusedError.
    """
    run, setup = planned_run(project, name, **changes)
    record = run_record(project) if project.store.runs.settings(run) is None else None
    with project.hold(run):
        project.store.runs.put(run, asdict(setup), record)
    for remark in _changed_since(project, run):
        project.say(remark)
    project.say(f"run {run}: {validation_rule(as_opened(project, setup))}")
    return run, setup


def as_opened(project: Project, setup: RunSetup) -> Project:
    """The project as the run sees it, whatever mollia.toml has become: its panel are those who label for the run."""
    seen = project.seen_by_run(setup.settings(project.settings), setup.repeat)
    return seen.with_panel(labelling(seen.settings, setup.annotator, setup.replay))


def _changed_since(project: Project, run: str) -> Iterator[str]:
    """What mollia.toml says otherwise than when the run was opened: what the run keeps, and what it goes on with."""
    then = (project.store.runs.record(run) or {}).get("settings", {})
    kept: list[str] = []
    changed: list[str] = []
    for name, section in settings_record(project.settings).items():
        pairs = section.items() if name in SECTIONS else [("", section)]
        for key, now in pairs:
            was = then.get(name, {}).get(key, now) if key else then.get(name, now)
            if was == now or key == "threads" or key in _ENDS:
                continue
            setting = f"{name}.{key}" if key else name
            (kept if name in _FIXED else changed).append(f"{setting} {was!r}, not {now!r}")
    if kept:
        yield f"run {run} keeps what it was opened with: {'; '.join(kept)} (--run NEW takes the new settings)"
    if changed:
        yield f"run {run} was opened with {'; '.join(changed)}: its next rounds will differ from those it has"


def planned_run(project: Project, name: str = "", **changes: Any) -> tuple[str, RunSetup]:
    """``open_run`` without storing the run: what it would be."""
    run = current_run(project, name)
    stored = project.store.runs.settings(run)
    wanted = {key: value for key, value in changes.items() if value is not None}
    for section in (RunSettings, AggregateSettings):
        within_limits(wanted, section, "run")
    defaults = _defaults(project)
    if "learner" in wanted:
        own = {"name": wanted["learner"]} if isinstance(wanted["learner"], str) else wanted["learner"]
        LEARNERS.check(own.get("name", project.settings.learner.name))
        wanted["learner"] = (stored or defaults)["learner"] | within_limits(own, LearnerSettings, "run", "learner.")
    for known, key in ((STRATEGIES, "strategy"), (AGGREGATORS, "aggregator"), (STOPPING, "stop")):
        if key in wanted:
            known.check(wanted[key])
    if wanted.get("replay"):
        wanted |= {"replay": str(Path(wanted["replay"]).resolve()), "annotator": wanted.get("annotator", REPLAY)}
    if "cascade" in wanted:
        wanted["cascade"] = list(wanted["cascade"])
    stored = defaults | wanted if stored is None else _unchanged(run, defaults | stored, wanted)
    setup = RunSetup(**{**stored, "cascade": tuple(stored["cascade"])})
    _check_source(setup.annotator, setup.replay)
    if setup.stop == BUDGET and not (setup.budget_tokens or setup.budget_minutes):
        raise InputError("--stop budget needs a budget", "--budget-tokens 1000000, or --budget-minutes 60")
    panel = as_opened(project, setup).panel
    if recorded(panel) and not certain(panel):
        _check_replay(setup)
    if setup.cascade and not certain(panel):
        _check_cascade(as_opened(project, setup), setup)
    return run, setup


def _check_replay(setup: RunSetup) -> None:
    """InputError where the run would have to ask what stored outputs cannot answer."""
    if ANSWERS in STRATEGIES.load(setup.strategy).needs:
        raise InputError(
            f"the strategy {setup.strategy!r} asks an LLM a question, and stored outputs cannot answer it",
            "run it without --replay, or with another strategy: --strategy coreset",
        )


def _check_cascade(project: Project, setup: RunSetup) -> None:
    check_order(project, setup.cascade)
    if setup.method == REFINED:
        raise InputError(
            "the method 'refined' learns from what every LLM said of every item, and a cascade does not ask them all",
            "leave --cascade away, or use --method mollia",
        )


def _defaults(project: Project) -> dict[str, Any]:
    settings = project.settings
    learner = asdict(settings.learner)
    del learner["threads"]  # say how fast it is trained, and differ between machines
    verdicts = {key: getattr(settings.aggregate, key) for key in _VERDICTS}
    own = {"annotator": PANEL, "replay": "", "learner": learner, "repeat": 1}
    return {**asdict(settings.run), **verdicts, **own}


def _unchanged(run: str, stored: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The stored setup; ``rounds`` may grow, what else ends a run may change, anything else must be as it was."""
    for key, value in wanted.items():
        was = stored[key]
        if was != value and key not in _ENDS:
            if isinstance(was, dict):
                was, value = ({name: one[name] for name in was if was[name] != value[name]} for one in (was, value))
            raise InputError(
                f"run {run!r} was started with {key} {was!r}, not {value!r}",
                "start another one with the same options and --run NEW",
            )
    return stored | wanted | {"rounds": max(stored["rounds"], wanted.get("rounds", 0))}


def _check_source(annotator: str, replay: str) -> None:
    if annotator not in SOURCES:
        raise InputError(f"no annotator source is called {annotator!r}", f"known: {', '.join(SOURCES)}")
    if annotator == REPLAY and not replay:
        raise InputError("replay needs the file of stored outputs", "--annotator replay --replay FILE.npy")
    if replay and annotator != REPLAY:
        raise InputError(f"--replay was given, but the annotator is {annotator!r}", "use --annotator replay")
