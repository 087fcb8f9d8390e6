"""Opening a run: what it is (``RunConfig``) is fixed when it is opened first, from the settings and what was asked."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mollia_cli import models
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.settings import (
    DISTIL,
    ENDS,
    PAPER,
    PAPER_ONLY,
    SECTIONS,
    UNDECIDED,
    RunConfig,
    by_paper,
    checked,
)
from mollia_cli.loop.cascade import check_order
from mollia_cli.loop.shots import readers, settle_prompt
from mollia_cli.loop.train import validation_rule
from mollia_cli.project.context import Project
from mollia_cli.project.learner import current_run
from mollia_cli.project.members import PANEL, REPLAY, certain, labelling, recorded
from mollia_cli.project.names import check_choices
from mollia_cli.project.panel import left_to_seeds, panel_annotators
from mollia_cli.project.record import prompt_template, run_record, settings_record
from mollia_cli.prompts import builtin_template
from mollia_cli.strategies import STRATEGIES
from mollia_cli.strategies.base import ANSWERS

BUDGET = "budget"
_FIXED = ("run", "aggregate", "learner")  # sections of mollia.toml that are a part of what a run is


def ablations(no_negatives: bool, no_discrepancy: bool) -> dict[str, float]:
    """Table 4 as changes of a run: B has no discrepancy weights (Eq. 8), C no negative labels (Eq. 7), D neither."""
    changes = {"lambda_start": 0.0, "lambda_end": 0.0} if no_negatives else {}
    return changes | ({"alpha": 1.0} if no_discrepancy else {})


def open_run(project: Project, name: str = "", *, paper: bool = False, **changes: Any) -> tuple[str, RunConfig]:
    """The run's name and what it is: created at its first use from the settings and ``changes``, fields of RunConfig.

    paper: what the paper says of a run (``PAPER``) replaces the settings; ``changes`` hold beside it.
    A change (None = no change) that contradicts what the run was opened with raises InputError; a process that
    is making rounds of it, RefusedError; an encoder that is not here, NotFoundError.
    """
    run, config = planned_run(project, name, paper=paper, **changes)
    record = run_record(project) if project.store.runs.config(run) is None else None
    if record and paper:
        record["settings"]["annotate"] |= {key: PAPER["annotate"][key] for key in left_to_seeds(project)}
    with project.hold(run):
        project.store.runs.put(run, config, record)
    for remark in _changed_since(project, run):
        project.say(remark)
    project.say(f"run {run}: {validation_rule(as_opened(project, config))}")
    return run, config


def as_opened(project: Project, config: RunConfig) -> Project:
    """The project as the run sees it, whatever mollia.toml has become: its panel are those who label for the run."""
    seen = project.seen_by_run(config.settings(project.settings), config.repeat)
    return seen.with_panel(labelling(seen.settings, config.annotator, config.replay))


def settle_run(project: Project, run: str, config: RunConfig) -> bool:
    """Before a run's panel reads: what its prompt has is chosen where it is to be; whether LLMs were asked.

    The run's record says what it began with. One that began without (the paper's, or too few seeds) goes on without,
    until ``mollia.toml`` says otherwise.
    """
    seen = as_opened(project, config)
    chosen = settle_prompt(project, seen, config.cascade, closed=began_without(project, run))
    record = project.store.runs.record(run)
    began = {} if record is None else record["settings"]["annotate"]
    pending = [key for key, value in UNDECIDED.items() if key in began and began[key] == value]
    if record is not None and pending and readers(seen, config.cascade):
        present = asdict(project.settings.annotate) | {key: PAPER["annotate"][key] for key in left_to_seeds(project)}
        record["settings"]["annotate"] |= {key: present[key] for key in pending}
        project.store.runs.put_record(run, record)
    return chosen


def began_without(project: Project, run: str) -> list[str]:
    """The keys of ``[annotate]`` that a run has begun without, so that it does not choose them any more."""
    record = project.store.runs.record(run)
    began = {} if record is None else record["settings"]["annotate"]
    return [key for key in UNDECIDED if key in began and began[key] == PAPER["annotate"][key]]


def _changed_since(project: Project, run: str) -> Iterator[str]:
    """What mollia.toml says otherwise than when the run was opened: what the run keeps, and what it goes on with."""
    then = (project.store.runs.record(run) or {}).get("settings", {})
    kept: list[str] = []
    changed: list[str] = []
    for name, section in settings_record(project.settings).items():
        pairs = section.items() if name in SECTIONS else [("", section)]
        for key, now in pairs:
            was = then.get(name, {}).get(key, now) if key else then.get(name, now)
            setting = f"{name}.{key}" if key else name
            if was == now or key == "threads" or key in ENDS or _unsettled(setting, was, now):
                continue
            (kept if name in _FIXED else changed).append(f"{setting} {was!r}, not {now!r}")
    if kept:
        yield f"run {run} keeps what it was opened with: {'; '.join(kept)} (--run NEW takes the new settings)"
    if changed:
        yield f"run {run} was opened with {'; '.join(changed)}: its next rounds will differ from those it has"


def _unsettled(setting: str, was: object, now: object) -> bool:
    """Whether what the seeds choose is no other than it was: not chosen yet then, or without until it is."""
    section, _, key = setting.partition(".")
    if section != "annotate" or key not in UNDECIDED:
        return False
    return was == UNDECIDED[key] or (was == PAPER[section][key] and now == UNDECIDED[key])


def planned_run(project: Project, name: str = "", *, paper: bool = False, **changes: Any) -> tuple[str, RunConfig]:
    """``open_run`` without storing the run: what it would be. A learner may be given by its name alone."""
    run = current_run(project, name)
    wanted = {key: value for key, value in changes.items() if value is not None}
    if wanted.get("replay"):
        wanted |= {"replay": str(Path(wanted["replay"]).resolve()), "annotator": wanted.get("annotator", REPLAY)}
    stored = project.store.runs.config(run)
    config = stored or RunConfig.of(project.settings)
    base = RunConfig.of(by_paper(project.settings)) if paper else config
    if isinstance(named := wanted.get("learner"), str | Mapping):
        wanted["learner"] = asdict(base.learner) | ({"name": named} if isinstance(named, str) else dict(named))
    wanted = checked(wanted, RunConfig, "run")
    if "learner" in wanted:
        wanted["learner"] = replace(wanted["learner"], threads=0)
    no_cascade = "threshold" in wanted and "cascade" not in wanted  # a whole RunConfig, as of a repeat, holds both
    if paper:
        wanted = {key: getattr(base, key) for key in (*PAPER["aggregate"], *PAPER["run"], "learner")} | wanted
    if stored is not None:
        _check_unchanged(run, stored, wanted)
        wanted["rounds"] = max(stored.rounds, wanted.get("rounds", 0))
    before, config = config, replace(config, **wanted)
    unused = [key for key in PAPER_ONLY if getattr(config, key) != getattr(before, key)]
    if config.method == DISTIL and unused:
        raise InputError(
            f"{', '.join(unused)}: the method {DISTIL!r} has neither discrepancy weights nor negative labels",
            "add --method mollia, which has",
        )
    if no_cascade and not config.cascade:
        raise InputError(
            f"--threshold {config.threshold} is of a cascade, and the run has none",
            "leave --threshold away, or name the LLMs of one: --cascade SMALL,LARGE --threshold 0.9",
        )
    _check(project, config)
    if paper and config.annotator == PANEL and (differences := list(_unlike_paper(project))):
        project.say(
            f"run {run} has the paper's values, but a run does not change how its project asks the LLMs:"
            f" {'; '.join(differences)} (`mollia init --paper` makes a project that asks as the paper does)"
        )
    return run, config


def _unlike_paper(project: Project) -> Iterator[str]:
    """What a project's prompt and votes are otherwise than the paper's."""
    for key, value in PAPER["annotate"].items():
        now = getattr(project.settings.annotate, key)
        if now != value and not _unsettled(f"annotate.{key}", value, now):
            yield f"annotate.{key} is {now!r}, not {value!r}"
    if prompt_template(project) != builtin_template("paper"):
        yield f"{project.settings.annotate.template} is not the paper's prompt"


def check_panel(project: Project, config: RunConfig) -> None:
    """MolliaError where those who label in the run cannot be asked on this machine; none is loaded for that."""
    seen = as_opened(project, config)
    if not certain(seen.panel):
        panel_annotators(seen, config.cascade)


def _check_unchanged(run: str, stored: RunConfig, wanted: dict[str, Any]) -> None:
    """InputError where a run that is there should be another one; only what ends it may change."""
    pairs = {key: (getattr(stored, key), value) for key, value in wanted.items() if key not in ENDS}
    if "learner" in pairs:
        was, now = (asdict(learner) for learner in pairs.pop("learner"))
        pairs |= {f"learner.{key}": (was[key], now[key]) for key in was}
    for key, (was, value) in pairs.items():
        if was != value:
            raise InputError(
                f"run {run!r} was started with {key} {was!r}, not {value!r}",
                "start another one with the same options and --run NEW",
            )


def _check(project: Project, config: RunConfig) -> None:
    """MolliaError for what no value shows alone: an unknown name, a file that is not here, a contradiction."""
    check_choices(config, "run")
    check_choices(config.learner, "run", "learner.")
    models.resolve_encoder(config.learner.encoder)
    if config.annotator == REPLAY and not config.replay:
        raise InputError("replay needs the file of stored outputs", "--annotator replay --replay FILE.npy")
    if config.replay and config.annotator != REPLAY:
        raise InputError(f"--replay was given, but the annotator is {config.annotator!r}", "use --annotator replay")
    if config.stop == BUDGET and not (config.budget_tokens or config.budget_minutes):
        raise InputError("--stop budget needs a budget", "--budget-tokens 1000000, or --budget-minutes 60")
    seen = as_opened(project, config)
    if recorded(seen.panel) and not certain(seen.panel):
        _check_replay(config)
    if config.cascade and not certain(seen.panel):
        _check_cascade(seen, config)


def _check_replay(config: RunConfig) -> None:
    """InputError where the run would have to ask what stored outputs cannot answer."""
    if ANSWERS in STRATEGIES.load(config.strategy).needs:
        raise InputError(
            f"the strategy {config.strategy!r} asks an LLM a question, and stored outputs cannot answer it",
            "run it without --replay, or with another strategy: --strategy random",
        )


def _check_cascade(project: Project, config: RunConfig) -> None:
    check_order(project, config.cascade)
