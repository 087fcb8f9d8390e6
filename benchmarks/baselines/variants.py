"""Variants of texts, from which DA and PAG learn: words changed at random, or paraphrases by an LLM.

They are files of the benchmark's own, FOLDER/KIND/ITEM.json, one for each item, a list of texts: what was made is
never made again.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mollia_cli.annotators.llama.decode.generation import Writing, write_texts
from mollia_cli.domain.files import write_private
from mollia_cli.domain.items import Item
from mollia_cli.domain.prompting import Prompt
from mollia_cli.domain.rng import stream, stream_seed
from mollia_cli.project.context import Project
from mollia_cli.project.kernels import file_kernels
from mollia_cli.project.panel import LOG_FILE, writing_llm

WORDS, PARAPHRASE = "words", "paraphrase"
EACH = 3  # variants of one item
_LONGEST = 3  # times as many words as the item has: what is longer goes on about something else
_WORD = re.compile(r"\w+")
# nlpaug's default: 30% of the words, at most 10.
_SHARE, _MOST = 0.3, 10


@dataclass(frozen=True, slots=True)
class Variant:
    """A text made from the item ``item_id``."""

    item_id: str
    text: str


def usable_variants(project: Project, kind: str, items: Sequence[Item], folder: Path) -> list[Variant]:
    """The usable variants of some items of a project; what is missing is made now, file by file."""
    (folder / kind).mkdir(parents=True, exist_ok=True)
    bare = [item for item in items if not _file(folder, kind, item).exists()]
    if bare:
        made = _paraphrases(project, bare) if kind == PARAPHRASE else _changed(project, bare)
        for item, texts in zip(bare, made, strict=True):
            write_private(_file(folder, kind, item), json.dumps(texts, ensure_ascii=False))
    return [
        Variant(item.id, text)
        for item in items
        for text in usable(item.text, json.loads(_file(folder, kind, item).read_text(encoding="utf-8")))
    ]


def usable(original: str, texts: Sequence[str]) -> list[str]:
    """The texts that say anything, nothing twice, and nothing at length."""
    own = _words(original)
    known, kept = {own}, []
    for text in texts:
        words = _words(text)
        announced = text.endswith(":")  # "Here it is:", and the text itself was cut off
        if words and words not in known and len(words) <= _LONGEST * max(len(own), _LONGEST) and not announced:
            kept.append(text)
        known.add(words)
    return kept


def vary(text: str, vocabulary: Sequence[str], rng: np.random.Generator) -> str:
    """The text with 30% of its words (one at least, ten at most) replaced, swapped or deleted at random.

    Source: Ma 2019 (nlpaug); Wei and Zou 2019 (EDA) find that such changes help small text sets.
    """
    words = text.split()
    if not words or not vocabulary:
        return text
    for _ in range(min(_MOST, max(1, round(_SHARE * len(words))))):
        at, change = int(rng.integers(len(words))), int(rng.integers(3))
        if change == 0:
            words[at] = vocabulary[int(rng.integers(len(vocabulary)))]
        elif change == 1 and at + 1 < len(words):
            words[at], words[at + 1] = words[at + 1], words[at]
        elif len(words) > 1:
            del words[at]
    return " ".join(words)


def _changed(project: Project, items: Sequence[Item]) -> Iterator[list[str]]:
    """Words are replaced by words of the seeds."""
    seeds = project.store.items.in_split("seed", labelled=True)
    vocabulary = sorted({word for item in seeds for word in item.text.split()})
    for item in items:
        rngs = (stream(project.settings.random_seed, WORDS, item.id, number) for number in range(EACH))
        yield [vary(item.text, vocabulary, rng) for rng in rngs]


def _paraphrases(project: Project, items: Sequence[Item]) -> Iterator[Sequence[str]]:
    """The panel's largest LLM writes the items in other words."""
    file, noun = writing_llm(project), project.settings.noun
    prompt = Prompt(
        f"Rewrite this {noun} in other words, with the same meaning, in the same language and about as long. Answer"
        f" with the rewritten {noun} alone.\n\nThe {noun}: ",
        "\nRewritten: ",
    )
    return write_texts(
        file.path,
        prompt,
        [item.text for item in items],
        Writing(seed=stream_seed(project.settings.random_seed, PARAPHRASE), together=EACH),
        names=[item.id for item in items],
        threads=project.settings.annotate.threads,
        extra_buffers=file_kernels(file, project.say).extra_buffers,
        log_path=project.root / LOG_FILE,
    )


def _file(folder: Path, kind: str, item: Item) -> Path:
    return folder / kind / f"{item.id}.json"


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))
