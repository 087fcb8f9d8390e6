"""DA and PAG in a project: variants are made and read once, learned from, and nowhere else to be seen."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mollia_cli.aggregators import AGGREGATORS
from mollia_cli.aggregators.variants import PARAPHRASE, WORDS
from mollia_cli.annotators.llama.annotator import GgufAnnotator
from mollia_cli.annotators.llama.decode.generation import Writing
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item, Variant
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import IntArray, Panel
from mollia_cli.insight.export import labelled_rows
from mollia_cli.insight.status import status
from mollia_cli.loop import variants as work
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.loop.estimate import estimate
from mollia_cli.loop.select import select
from mollia_cli.loop.setup import open_run
from mollia_cli.models import resolve_llm
from mollia_cli.project.context import Project
from mollia_cli.project.create import create, new_settings
from mollia_cli.project.observe import annotate, members

SEEDS = {
    "late-1": ("My parcel has still not arrived.", 0),
    "late-2": ("The delivery is two weeks late now.", 0),
    "paid-1": ("You charged my card twice.", 1),
    "paid-2": ("Please send me the invoice for May.", 1),
}
POOL = {"a": "My order never came.", "b": "The amount on my bill is wrong."}


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory, shallow_llm: Path, test_encoder: Path) -> Path:
    """Four annotated seeds of two labels and two pool items; the LLM is quick and knows nothing."""
    root = tmp_path_factory.mktemp("annotated")
    labels = LabelSet(("delivery", "payment"), ("", ""))
    create(root, new_settings(labels, "message", "", [str(shallow_llm)], str(test_encoder)))
    settings = root / "mollia.toml"
    settings.write_text(settings.read_text().replace('votes = "sampled"', 'votes = "exact"'))
    with Project.open(root) as project:
        assert project.settings.annotate.votes == "exact"
        with project.store.transaction():
            project.store.items.add((Item(i, text, "seed", label) for i, (text, label) in SEEDS.items()), "made")
            project.store.items.add((Item(i, text) for i, text in POOL.items()), "made")
        annotate(project, [*SEEDS, *POOL])
    return root


@pytest.fixture
def small(annotated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A copy of it, with an LLM that is brief."""
    monkeypatch.setattr(work, "Writing", partial(Writing, tokens=12))
    with Project.open(shutil.copytree(annotated, tmp_path / "project")) as project:
        yield project


def made(project: Project, kind: str, ids: Sequence[str] = tuple(SEEDS)) -> list[Variant]:
    return [variant for found in project.store.variants.get(kind, ids).values() for variant in found]


def observed(project: Project, variants: Sequence[Variant]) -> set[str]:
    (member,) = members(project)
    return set(project.store.variants.observations.get(member.key, [variant.id for variant in variants]))


def outside(project: Project) -> Any:
    """All that must not know of variants."""
    panel = [{**row, "seconds": 0} for row in project.store.observations.summary()]
    return status(project)["items"], project.store.items.counts(), panel, project.store.synthetic.all()


