"""How many worked examples the prompt has: chosen on the seeds, which no LLM reads with their own label."""

from copy import copy
from dataclasses import dataclass

import numpy as np

from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.rng import stream
from mollia_cli.domain.settings import AUTO, SETTINGS_FILE
from mollia_cli.loop.needed import fit_seeds
from mollia_cli.project.context import Project
from mollia_cli.project.labels import gold_labels
from mollia_cli.project.observe import observe, stack
from mollia_cli.project.panel import examples_in_turn, panel_annotators
from mollia_cli.store.project_files import read_settings, write_setting

MOST = 12  # worked examples that are tried
SEEDS = 100  # at most, that they are tried on


@dataclass(frozen=True, slots=True)
class Tried:
    """So many worked examples, and how often each seed's most probable label was right: [n], the mean over the LLMs."""

    shots: int
    right: FloatArray


def settle_shots(project: Project, seen: Project | None = None) -> None:
    """Where ``annotate.shots`` is AUTO, choose the number and write it into ``mollia.toml``.

    seen: the project as a run sees it, whose panel it is. Without labelled seeds, or an LLM in the panel, nothing can
    be chosen yet.
    """
    if project.settings.annotate.shots != AUTO or not (tried := try_shots(seen or project)):
        return
    shots = fewest(tried)
    file = project.root / SETTINGS_FILE
    if read_settings(file).annotate.shots == AUTO:
        write_setting(file, "annotate", "shots", shots, "chosen on the seeds")
    project.use_annotation(shots=shots)
    scores = ", ".join(f"{one.right.mean():.3f} with {one.shots}" for one in tried)
    project.say(
        f"annotate.shots = {shots}, chosen on {len(tried[0].right)} seeds: the LLMs' mean accuracy is {scores}"
        " (the fewest worked examples within a standard error of the best)"
    )


def try_shots(project: Project) -> list[Tried]:
    """The panel's LLMs on the seeds with no worked examples, as many as there are labels, and twice as many.

    At most MOST, and no more than the seeds make; in ascending order. Empty without seeds, or an LLM in the panel.
    """
    project = copy(project)  # its settings are changed
    seeds = fit_seeds(project)
    rows = sorted(stream(project.settings.random_seed, "shots").permutation(len(seeds))[:SEEDS].tolist())
    ids, gold = [seeds[row].id for row in rows], gold_labels([seeds[row] for row in rows])
    most = min(MOST, *map(len, examples_in_turn(project)))
    once, twice = min(len(project.labels), most), min(2 * len(project.labels), MOST)
    tried = []
    for shots in sorted({0, once, twice if twice <= most else once}) if rows else ():
        project.use_annotation(shots=shots)
        llms = [annotator for annotator in panel_annotators(project) if "prompt" in annotator.identity]
        if not llms:
            break
        panel = stack(project, observe(project, llms, ids, project.store.observations), ids)
        tried.append(Tried(shots, (panel.log_probs.argmax(axis=2) == gold[:, None]).mean(axis=1)))
    return tried


def fewest(tried: list[Tried]) -> int:
    """The fewest worked examples that are not behind the best by more than one standard error of the difference.

    The one-standard-error rule (Breiman et al. 1984), of differences by seed; more examples cost little time, because
    each prefix is decoded once.
    """
    best = max(tried, key=lambda one: one.right.mean())
    behind = ((one.shots, best.right - one.right) for one in tried)
    return next(shots for shots, gap in behind if gap.mean() <= gap.std() / np.sqrt(len(gap)))
