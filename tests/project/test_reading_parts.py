"""``mollia annotate --part``: copies of a project share the work, and read together what one process reads."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from doubles import FakeLLM
from typer.testing import CliRunner

from mollia_cli.annotators.llama import annotator
from mollia_cli.annotators.llama.annotator import GgufAnnotator
from mollia_cli.cli.main import app
from mollia_cli.domain.errors import InputError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.prompting import Decoding, Prompt
from mollia_cli.insight.merge import merge
from mollia_cli.project import observe as work
from mollia_cli.project import workers
from mollia_cli.project.context import Project
from mollia_cli.project.panel import panel_annotators
from mollia_cli.project.parts import Part


@pytest.fixture
def in_threes(fake_llm: type[FakeLLM], monkeypatch: pytest.MonkeyPatch) -> type[FakeLLM]:
    """An LLM that reads three texts together, the short ones first."""

    def batches(self: FakeLLM, items: Sequence[Item]) -> Iterator[list[Item]]:
        ordered = sorted(items, key=lambda item: (len(item.text), item.id))
        yield from (ordered[start : start + 3] for start in range(0, len(ordered), 3))

    monkeypatch.setattr(fake_llm, "batches", batches)
    return fake_llm


def observed(project: Project) -> dict[str, list[str]]:
    rows = project.store._db.execute("SELECT annotator, item FROM observations ORDER BY item")
    found: dict[str, list[str]] = {}
    for key, item in rows:
        found.setdefault(key, []).append(item)
    return found


@pytest.mark.parametrize("of", [1, 2, 3, 7, 50])
def test_parts_are_whole_batches_nothing_twice_and_nothing_left(
    make_project: Callable[..., Project], in_threes: type[FakeLLM], of: int
) -> None:
    project = make_project()
    ids = project.store.items.ids("pool")
    for number in range(1, of + 1):
        work.annotate(project, ids, part=Part(number, of))
    assert sorted(in_threes.asked) == sorted(ids)
    (member,) = panel_annotators(project)
    batches = [{item.id for item in batch} for batch in member.batches(project.store.items.get(ids))]
    parts = [set(Part(number, of).ids(project, member, ids)) for number in range(1, of + 1)]
    assert all(sum(batch <= part for part in parts) == 1 for batch in batches)
    assert max(map(len, parts)) - min(map(len, parts)) <= 3


def test_parts_do_not_depend_on_what_is_stored(make_project: Callable[..., Project], in_threes: type[FakeLLM]) -> None:
    project = make_project()
    ids = project.store.items.ids("pool")
    (member,) = panel_annotators(project)
    before = list(Part(2, 3).ids(project, member, ids))
    in_threes.queue.extend(["ok"] * 4 + [KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        work.annotate(project, ids, part=Part(2, 3))
    in_threes.asked.clear()
    work.annotate(project, ids[7:20])  # and other items of other parts
    assert list(Part(2, 3).ids(project, member, ids)) == before
    work.annotate(project, ids, part=Part(2, 3))
    assert set(before) | set(ids[7:20]) == set(next(iter(observed(project).values())))


def test_items_that_are_batched_apart_stay_apart(
    make_project: Callable[..., Project], in_threes: type[FakeLLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than are in memory at once: parts, and what is left of a command that was stopped, are the same batches."""
    monkeypatch.setattr(workers, "AT_ONCE", 10)
    project = make_project()
    ids = project.store.items.ids("pool")[:30]
    (member,) = panel_annotators(project)
    whole = {tuple(item.id for item in batch) for batch in workers.batches_of(project, member, ids)}
    assert len(whole) == 12  # of each ten 3, 3, 3 and 1
    read: list[tuple[str, ...]] = []
    annotate = in_threes.annotate

    def noted(self: FakeLLM, items: Sequence[Item]) -> Iterator[list[Observation]]:
        for batch in annotate(self, items):
            yield batch
            read.append(tuple(seen.item_id for seen in batch))
            if len(read) in (2, 5):
                raise KeyboardInterrupt

    monkeypatch.setattr(in_threes, "annotate", noted)
    for part in [None, Part(2, 3), *[Part(number, 3) for number in (1, 2, 3)]]:
        with suppress(KeyboardInterrupt):
            work.annotate(project, ids, part=part)
    assert sorted(read) == sorted(whole)


@pytest.mark.parametrize(
    "written", ["0/8", "9/8", "3", "a/b", "3/0", "-1/8", "1/8/2", " 1/8", "1/", "٣/٨", "1/1000000"]
)
def test_what_is_no_part_is_one_error(written: str) -> None:
    with pytest.raises(InputError, match="is no part of a whole"):
        Part.parse(written)


def test_by_command(make_project: Callable[..., Project], in_threes: type[FakeLLM]) -> None:
    root = make_project().root
    said = ""
    for number in (1, 2):
        done = CliRunner().invoke(app, ["annotate", "--split", "pool", "--part", f"{number}/2", "-p", str(root)])
        assert done.exit_code == 0, done.output
        said += done.stderr
    assert "parts have anything to read" not in said
    assert "part 1/2 of 40 items annotated by fake-llm (21 new observations)" in said
    assert "part 2/2 of 40 items annotated by fake-llm (19 new observations)" in said
    few = CliRunner().invoke(app, ["annotate", "--split", "seed", "--part", "7/20", "-p", str(root)])
    assert few.exit_code == 0
    assert "fake-llm: only the first 6 of 20 parts have anything to read" in few.stderr
    refused = CliRunner().invoke(app, ["annotate", "--cascade", "a,b", "--part", "1/2", "-p", str(root)])
    assert isinstance(refused.exception, InputError) and "--part" in str(refused.exception)


def test_whole_batches_of_an_llm_are_the_same_batches(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    prompt = Prompt("", "", (("a", "b"),), (("c", "a"),))
    llm = GgufAnnotator("m", file, LabelSet(("a", "b")), prompt, Decoding(), model_digest="0")
    rng = np.random.default_rng(0)
    items = [Item(f"i{n}", "x" * int(rng.integers(1, 4000))) for n in range(200)]
    batches = list(llm.batches(items))
    assert len(batches) > 10 and sorted(item.id for batch in batches for item in batch) == sorted(i.id for i in items)
    assert len({llm.half_of(item) for item in batches[0]}) == 1
    for start in range(3):
        kept = batches[start::3]
        assert list(llm.batches([item for batch in reversed(kept) for item in batch])) == kept


@pytest.mark.proof
def test_a_real_llm_reads_in_parts_as_in_one_process(
    make_real_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotator, "_TOGETHER", 600)  # characters: or so few texts were one batch
    whole = make_real_project()
    whole.store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole.use_threads(1)
    home, copies = whole.root.parent / "home", [whole.root.parent / f"part-{number}" for number in (1, 2, 3)]
    ids = whole.store.items.ids("pool")
    counts = []
    for number, copy in enumerate([home, *copies]):
        shutil.copytree(whole.root, copy)
        if number:
            with Project.open(copy) as part:
                part.use_threads(1)
                work.annotate(part, ids, part=Part(number, 3))
                counts.append(part.store.observations.count())
    assert sum(counts) == len(ids) and min(counts) >= 5
    work.annotate(whole, ids)
    columns = "annotator, item, log_probs, votes, mass, invalid, slack, answers, tokens, truncated"
    query = f"SELECT {columns} FROM observations ORDER BY annotator, item"
    with Project.open(home) as project:
        merge(project, copies)
        assert project.store._db.execute(query).fetchall() == whole.store._db.execute(query).fetchall()
        assert not project.store.verify().findings