@pytest.mark.parametrize("name", ["da", "pag"])
def test_an_aggregator_learns_from_variants(small: Project, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, kind = outside(small), AGGREGATORS.load(name)
    fits: list[tuple[Panel, list[int]]] = []
    fit = kind._fit

    def spy(self: object, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        fits.append((seed, labels.tolist()))
        fit(self, seed, labels, pool, random_seed)

    monkeypatch.setattr(kind, "_fit", spy)
    done = aggregate(small, name)
    variants = made(small, kind.variants)
    usable = [variant for variant in variants if variant.usable]
    assert len(variants) == 3 * len(SEEDS)
    assert len(usable) > len(SEEDS)
    assert observed(small, variants) == {variant.id for variant in usable}

    learned, labels = fits[0]
    assert learned.ids == (*SEEDS, *(variant.id for variant in usable))
    assert labels == [label for _, label in SEEDS.values()] + [SEEDS[v.item_id][1] for v in usable]
    for part, _ in fits[1:]:  # cross-fitted: who is judged has no variant among the examples
        families = {item_id.partition("~")[0] for item_id in part.ids}
        assert families <= set(part.ids) and len(families) < len(SEEDS)
    assert done.fitted.calibration is not None
    assert len(done.fitted.calibration.right) == done.fitted.fit.seed_items == len(SEEDS)

    assert [verdict.item_id for verdict in done.verdicts] == list(POOL)
    assert bool(made(small, kind.variants, list(POOL))) == (name == "pag")
    assert outside(small) == before
    assert {row["id"] for row in labelled_rows(small)} == {*SEEDS, *POOL}

    monkeypatch.setattr(GgufAnnotator, "annotate", None)  # nobody is asked again
    monkeypatch.setattr(work, "write_texts", None)
    again = aggregate(small, name)
    assert again.fitted.fit.id == done.fitted.fit.id
    for old, new in zip(done.verdicts, again.verdicts, strict=True):
        np.testing.assert_array_equal(old.probabilities, new.probabilities)


@pytest.mark.proof
@pytest.mark.parametrize("name", ["da", "pag"])
def test_an_estimate_counts_variants(small: Project, name: str) -> None:
    asked = {"aggregator": name, "strategy": "random", "batch": len(POOL), "rounds": 1}
    found = estimate(small, **asked)
    assert len(made(small, AGGREGATORS.load(name).variants)) == 6  # two texts, for the measurement
    writing = found.parts[1]
    assert writing.name == f"{AGGREGATORS.load(name).variants} of texts"
    assert writing.seconds.low > 0 and not writing.tokens.high

    aggregate(small, name)
    (member,) = members(small)
    ids = [variant.id for variant in made(small, AGGREGATORS.load(name).variants, [*SEEDS, *POOL])]
    tokens = sum(seen.tokens for seen in small.store.variants.observations.get(member.key, ids).values())
    assert 0 < found.tokens.low * 0.9 <= tokens <= found.tokens.high * 1.1
    left = estimate(small, **asked)
    assert left.tokens.high == 0 == left.parts[1].seconds.high


def test_doubt_is_that_of_the_verdicts(small: Project) -> None:
    verdicts = aggregate(small, "pag").verdicts
    run, _ = open_run(small, aggregator="pag")
    picks = select(small, "doubt", len(POOL), run)
    doubts = {pick.id: pick.score for pick in picks}
    assert doubts == pytest.approx({verdict.item_id: 1 - verdict.confidence for verdict in verdicts})


class KilledError(Exception):
    """Stands for a kill."""


def killed_after(calls: int, work: Callable[..., None]) -> Callable[..., None]:
    """``work``, and a kill after it has been done so often."""
    left = iter(range(calls))

    def doomed(*arguments: Any) -> None:
        work(*arguments)
        next(left)
        if not left.__length_hint__():
            raise KilledError

    return doomed


@pytest.mark.proof
def test_writing_that_is_stopped_goes_on_to_the_same(
    small: Project, test_llm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "writing_llm", lambda _: resolve_llm(str(test_llm)))
    items = small.store.items.get(list(SEEDS)[:3])
    work._paraphrase(small, items)
    assert any(variant.usable for variant in made(small, PARAPHRASE))
    whole = {variant.id: variant.text for variant in made(small, PARAPHRASE)}
    small.store._db.execute("DELETE FROM variants")
    small.store._db.conn.commit()

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(small.store.variants, "add", killed_after(1, small.store.variants.add))
        work.observed_variants(small, PARAPHRASE, [], items)
    assert len(made(small, PARAPHRASE)) == 3
    work.observed_variants(small, PARAPHRASE, [], items)
    assert {variant.id: variant.text for variant in made(small, PARAPHRASE)} == whole


def test_reading_that_is_stopped_goes_on(small: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    apart = small.store.variants.observations
    asked: list[str] = []
    ask = GgufAnnotator.annotate

    def counted(self: GgufAnnotator, items: Sequence[Item]) -> Iterator[Any]:
        asked.extend(item.id for item in items)
        return ask(self, items)

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(apart, "add", killed_after(1, apart.add))
        aggregate(small, "da")
    first = observed(small, made(small, WORDS))
    assert first
    monkeypatch.setattr(GgufAnnotator, "annotate", counted)
    aggregate(small, "da")
    usable = {variant.id for variant in made(small, WORDS) if variant.usable}
    assert observed(small, made(small, WORDS)) == usable
    assert set(asked) == usable - first


def test_what_is_usable() -> None:
    item = Item("x", "Where is my lamp?")
    texts = ["", "where is my LAMP", "Has my lamp been sent?", "has my lamp been sent", "word " * 20, "Here it is:"]
    usable = [variant.number for variant in work._variants(item, PARAPHRASE, texts) if variant.usable]
    assert usable == [2]


def test_words_come_from_the_stream_alone(small: Project) -> None:
    items = small.store.items.get(list(SEEDS))
    work._change_words(small, items)
    first = {variant.id: variant.text for variant in made(small, WORDS)}
    small.store._db.execute("DELETE FROM variants")
    small.store._db.conn.commit()
    for item in reversed(items):
        work._change_words(small, [item])
    assert {variant.id: variant.text for variant in made(small, WORDS)} == first
    vocabulary = {word for text, _ in SEEDS.values() for word in text.split()}
    assert {word for text in first.values() for word in text.split()} <= vocabulary


@pytest.mark.parametrize("name", ["da", "pag"])
def test_stored_outputs_cannot_read_variants(small: Project, name: str, tmp_path: Path) -> None:
    """Which is said before anything is trained."""
    said = tmp_path / "said.jsonl"
    votes = {"delivery": 0.7, "payment": 0.3}
    logs = {label: float(np.log(share)) for label, share in votes.items()}
    records = [{"id": i, "model": "llm", "votes": votes, "log_probs": logs} for i in [*SEEDS, *POOL]]
    said.write_text("\n".join(map(json.dumps, records)))
    with pytest.raises(InputError, match=r"said\.jsonl.*nothing of varied texts") as caught:
        open_run(small, replay=said, aggregator=name)
    assert "--replay" in caught.value.hint and "mol" in caught.value.hint
    assert not made(small, AGGREGATORS.load(name).variants)
    assert small.store.runs.config("main") is None


def test_the_command(small: Project, capsys: pytest.CaptureFixture[str]) -> None:
    app(["aggregate", "-p", str(small.root), "--with", "da", "--jsonl"], standalone_mode=False)
    printed = capsys.readouterr()
    assert [json.loads(line)["id"] for line in printed.out.splitlines()] == list(POOL)
    assert "da learns from 4 labelled items and" in printed.err
    assert "4 seed items" in printed.err
