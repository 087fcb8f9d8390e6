"""What the prompt has beside the task: how many worked examples, and the guidelines or not, chosen on the seeds.

No LLM reads a seed with its own label, so the seeds say what helps. Guidelines are tried with the chosen number.
"""

from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from mollia_cli.annotators.base import Annotator
from mollia_cli.domain.observations import FloatArray
from mollia_cli.domain.printable import count
from mollia_cli.domain.rng import stream
from mollia_cli.domain.settings import SETTINGS_FILE, UNDECIDED
from mollia_cli.loop.needed import fit_seeds
from mollia_cli.project.context import Project
from mollia_cli.project.guidelines import GUIDELINES_FILE
from mollia_cli.project.labels import gold_labels
from mollia_cli.project.observe import Member, observe, observed_by_all, stack
from mollia_cli.project.panel import examples_in_turn, panel_annotators, undecided
from mollia_cli.store.project_files import read_settings, write_setting

LEAST = 12  # labelled seeds that something can be chosen on
MOST = 12  # worked examples that are tried
SEEDS = 100  # at most, that they are tried on


@dataclass(frozen=True, slots=True)
class Tried:
    """A prompt, and how often each seed's most probable label was right with it: [n], the mean over the LLMs."""

    shots: int
    right: FloatArray
    guidelines: bool = False


def settle_prompt(
    project: Project, seen: Project | None = None, only: Sequence[str] = (), closed: Collection[str] = ()
) -> bool:
    """Choose what ``mollia.toml`` leaves to the seeds, and write it there; whether anything was chosen now.

    seen: the project as a run sees it, whose panel it is; only: those of it that are to read; closed: keys of
    ``[annotate]`` that stay as they are. Without an LLM nothing is to be chosen; on too few labelled seeds nothing can
    be yet, which is reported.
    """
    seen = seen or project
    keys = [key for key in undecided(project) if key not in closed]
    if not keys or not (llms := readers(seen, only)):
        return False
    keys = [key for key in keys if _can_choose(seen, key)]
    if not keys:
        return False
    project.say(
        f"choosing {' and '.join(f'annotate.{key}' for key in keys)}: {', '.join(llm.name for llm in llms)} read"
        f" {len(tried_on(seen))} seeds {', and '.join(_ways(seen, key) for key in keys)} (what mollia.toml says is not"
        " tried)"
    )
    tried = try_prompts(seen, only, keys)
    best = chosen(tried)
    for key in keys:
        if getattr(read_settings(project.root / SETTINGS_FILE).annotate, key) == UNDECIDED[key]:
            write_setting(project.root / SETTINGS_FILE, "annotate", key, getattr(best, key), "chosen on the seeds")
    before = _read_without(seen, only) if any(getattr(best, key) for key in keys) else 0
    project.use_annotation(**{key: getattr(best, key) for key in keys})
    again = f"; {count(before, 'text')} of the pool, read without, will be read again" if before else ""
    remarks = [_remark(key, tried) for key in keys]
    for remark in remarks:
        project.say(f"{remark}{again if remark == remarks[-1] else ''}")
    return True


def _can_choose(project: Project, key: str) -> bool:
    """Whether there are seeds enough; it is reported where there are not."""
    seeds = len(fit_seeds(project))
    if to_try(project) if key == "shots" else seeds >= LEAST:
        return True
    if key == "shots":
        project.say_once(
            "the LLMs read without worked examples: their number cannot be chosen on"
            f" {count(seeds, 'labelled seed')} ({LEAST} or more, some of the same label)."
            " Once it is chosen, and is not 0, they read these texts again"
            " (label seeds first: mollia label --seed 50; or go without for good: annotate.shots = 0)"
        )
    else:
        project.say_once(
            f"the LLMs read without {GUIDELINES_FILE}: whether it helps them cannot be known from {seeds} labelled"
            f" seeds ({LEAST} or more: mollia label --seed 50; or set annotate.guidelines to true or false)"
        )
    return False


def _ways(project: Project, key: str) -> str:
    """What is tried of a key, for people."""
    if key == "shots":
        none, some, *_ = to_try(project)
        return f"with {none} and {some} worked examples"
    return f"with and without {GUIDELINES_FILE}"


