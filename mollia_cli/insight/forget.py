"""``mollia forget``: items leave the project, with everything that was made of them; what cannot go is named."""

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mollia_cli.domain.items import Item
from mollia_cli.domain.settings import DISTIL
from mollia_cli.learners.embeddings import forget_texts
from mollia_cli.project.context import Project
from mollia_cli.project.learner import EMBEDDINGS, finished_rounds, run_config

_WEIGHTS = ".safetensors"
_BLOCK = 1 << 20
_LEAST_ID = 6  # characters: a shorter id stands in any file by chance


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """A round whose classifier has learned from an item, and the classifier's folder in the project."""

    run: str
    round: int
    model: str | None


@dataclass(frozen=True, slots=True)
class Consequences:
    """What forgetting deletes, and what it cannot reach.

    items: their ids. rows: table -> how many. trained: rounds whose classifier has learned from an item or was chosen
    by it. sources: the files that the items were imported from.
    """

    items: tuple[str, ...]
    rows: dict[str, int]
    trained: tuple[TrainedOn, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forgotten(Consequences):
    """What forgetting has done.

    files: side files that were deleted, or in which what was theirs was overwritten. wiped: the database file holds
    nothing of the items any more; False while another process has it open. left: files of the project in which an
    item's text or id still stands, and other copies of the database.
    """

    files: tuple[str, ...]
    wiped: bool
    left: tuple[str, ...]


def consequences(project: Project, ids: Sequence[str]) -> Consequences:
    """What forgetting would delete, and what it cannot reach; an id that does not exist raises NotFoundError."""
    items = project.store.items.get(ids)
    rows = project.store.rows_of(ids)
    return Consequences(
        items=tuple(item.id for item in items),
        rows=rows,
        trained=tuple(trained_on(project, items)),
        sources=tuple(sorted({project.store.items.source(item.id)[0] for item in items})),
    )


def forget(project: Project, ids: Sequence[str]) -> Forgotten:
    """Delete items with all that was made of them. Raises NotFoundError for an id that does not exist."""
    items = project.store.items.get(ids)
    expected = consequences(project, ids)
    wiped = project.store.forget(ids)
    files = tuple(_delete_side_files(project, [item.text for item in items]))
    return Forgotten(
        expected.items,
        expected.rows,
        expected.trained,
        expected.sources,
        files=files,
        wiped=wiped,
        left=tuple(_left(project, items)),
    )


def trained_on(project: Project, items: Sequence[Item]) -> Iterator[TrainedOn]:
    """The rounds whose model may have seen one of the items."""
    if not items:
        return
    labelled = project.store.decisions.labels()
    wanted = {item.id for item in items}
    everywhere = any(item.split in ("seed", "validation") or item.id in labelled for item in items)
    for run in project.store.runs.names():
        picked = [s.round for s in project.store.runs.selections(run) if s.item_id in wanted]
        distil = run_config(project, run).method == DISTIL
        for record in finished_rounds(project, run):
            # the method distil learns from every verdict of the round's fit, selected or not
            taught = distil and record.fit is not None and len(project.store.verdicts.get(record.fit, sorted(wanted)))
            if everywhere or taught or any(number <= record.number for number in picked):
                yield TrainedOn(record.run, record.number, record.model)


def _delete_side_files(project: Project, texts: Sequence[str]) -> Iterator[str]:
    """Token caches go, made again when needed; of what encoders have made of the texts, theirs is overwritten."""
    for path in forget_texts(project.root / EMBEDDINGS, texts):
        yield str(path.relative_to(project.root))
    for path in sorted(project.root.glob(f"*{_WEIGHTS}*")):
        path.unlink()
        yield path.name


def _left(project: Project, items: Sequence[Item]) -> Iterator[str]:
    """Files, by their path in the project, that still hold something of the items."""
    signs = [sign for item in items for sign in _signs(item)]
    database = project.store.path
    for path in sorted(project.root.rglob("*")):
        if not path.is_file() or path.suffix == _WEIGHTS:
            continue
        copy = path.name.startswith(database.name) and path.name not in (
            database.name,
            *(f"{database.name}-{part}" for part in ("wal", "shm")),
        )
        if copy or _holds(path, signs):
            yield str(path.relative_to(project.root))


def _signs(item: Item) -> Iterator[bytes]:
    """How an item is written in files: its id, and its text as it is, in JSON, CSV and HTML."""
    if len(item.id) >= _LEAST_ID:
        yield item.id.encode("utf-8", "replace")
    text = item.text.strip()
    ways = (
        *(text, text.replace('"', '""'), html.escape(text), html.escape(text, quote=False)),
        *(json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]),
    )
    yield from {way.encode("utf-8", "replace") for way in ways}


def _holds(path: Path, signs: Sequence[bytes]) -> bool:
    """Whether a file holds any of them."""
    overlap = max(map(len, signs), default=1) - 1
    before = b""
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            window = before + block
            if any(sign in window for sign in signs):
                return True
            before = window[-overlap:] if overlap else b""
    return False
