"""Variants of items, from which the aggregators ``da`` and ``pag`` learn: made once, and read by the panel once.

They are kept apart from the project's items: none is in a split, a count or an export, and no classifier is
trained on one.
"""

import re
from collections.abc import Iterator, Sequence

from mollia_cli.aggregators.variants import PARAPHRASE, WORDS, variant_id, vary
from mollia_cli.annotators.llama.decode.generation import Writing, write_texts
from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.items import Item, Variant
from mollia_cli.domain.observations import Panel
from mollia_cli.domain.prompting import Prompt
from mollia_cli.domain.rng import stream, stream_seed
from mollia_cli.project.context import Project
from mollia_cli.project.kernels import file_kernels
from mollia_cli.project.observe import Member, observe, stack
from mollia_cli.project.panel import LOG_FILE, panel_annotators, writing_llm

EACH = 3  # variants of one item
_LONGEST = 3  # times as many words as the item has: what is longer goes on about something else
_WORD = re.compile(r"\w+")


def observed_variants(project: Project, kind: str, panel: Sequence[Member], items: Sequence[Item]) -> list[Variant]:
    """The usable variants of some items, each observed by every member; what is missing is made and observed now.

    Stored item by item and batch by batch, so that a stop in between loses next to nothing.
    """
    ids, store = [item.id for item in items], project.store.variants
    found = store.get(kind, ids)
    bare = [item for item in items if item.id not in found]
    if bare:
        make_variants(project, kind, bare)
        found = store.get(kind, ids)
    usable = [variant for variants in found.values() for variant in variants if variant.usable]
    _read(project, panel, usable)
    return usable


def make_variants(project: Project, kind: str, items: Sequence[Item]) -> None:
    """Write variants of items that have none; nobody observes them yet."""
    (_paraphrase if kind == PARAPHRASE else _change_words)(project, items)


def stack_with(project: Project, panel: Sequence[Member], ids: Sequence[str], variants: Sequence[Variant]) -> Panel:
    """The stored observations of items, then of variants; each must have been observed by every member."""
    own = [variant.id for variant in variants]
    return stack(project, panel, ids).joined(stack(project, panel, own, project.store.variants.observations))


def _change_words(project: Project, items: Sequence[Item]) -> None:
    """Words are replaced by words of the seeds."""
    seeds = project.store.items.in_split("seed", labelled=True)
    vocabulary = sorted({word for item in seeds for word in item.text.split()})
    seed = project.settings.random_seed
    recipe = {"rule": "words/1", "seed": seed, "vocabulary": digest_of(vocabulary)}
    for item in items:
        texts = [vary(item.text, vocabulary, stream(seed, WORDS, item.id, number)) for number in range(EACH)]
        project.store.variants.add(_variants(item, WORDS, texts), recipe)


def _paraphrase(project: Project, items: Sequence[Item]) -> None:
    """The panel's largest LLM writes the items in other words."""
    file, noun = writing_llm(project), project.settings.noun
    writing = Writing(seed=stream_seed(project.settings.random_seed, PARAPHRASE), together=EACH)
    prompt = Prompt(
        f"Rewrite this {noun} in other words, with the same meaning, in the same language and about as long. Answer"
        f" with the rewritten {noun} alone.\n\nThe {noun}: ",
        "\nRewritten: ",
    )
    recipe = {"rule": "paraphrase/1", "seed": writing.seed, "model": file.sha256, "writer": file.name}
    written = write_texts(
        file.path,
        prompt,
        [item.text for item in items],
        writing,
        names=[item.id for item in items],
        threads=project.settings.annotate.threads,
        extra_buffers=file_kernels(file, project.say).extra_buffers,
        log_path=project.root / LOG_FILE,
    )
    task = f"paraphrasing with {file.name}"
    project.progress(task, 0, len(items))
    for done, (item, texts) in enumerate(zip(items, written, strict=True), 1):
        project.store.variants.add(_variants(item, PARAPHRASE, texts), recipe)
        project.progress(task, done, len(items))


def _variants(item: Item, kind: str, texts: Sequence[str]) -> Iterator[Variant]:
    """Texts as variants: usable are those that say anything, nothing twice, and nothing at length."""
    own = _words(item.text)
    known = {own}
    for number, text in enumerate(texts):
        words = _words(text)
        announced = text.endswith(":")  # "Here it is:", and the text itself was cut off
        usable = bool(words) and words not in known and len(words) <= _LONGEST * max(len(own), _LONGEST)
        known.add(words)
        yield Variant(variant_id(item.id, kind, number), item.id, kind, number, text, usable and not announced)


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))


def _read(project: Project, panel: Sequence[Member], variants: Sequence[Variant]) -> None:
    """Every member observes the variants that it has not observed yet."""
    store, ids = project.store.variants.observations, [variant.id for variant in variants]
    missing = {member.name: set(store.missing(member.key, ids)) for member in panel}
    missing = {name: todo for name, todo in missing.items() if todo}
    if not missing:
        return
    annotators = panel_annotators(project, list(missing))
    for annotator in annotators:
        todo = [Item(v.id, v.text) for v in variants if v.id in missing[annotator.name]]
        observe(project, annotator, annotators, [todo], len(todo), store)