def _remark(key: str, tried: list[Tried]) -> str:
    """What was chosen of a key, and why, for people."""
    best, alone = chosen(tried), _alone(tried)
    on = f"chosen on {len(best.right)} seeds: the LLMs' mean accuracy is"
    if key == "shots":
        scores = ", ".join(f"{one.right.mean():.3f} with {one.shots}" for one in alone)
        return (
            f"annotate.shots = {best.shots}, {on} {scores}"
            " (the fewest worked examples within a standard error of the best)"
        )
    without = next(one for one in alone if one.shots == best.shots)
    return (
        f"annotate.guidelines = {str(best.guidelines).lower()}, {on} {tried[-1].right.mean():.3f} with"
        f" {GUIDELINES_FILE}, {without.right.mean():.3f} without (it has to gain more than a standard error)"
    )


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


def try_prompts(project: Project, only: Sequence[str] = (), keys: Collection[str] = ("shots",)) -> list[Tried]:
    """The panel's LLMs on the seeds: with the numbers ``to_try``, as long as more help, and last with the guidelines.

    Of a key of ``[annotate]`` that is not among ``keys`` what the settings say is not varied.
    """
    project = copy(project)  # its settings are changed
    project.loaded = None  # or each LLM would be kept loaded once for each prompt
    ids = tried_on(project)
    gold = gold_labels(project.store.items.get(ids))
    present = project.settings.annotate

    def read(shots: int, guidelines: bool) -> Tried:
        project.use_annotation(shots=shots, guidelines=guidelines)
        panel = stack(project, observe(project, readers(project, only), ids, project.store.observations), ids)
        return Tried(shots, (panel.log_probs.argmax(axis=2) == gold[:, None]).mean(axis=1), guidelines)

    tried: list[Tried] = []
    for shots in to_try(project) if "shots" in keys else [max(0, present.shots)]:
        if len(tried) > 1 and simplest(tried).shots < tried[-1].shots:
            break
        tried.append(read(shots, present.guidelines is True))
    if "guidelines" in keys:
        tried.append(read(simplest(tried).shots, True))
    return tried


def chosen(tried: list[Tried]) -> Tried:
    """Of what ``try_prompts`` has tried: the number of worked examples, then whether the guidelines help beside it."""
    alone = _alone(tried)
    return simplest([simplest(alone), *tried[len(alone) :]])


def _alone(tried: list[Tried]) -> list[Tried]:
    """What was tried before the guidelines were."""
    return [one for one in tried if one.guidelines == tried[0].guidelines]


def simplest(tried: list[Tried]) -> Tried:
    """The first, as the fewest worked examples, that is not behind the best by more than one standard error.

    The one-standard-error rule (Breiman et al. 1984), of differences by seed, with a seed added in each direction (as
    Bonett & Price 2012 do), so that one seed gained is no finding. More examples cost little time, because each prefix
    is decoded once.
    """
    best = max(tried, key=lambda one: one.right.mean())
    behind = ((one, np.append(best.right - one.right, [1.0, -1.0])) for one in tried)
    return next(one for one, gap in behind if gap.mean() <= gap.std() / np.sqrt(len(gap)))


def readings(project: Project, keys: Collection[str]) -> tuple[int, int]:
    """How often the seeds are read to choose some keys of ``[annotate]``: at least, and at most; 0 for no choice."""
    numbers = to_try(project) if "shots" in keys else []
    guided = int("guidelines" in keys and len(fit_seeds(project)) >= LEAST)
    once = bool(numbers or guided)
    return max(once, min(2, len(numbers))) + guided, max(once, len(numbers)) + guided


def _read_without(project: Project, only: Sequence[str]) -> int:
    """How many texts of the pool all LLMs have read as they do while nothing is chosen."""
    register = project.store.observations.register
    panel = [
        Member(annotator.name, register(annotator.name, annotator.identity)) for annotator in readers(project, only)
    ]
    return len(observed_by_all(project, panel, project.store.items.ids("pool")))
