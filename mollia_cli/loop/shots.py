"""How many worked examples the prompt has: chosen on the seeds, which no LLM reads with their own label."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from mollia_cli.annotators.base import Annotator
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.printable import count
from mollia_cli.domain.rng import stream
from mollia_cli.domain.settings import AUTO, SETTINGS_FILE
from mollia_cli.loop.needed import fit_seeds
from mollia_cli.project.context import Project
from mollia_cli.project.labels import gold_labels
from mollia_cli.project.observe import Member, observe, observed_by_all, stack
from mollia_cli.project.panel import examples_in_turn, panel_annotators
from mollia_cli.store.project_files import read_settings, write_setting

LEAST = 12  # labelled seeds that something can be chosen on
MOST = 12  # worked examples that are tried
SEEDS = 100  # at most, that they are tried on


@dataclass(frozen=True, slots=True)
class Tried:
    """So many worked examples, and how often each seed's most probable label was right: [n], the mean over the LLMs."""

    shots: int
    right: FloatArray


def settle_shots(project: Project, seen: Project | None = None, only: Sequence[str] = ()) -> bool:
    """Where ``annotate.shots`` is AUTO, choose the number and write it into ``mollia.toml``; whether it was chosen now.

    seen: the project as a run sees it, whose panel it is; only: those of it that are to read. Without an LLM nothing is
    to be chosen; on too few labelled seeds nothing can be yet, which is reported.
    """
    seen = seen or project
    if project.settings.annotate.shots != AUTO or not (llms := readers(seen, only)):
        return False
    numbers = to_try(seen)
    if not numbers:
        project.say_once(
            "the LLMs read without worked examples: their number cannot be chosen on"
            f" {count(len(fit_seeds(project)), 'labelled seed')} ({LEAST} or more, some of the same label)."
            " Once it is chosen, and is not 0, they read these texts again"
            " (label seeds first: mollia label --seed 50; or go without for good: annotate.shots = 0)"
        )
        return False
    project.say(
        f"choosing annotate.shots: {', '.join(llm.name for llm in llms)} read {len(tried_on(seen))} seeds with"
        f" {numbers[0]} and {numbers[1]} worked examples (a number in mollia.toml is not tried)"
    )
    tried = try_shots(seen, only)
    shots = fewest(tried)
    file = project.root / SETTINGS_FILE
    if read_settings(file).annotate.shots == AUTO:
        write_setting(file, "annotate", "shots", shots, "chosen on the seeds")
    before = _read_without(seen, only) if shots else 0
    project.use_annotation(shots=shots)
    scores = ", ".join(f"{one.right.mean():.3f} with {one.shots}" for one in tried)
    again = f"; {count(before, 'text')} of the pool, read without, will be read again" if before else ""
    project.say(
        f"annotate.shots = {shots}, chosen on {len(tried[0].right)} seeds: the LLMs' mean accuracy is {scores}"
        f" (the fewest worked examples within a standard error of the best){again}"
    )
    return True


def readers(project: Project, only: Sequence[str] = ()) -> list[Annotator]:
    """The members of the panel, or of some of its names, that read a prompt."""
    return [annotator for annotator in panel_annotators(project, only) if "prompt" in annotator.identity]


def to_try(project: Project) -> list[int]:
    """Numbers of worked examples, ascending: none, as many as there are labels, and twice as many.

    At most MOST, and no more than the seeds make; empty with fewer than LEAST seeds, or where they make none.
    """
    most = min(MOST, *map(len, examples_in_turn(project)))
    if len(fit_seeds(project)) < LEAST or not most:
        return []
    once, twice = min(len(project.labels), most), min(2 * len(project.labels), MOST)
    return sorted({0, once, twice if twice <= most else once})


def tried_on(project: Project) -> list[str]:
    """The seeds that numbers are tried on: all, or a fixed random sample of them."""
    seeds = fit_seeds(project)
    rows = stream(project.settings.random_seed, "shots").permutation(len(seeds))[:SEEDS]
    return [seeds[row].id for row in sorted(rows.tolist())]


def try_shots(project: Project, only: Sequence[str] = ()) -> list[Tried]:
    """The panel's LLMs on the seeds with the numbers ``to_try``, as long as more of them help."""
    project = copy(project)  # its settings are changed
    project.loaded = None  # or each LLM would be kept loaded once for each number
    ids = tried_on(project)
    gold = gold_labels(project.store.items.get(ids))
    tried: list[Tried] = []
    for shots in to_try(project):
        if len(tried) > 1 and fewest(tried) < tried[-1].shots:
            break
        project.use_annotation(shots=shots)
        panel = stack(project, observe(project, readers(project, only), ids, project.store.observations), ids)
        tried.append(Tried(shots, (panel.log_probs.argmax(axis=2) == gold[:, None]).mean(axis=1)))
    return tried


def fewest(tried: list[Tried]) -> int:
    """The fewest worked examples that are not behind the best by more than one standard error of the difference.

    The one-standard-error rule (Breiman et al. 1984), of differences by seed, with a seed added in each direction (as
    Bonett & Price 2012 do), so that one seed gained is no finding. More examples cost little time, because each prefix
    is decoded once.
    """
    best = max(tried, key=lambda one: one.right.mean())
    behind = ((one.shots, np.append(best.right - one.right, [1.0, -1.0])) for one in tried)
    return next(shots for shots, gap in behind if gap.mean() <= gap.std() / np.sqrt(len(gap)))


def _read_without(project: Project, only: Sequence[str]) -> int:
    """How many texts of the pool all LLMs have read without worked examples, as they do while it is AUTO."""
    register = project.store.observations.register
    panel = [
        Member(annotator.name, register(annotator.name, annotator.identity)) for annotator in readers(project, only)
    ]
    return len(observed_by_all(project, panel, project.store.items.ids("pool")))
