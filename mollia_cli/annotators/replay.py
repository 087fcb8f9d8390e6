"""Stored outputs as annotators: observations made elsewhere, read from a file instead of computed."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from mollia_cli.annotators.base import Annotator, PanelContext
from mollia_cli.domain.digest import digest_file
from mollia_cli.domain.errors import InputError, NotFoundError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import FloatArray, Observation

_BATCH = 1000
Lookup = Callable[[str], Observation | None]


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """file: .npy or .jsonl, see ``panel``; llm: which of the file's LLMs, by its name there, where it holds several."""

    file: str
    llm: str = ""


class ReplayAnnotator(Annotator):
    """One LLM's stored outputs; ``find`` gives the observation of an item id, or None.

    ``stored_as`` is its name in the file; a panel may call it otherwise.
    """

    Options: ClassVar[type] = ReplayOptions
    recorded: ClassVar[bool] = True

    def __init__(self, name: str, stored_as: str, path: Path, digest: str, labels: LabelSet, find: Lookup) -> None:
        self.name = name
        self._stored_as = stored_as
        self._path = path
        self._digest = digest
        self._labels = labels
        self._find = find

    @classmethod
    def from_spec(cls, name: str, options: ReplayOptions, context: PanelContext) -> Sequence[Self]:
        """One LLM of the file, called ``name``; without a name all of them. InputError where it holds no such one."""
        stored = cls.panel(context.path(options.file), context.labels)
        if not name:
            return stored
        chosen = [one for one in stored if options.llm in ("", one.name)]
        if len(chosen) != 1:
            held = ", ".join(one.name for one in stored)
            said = f"which of them is {name!r}?" if chosen else f"and no {options.llm!r}"
            raise InputError(f"{options.file} holds what {held} said, {said}", f'say which: llm = "{stored[0].name}"')
        chosen[0].name = name
        return chosen

    @classmethod
    def panel(cls, path: Path, labels: LabelSet) -> list[Self]:
        """The LLMs whose outputs a file holds.

        .npy: [n, 2N, K] with z and c of each LLM interleaved (Eq. 4), labels in the project's order;
        an item's id is its row, the LLMs are called llm1, llm2, ... Anything else: JSON lines as
        `mollia annotate` prints them.
        Raises NotFoundError for a missing file, InputError for one of another shape or other labels.
        """
        if not path.is_file():
            raise NotFoundError(f"there is no file {path}", "give the stored outputs: --replay FILE.npy or FILE.jsonl")
        found = _from_array(path, labels) if path.suffix == ".npy" else _from_lines(path, labels)
        digest = digest_file(path)
        return [cls(name, name, path, digest, labels, find) for name, find in found.items()]

    @property
    def identity(self) -> Mapping[str, Any]:
        """The file's digest, the LLM within it, and the labels."""
        return {"annotator": "replay", "file": self._digest, "member": self._stored_as, "labels": self._labels.digest}

    def annotate(self, items: Sequence[Item]) -> Iterator[list[Observation]]:
        """Yield what is stored of the items; one that is not stored raises NotFoundError."""
        for start in range(0, len(items), _BATCH):
            yield [self._observation(item.id) for item in items[start : start + _BATCH]]

    def _observation(self, item_id: str) -> Observation:
        found = self._find(item_id)
        if found is None:
            raise NotFoundError(
                f"{self._path} holds no observation by {self.name} of item {item_id!r}",
                "items are found by their ids: import them with --id-column (for .npy files, the row's number)",
            )
        return found


def _from_array(path: Path, labels: LabelSet) -> dict[str, Lookup]:
    try:
        x = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise InputError(f"{path} is no array of numbers: {error}", "save it with numpy.save") from error
    if x.ndim != 3 or x.shape[1] % 2 or x.shape[2] != len(labels):
        raise InputError(
            f"{path} has shape {x.shape}", f"expected [n, 2N, {len(labels)}]: z and c of N LLMs, interleaved"
        )

    def finder(member: int) -> Lookup:
        def find(item_id: str) -> Observation | None:
            if not item_id.isdecimal() or int(item_id) >= len(x):
                return None
            z, c = np.asarray(x[int(item_id), 2 * member : 2 * member + 2], dtype=np.float64)
            with np.errstate(divide="ignore"):
                return _observation(item_id, np.log(z), c)

        return find

    return {f"llm{member + 1}": finder(member) for member in range(x.shape[1] // 2)}


def _from_lines(path: Path, labels: LabelSet) -> dict[str, Lookup]:
    stored: dict[str, dict[str, Observation]] = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                scores, shares = (_by_label(record[key], labels) for key in ("log_probs", "votes"))
                stored.setdefault(str(record["model"]), {})[str(record["id"])] = _observation(
                    str(record["id"]), scores, shares
                )
            except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
                raise InputError(
                    f"{path}:{number} is no observation ({type(error).__name__}: {error})",
                    'expected {"id", "model", "log_probs", "votes"} with every label, as `mollia annotate` prints',
                ) from error
    if not stored:
        raise InputError(f"{path} holds no observation", "make one: mollia annotate --split pool > FILE.jsonl")
    return {name: observed.get for name, observed in stored.items()}


def _by_label(values: Mapping[str, float], labels: LabelSet) -> FloatArray:
    return np.array([float(values[name]) for name in labels.names])


def _observation(item_id: str, log_probs: FloatArray, votes: FloatArray) -> Observation:
    # z of published outputs can sum to more than 1: one token was counted for several labels
    mass = min(1.0, float(np.exp(log_probs).sum()))
    return Observation(item_id, log_probs, votes, mass, max(0.0, 1.0 - float(votes.sum())))
