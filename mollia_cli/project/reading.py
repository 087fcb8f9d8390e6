"""What an engine's workers call: one batch of texts is read by an annotator that is made here from its recipe.

Texts and recipe come as JSON, observations go as JSON, with every bit of their numbers. Nothing is stored here.
"""

import json
import os
import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import numpy as np

from mollia_cli import __version__, models
from mollia_cli.annotators.base import Annotator, ModelFile, PanelContext
from mollia_cli.annotators.llama.binding.memory import available
from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.errors import MolliaError, NotFoundError, RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.members import MemberSpec
from mollia_cli.domain.memory import Peak
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.prompting import Decoding, Prompt
from mollia_cli.project.kernels import file_kernels
from mollia_cli.project.members import kind_of

PREPARE, OBSERVE = (f"{__name__}:{name}" for name in ("prepare", "observe"))
Made = tuple[Annotator, Peak]

_made: dict[str, Made] = {}  # by what they are made of; several where models are kept loaded


def common_of(annotator: Annotator, threads: int, keep: int) -> str:
    """What all tasks of one annotator share; ``keep``: so many workers keep others loaded beside it, where they fit."""
    return json.dumps({"recipe": annotator.recipe(), "threads": threads, "keep": keep})


def task_of(batch: list[Item]) -> str:
    """One batch; of an item, all that an annotator reads."""
    return json.dumps([[item.id, item.text] for item in batch])


def facts_of(annotator: Annotator) -> dict[str, Any]:
    """What must be the same wherever an annotator reads."""
    return {"mollia": __version__, **annotator.identity}


def prepare(common: str) -> str:
    """Make the annotator: {"worker", "facts"}. NotFoundError if its model is not on this machine."""
    annotator, _ = _annotator(common)
    return json.dumps({"worker": _who(), "facts": facts_of(annotator)})


def observe(common: str, task: str) -> str:
    """Read one batch: {"facts": their digest, "seconds", "memory", "seen"}; the first one loads the model, too."""
    begin = perf_counter()
    annotator, peak = _annotator(common)
    items = [Item(item_id, text) for item_id, text in json.loads(task)]
    with peak:
        seen = [_packed(seen) for batch in annotator.annotate(items) for seen in batch]
        memory = peak.added
    facts = digest_of(facts_of(annotator))
    return json.dumps({"facts": facts, "seconds": perf_counter() - begin, "memory": memory, "seen": seen})


def unpacked(seen: list[Any]) -> Observation:
    """An observation of ``observe``."""
    item_id, log_probs, votes, mass, invalid, slack, answers, tokens, truncated = seen
    return Observation(
        item_id, np.array(log_probs), np.array(votes), mass, invalid, slack, tuple(answers), tokens, truncated
    )


def _packed(seen: Observation) -> list[Any]:
    numbers = [float(seen.mass), float(seen.invalid), float(seen.slack)]
    rest = [list(seen.answers), int(seen.tokens), bool(seen.truncated)]
    return [seen.item_id, seen.log_probs.tolist(), seen.votes.tolist(), *numbers, *rest]


def _annotator(common: str) -> Made:
    """The annotator, made at its first use; those before it are closed, unless they are kept."""
    given = json.loads(common)
    key = digest_of([given["recipe"], given["threads"]])
    if key not in _made:
        new, free = _make(given["recipe"], given["threads"]), available()
        if not given["keep"] or free is None or 2 * given["keep"] * new.size > free:
            for before, _ in _made.values():
                before.close()
            _made.clear()
        _made[key] = new, Peak()
    return _made[key]


def _make(recipe: Mapping[str, Any], threads: int) -> Annotator:
    file = _find(recipe["name"], recipe["model"], recipe["path"])
    context = PanelContext(
        folder=Path(),
        labels=LabelSet(tuple(recipe["labels"]["names"]), tuple(recipe["labels"]["descriptions"])),
        prompt=partial(_prompt, recipe["prompt"]),
        decoding=Decoding(**recipe["decoding"]),
        threads=threads,
        tokens=recipe["tokens"],
        long=recipe["long"],
        log_path=Path(os.devnull),
        show_invalid=recipe["show_invalid"],
        find_llm=lambda _: file,
        ask=_nobody,
        recall=lambda _: {},
        mixed=recipe["mixed"],
    )
    kind = kind_of(MemberSpec(recipe["name"], recipe["kind"]))
    (annotator,) = kind.from_spec(recipe["name"], kind.Options(file=recipe["path"]), context)
    return annotator


def _prompt(written: Mapping[str, Any]) -> Prompt:
    shots, others = (tuple((text, label) for text, label in written[key]) for key in ("shots", "others"))
    return Prompt(written["before"], written["after"], shots, others)


def _find(name: str, sha256: str, path: str) -> ModelFile:
    """The model with that digest on this machine: at the same place, or installed under any name."""
    places: list[Callable[[], models.ModelFile]] = [partial(models.resolve_llm, path)] if Path(path).is_file() else []
    places += [partial(models.resolve_llm, known) for known in models.installed_names("llm", tuned=True)]
    for place in places:
        with suppress(MolliaError):
            if (file := place()).sha256 == sha256:
                return ModelFile(name, file.path, sha256, partial(file_kernels, file))
    raise NotFoundError(
        f"the worker {_who()} has no file of {name} (SHA-256 {sha256[:16]}...)",
        "models do not travel through an engine: mollia bundle here, mollia unbundle there",
    )


def _who() -> str:
    return f"{platform.node()}, process {os.getpid()}"


def _nobody(question: str) -> NoReturn:
    raise RefusedError("nobody can be asked where a worker runs", "leave this member out of the panel")
