"""``mollia generate``: synthetic texts of one label, in the style of its seed items.

They are kept apart from the project's items: none can be in the pool, the validation or the test split. A
round trains on them only where its run was started with ``--synthetic``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from mollia_cli.annotators.llama.decode.generation import Writing, write_texts
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import SPLITS, Synthetic, content_id
from mollia_cli.domain.prompting import Prompt
from mollia_cli.domain.rng import stream, stream_seed
from mollia_cli.domain.similarity import similar_to_any
from mollia_cli.learners.base import Examples
from mollia_cli.project.context import Project
from mollia_cli.project.kernels import file_kernels
from mollia_cli.project.panel import LOG_FILE, writing_llm

_SHOWN = 4  # seed items in a prompt
_TRIES = 4  # texts that may be written for each one wanted
_LEAST_WORDS = 3


@dataclass(frozen=True, slots=True)
class Generated:
    """New synthetic texts, and how many others were thrown away: too short, or too much like one that is there."""

    texts: list[Synthetic]
    short: int
    similar: int


def generate(project: Project, label: str, n: int, writer: str = "") -> Generated:
    """Write ``n`` texts of a label by one LLM of the panel (default: its largest file), or as many as come out.

    A text is thrown away if it is like any item of the project or any other synthetic text (domain/similarity.py).
    Raises InputError for a label without seed items.
    """
    index = project.labels.index(label)
    seeds = [item for item in project.store.items.in_split("seed", labelled=True) if item.label == index]
    if not seeds:
        raise InputError(f"no seed item is labelled {label!r}", "import one or more: mollia import FILE --split seed")
    file = writing_llm(project, writer)
    kernels = file_kernels(file, project.say)
    before = len(project.store.synthetic.all())
    rng = stream(project.settings.random_seed, "synthetic examples", label, before)
    writing = Writing(seed=stream_seed(project.settings.random_seed, "synthetic", label, before))
    prompts = -(-n * _TRIES // writing.together)
    shown = [[seeds[row] for row in rng.permutation(len(seeds))[:_SHOWN]] for _ in range(prompts)]
    made: list[Synthetic] = []
    project.progress(f"writing {label}", 0, n)
    short = similar = 0
    texts = write_texts(
        file.path,
        _prompt(project, index),
        [_listed([item.text for item in items]) for items in shown],
        writing,
        threads=project.settings.annotate.threads,
        extra_buffers=kernels.extra_buffers,
        log_path=project.root / LOG_FILE,
    )
    for items, batch in zip(shown, texts, strict=True):
        long = [text for text in batch if len(text.split()) >= _LEAST_WORDS]
        new = _unlike(project, long)[: n - len(made)]
        short, similar = short + len(batch) - len(long), similar + len(long) - len(new)
        fresh = [Synthetic(f"synthetic-{content_id(text)}", text, index, file.name) for text in new]
        recipe = {"model": file.sha256, "seed": writing.seed, "rule": "seed-style/1"}
        # whoever forgets one of these items forgets these texts, too
        project.store.synthetic.add(fresh, recipe | {"shown": [item.id for item in items]})
        made += fresh
        project.progress(f"writing {label}", len(made), n)
        if len(made) >= n:
            break
    project.progress(f"writing {label}", n, n)
    return Generated(made, short, similar)


def synthetic_examples(project: Project) -> Examples:
    """The synthetic texts to train on, but those that are like a validation or test item, as gold examples."""
    texts = project.store.synthetic.all()
    held = (i.text for split in ("validation", "test") for i in project.store.items.in_split(split))
    leaks = similar_to_any([text.text for text in texts], held)
    kept = [text for place, text in enumerate(texts) if place not in leaks]
    targets = np.array([text.label for text in kept], dtype=np.int64)
    return Examples.gold([text.text for text in kept], targets, len(project.labels))


def _prompt(project: Project, index: int) -> Prompt:
    """What stands before and after the examples."""
    settings, labels = project.settings, project.labels
    meaning = f" ({labels.descriptions[index]})" if labels.descriptions[index] else ""
    noun = settings.noun
    return Prompt(
        f"Here are examples of the {noun} category {labels.names[index]!r}{meaning}:\n\n",
        f"\n\nWrite one more {noun} of this category, as another person would have written it in the same kind of"
        f" situation: the same style and length, other details. Answer with the {noun} alone.",
    )


def _listed(texts: Sequence[str]) -> str:
    return "\n".join(f"- {' '.join(text.split())}" for text in texts)


def _unlike(project: Project, texts: Sequence[str]) -> list[str]:
    """Those that are like no item, no synthetic text, and none of the texts before them."""
    items = (item.text for split in SPLITS for item in project.store.items.in_split(split))
    known: Iterator[str] = chain(items, (text.text for text in project.store.synthetic.all()))
    taken = similar_to_any(texts, known)
    kept: list[str] = []
    for place, text in enumerate(texts):
        if place not in taken and not similar_to_any([text], kept):
            kept.append(text)
    return kept
