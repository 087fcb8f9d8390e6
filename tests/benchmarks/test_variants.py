"""benchmarks/variants.py: DA and PAG beside the paper's other methods, and the variants that they learn from."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from aggregators.panels import made_panel

from mollia_cli import Project
from mollia_cli.aggregators.mol import MoL
from mollia_cli.annotators.llama.annotator import GgufAnnotator
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import IntArray, Panel
from mollia_cli.domain.rng import stream

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

with pytest.MonkeyPatch.context() as path:
    path.syspath_prepend(BENCHMARKS)
    from baselines import variants as making
    from baselines.augmented import augmented, averaged
    from baselines.variants import PARAPHRASE, WORDS, usable, usable_variants, vary


@pytest.fixture(scope="module")
def variants(load_benchmark: Callable[[str], ModuleType]) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as path:
        path.syspath_prepend(BENCHMARKS)
        yield load_benchmark("variants")


@pytest.fixture
def options(tmp_path: Path, shallow_llm: Path) -> argparse.Namespace:
    """A quick LLM that knows nothing."""
    methods = ["vote", "da", "pag"]
    return argparse.Namespace(
        out=tmp_path, models=[str(shallow_llm)], methods=methods, pool=4, noun="question", threads=1
    )


LABELS = {
    f"How many {thing} are there?" if n % 2 else f"Who has found the {thing}?": "ab"[n % 2]
    for n, thing in enumerate(
        ["apples", "boats", "cars", "dogs", "eggs", "farms", "goats", "hats", "inns", "jars", "kites", "lamps"]
    )
}


@pytest.mark.proof
def test_one_seed_set_from_texts_to_accuracies(
    variants: Any, options: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is kept: again, nobody is asked."""
    monkeypatch.setattr(variants, "SEED_ITEMS", 8)
    fitted: list[tuple[Panel, list[int]]] = []
    fit = MoL._fit

    def spy(self: MoL, seed: Panel, labels: IntArray, pool: Panel, random_seed: int) -> None:
        fitted.append((seed, labels.tolist()))
        fit(self, seed, labels, pool, random_seed)

    monkeypatch.setattr(MoL, "_fit", spy)
    found = variants.measure(LABELS, 0, options)
    assert [name for name in found.accuracy if name in options.methods] == options.methods
    assert len(list((options.out / "set-0-variants" / "words").iterdir())) == 8
    assert len(list((options.out / "set-0-variants" / "paraphrase").iterdir())) == 8 + 4
    with Project.open(options.out / "set-0") as project:
        seeds = project.store.items.in_split("seed")
        assert project.store.items.counts()["pool"]["items"] == 4  # no variant is an item of the project
        assert all(item.label is None for item in project.store.items.in_split("pool"))
    for (learned, labels), kind in zip(fitted, (WORDS, PARAPHRASE), strict=True):
        assert len(learned) == 8 + found.usable[kind] > 8
        assert labels[:8] == [item.label for item in seeds]
    assert all(0 <= share <= 1 for share in found.same_label.values())

    monkeypatch.setattr(GgufAnnotator, "annotate", None)
    monkeypatch.setattr(making, "write_texts", None)
    assert variants.measure(LABELS, 0, options) == found


def test_a_variant_has_its_originals_label() -> None:
    panel, gold = made_panel(90)
    seed, more, pool = panel.take(range(10)), panel.take(range(50)), panel.take(range(50, 90))
    originals = [seed.ids[n % 10] for n in range(50)]
    wanted = MoL().fit(seed.joined(more), np.concatenate([gold[:10], np.tile(gold[:10], 5)]), pool, 3)
    got = augmented(seed, gold[:10], more, originals, pool, 3)
    np.testing.assert_array_equal(got.predict_proba(pool), wanted.predict_proba(pool))


def test_a_prediction_is_the_mean_over_an_items_paraphrases() -> None:
    panel, gold = made_panel(60)
    fitted = MoL().fit(panel.take(range(50)), gold[:50], panel.take([]))
    items, paraphrases = panel.take([50, 51]), panel.take([52, 53])
    alone = fitted.predict_proba(panel.take(range(50, 54)))
    got = averaged(fitted, items, paraphrases, [items.ids[1]] * 2)
    np.testing.assert_allclose(got, [alone[0], alone[1:].mean(axis=0)])
    np.testing.assert_allclose(averaged(fitted, items, panel.take([]), []), alone[:2])


def test_writing_that_is_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [Item(f"i{n}", f"one text and another {n}") for n in range(3)]
    asked: list[str] = []

    def written(project: Any, bare: list[Item]) -> Iterator[list[str]]:
        for item in bare:
            asked.append(item.id)
            yield [f"another of {item.id}", "", item.text]
            if item.id == "i1":
                raise KeyboardInterrupt

    monkeypatch.setattr(making, "_paraphrases", written)
    with pytest.raises(KeyboardInterrupt):
        usable_variants(None, PARAPHRASE, items, tmp_path)  # type: ignore[arg-type]
    found = usable_variants(None, PARAPHRASE, items, tmp_path)  # type: ignore[arg-type]
    assert asked == ["i0", "i1", "i2"]
    assert [(variant.item_id, variant.text) for variant in found] == [(i.id, f"another of {i.id}") for i in items]


def test_what_is_usable() -> None:
    texts = ["", "where is my LAMP", "Has my lamp been sent?", "has my lamp been sent", "word " * 20, "Here it is:"]
    assert usable("Where is my lamp?", texts) == ["Has my lamp been sent?"]


def test_words_are_varied_by_the_stream_alone() -> None:
    text = "what is the capital of the largest country in the world"
    first = vary(text, ["alpha", "beta"], stream(1, "da"))
    assert first == vary(text, ["alpha", "beta"], stream(1, "da")) != text
    kept = set(first.split()) & set(text.split())
    assert len(kept) >= 4
    assert vary("word", ["alpha"], stream(2, "da")).split()


def test_at_most_ten_words_of_a_text_change() -> None:
    words = [f"w{n}" for n in range(200)]
    for seed in range(20):
        varied = vary(" ".join(words), ["new"], stream(seed, "vary")).split()
        assert 0 < len(set(words) - set(varied)) + varied.count("new") <= 20  # a replaced word is gone, and new
        assert len(varied) >= 190
    short = vary("a b", ["new"], stream(1, "vary"))
    assert short and vary("", ["new"], stream(1)) == "" and vary("a b", [], stream(1)) == "a b"


def test_texts_that_stand_there_twice_are_one(variants: Any, write: Callable[[str, str], Path]) -> None:
    lines = '{"text": "x", "label": "a", "more": 1}\n{"text": "y", "label": "b"}\n{"text": "x", "label": "b"}\n'
    assert variants.read(write("train.jsonl", lines)) == {"x": "a", "y": "b"}


def test_the_table_has_every_set(variants: Any) -> None:
    found = [
        variants.Measured({"vote": right, "da": 0.25}, {"words": n, "paraphrase": 5}, {"words": 0.5, "paraphrase": 1.0})
        for right, n in ((0.5, 140), (0.7, 150))
    ]
    lines = variants.table(found).splitlines()
    assert lines[2:4] == ["| vote | 0.600 ± 0.141 | 0.500 0.700 |", "| da | 0.250 ± 0.000 | 0.250 0.250 |"]
    assert lines[5].startswith("words: 140, 150 usable variants of 50 seeds; same label 0.500")
