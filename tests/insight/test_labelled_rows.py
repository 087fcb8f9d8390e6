"""What `mollia export labels` writes of each item, and what it leaves behind when it fails."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mollia_cli.domain.decisions import IGNORE, LABEL, Decision
from mollia_cli.insight import forget
from mollia_cli.insight.corrections import promised_from
from mollia_cli.insight.export import export_labels, labelled_rows, write_rows
from mollia_cli.loop.aggregate import aggregate
from mollia_cli.project.context import Project


def test_each_row_says_whose_label_it_is(observed: Project) -> None:
    names, pool = observed.labels.names, observed.store.items.ids("pool")
    verdicts = {verdict.item_id: verdict for verdict in aggregate(observed, ids=pool[:60]).verdicts.rows()}
    assert any(verdict.negatives for verdict in verdicts.values())
    other = (verdicts[pool[0]].label + 1) % 4
    for item_id, act, label in ((pool[0], LABEL, other), (pool[1], IGNORE, None), (pool[99], LABEL, 2)):
        observed.store.decisions.add(Decision(item_id, act, "anna", label))
    observed.store.decisions.add(Decision("i003", LABEL, "anna", 3, seed=True))
    rows = {row["id"]: row for row in labelled_rows(observed)}
    assert set(rows) == {*observed.store.items.ids("seed"), *pool[:1], *pool[2:60], pool[99]}

    def of(item_id: str) -> tuple[Any, ...]:
        row = rows[item_id]
        return row["label"], row["source"], row["confidence"], row["negatives"]

    assert of(pool[0]) == (names[other], "human", 1.0, [])
    assert of(pool[99]) == (names[2], "human", 1.0, [])
    assert of("i003") == (names[3], "human", 1.0, [])
    assert rows["i004"]["source"] == "gold"
    for item_id in pool[2:60]:
        verdict = verdicts[item_id]
        expected = (names[verdict.label], "conditional_logit", [names[k] for k in verdict.negatives])
        assert (of(item_id)[0], of(item_id)[1], of(item_id)[3]) == expected
        assert of(item_id)[2] == pytest.approx(verdict.confidence, abs=1e-6)


def test_an_export_that_fails_leaves_nothing_and_the_old_file(tmp_path: Path) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield {"id": "1", "text": "t"}
        raise KeyboardInterrupt

    out = tmp_path / "out.csv"
    out.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        write_rows(rows(), out)
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("shift", range(-6, 2))
def test_a_text_that_stands_across_two_blocks_is_found(tmp_path: Path, shift: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(forget, "_BLOCK", 64)
    path = tmp_path / "file"
    path.write_bytes(b"." * (64 + shift) + b"secret" + b"." * 100)
    assert forget._holds(path, [b"secret", b"none"])
    assert not forget._holds(path, [b"secrets"])


def test_only_confident_labels_or_only_those_that_nothing_is_promised_of(observed: Project, tmp_path: Path) -> None:
    said: list[str] = []
    observed.say = said.append
    pool = observed.store.items.ids("pool")
    aggregate(observed, ids=pool[:80])
    for who, label in (("anna", 0), ("ben", 1)):
        observed.store.decisions.add(Decision(pool[0], LABEL, who, label))
    observed.store.decisions.add(Decision(pool[1], LABEL, "anna", 1))
    everything = list(labelled_rows(observed))
    fit = observed.store.verdicts.latest_fit()
    assert fit is not None
    bound = promised_from(fit, 0.8)
    assert bound is not None and bound > 0

    def ids(**wanted: Any) -> set[str]:
        out = tmp_path / "labels.jsonl"
        export_labels(observed, out, **wanted)
        return {json.loads(line)["id"] for line in out.read_text().splitlines()}

    assert ids(least=0.9) == {row["id"] for row in everything if row["confidence"] >= 0.9}
    doubtful = {row["id"] for row in everything if row["confidence"] < bound}
    assert doubtful and len(doubtful) < 79
    assert ids(unpromised=0.8) == doubtful | {pool[0]}  # what people disagree on, however confident the verdict
    assert said[-1] == f"a precision of 0.8 is promised from confidence {bound:.3f} on"
    assert ids(unpromised=0.9999) == {*pool[:80]} - {pool[1]}
    assert said[-1] == "the seeds promise no precision of 0.9999: every verdict needs review"
