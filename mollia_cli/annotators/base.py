"""The annotator contract: items in, batches of observations out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation
from mollia_cli.domain.prompting import Decoding, Prompt


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The options of a kind that has none."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model's file; ``sha256`` is of the file as it is now, ``kernels`` finds out what computes it here."""

    name: str
    path: Path
    sha256: str
    kernels: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class PanelContext:
    """What a project gives the members of its panel to be made from. What is costly, or may fail, is a function.

    folder: of the project, which relative paths in options are of. tokens: those that a prompt may have, 0 for the
    model's own limit. long: what is read of texts that are longer. show_invalid: of each text, so many answers that are
    no label are decoded to their end. mixed: what the machines that read do not share is no part of an identity.
    find_llm: an LLM's file by catalogue name or path. ask: puts a question to a person. recall: the identity that was
    registered last under a name, {} where none was.
    """

    folder: Path
    labels: LabelSet
    prompt: Callable[[], Prompt]
    decoding: Decoding
    threads: int
    tokens: int
    long: str
    log_path: Path
    show_invalid: int
    find_llm: Callable[[str], ModelFile]
    ask: Callable[[str], str]
    recall: Callable[[str], Mapping[str, Any]]
    mixed: bool = False

    def path(self, written: str) -> Path:
        """A path in a member's options."""
        return self.folder / Path(written).expanduser()


class Annotator(ABC):
    """One member of a panel.

    ``Options``: a dataclass of the options that a table in ``mollia.toml`` may give; a field without a default is
    required. ``certain``: what it says is the label, which no aggregator weighs and which is kept with the labels.
    ``recorded``: it looks up answers that are written down already, so that nobody is asked.

    ``name`` is unique in the panel; ``size``: bytes of the file that it loads, 0 for one that loads none.
    """

    Options: ClassVar[type] = NoOptions
    certain: ClassVar[bool] = False
    recorded: ClassVar[bool] = False
    name: str

    @classmethod
    @abstractmethod
    def from_spec(cls, name: str, options: Any, context: PanelContext) -> Sequence["Annotator"]:
        """The member that a panel calls ``name``, ``options`` an instance of ``Options``; nothing is loaded yet.

        "" is a name too: of all that the options hold, each by its own name.
        """

    @property
    def size(self) -> int:
        """Bytes of the file that it loads; 0 for one that loads none."""
        return 0

    @property
    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Everything that an observation depends on (model digest, engine build, prompt, labels, decoding, seed).

        Its digest is the observation's key, so it must be known before anything expensive is loaded.
        """

    def load(self) -> object:
        """Load what annotating needs, which would load it by itself: for whoever wants to say that it takes time."""
        return None

    @abstractmethod
    def annotate(self, items: Sequence[Item]) -> Iterator[list[Observation]]:
        """Yield observations batch by batch, each item exactly once, in any order.

        An item that the model fails on is yielded as an observation without votes
        (``invalid == 1``), never left out.
        """

    def batches(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        """The items in the batches that ``annotate`` yields: one of them read elsewhere gives the same numbers."""
        yield list(items)

    def recipe(self) -> Mapping[str, Any] | None:
        """What another process needs to make it, JSON-ready, see project/reading.py; None: it cannot."""
        return None

    def half_of(self, item: Item) -> int:
        """Which of its prompts an item is read with, from 0; items of one prompt are read together."""
        return 0

    def longer(self, items: Sequence[Item]) -> int:
        """How many items it cannot read as a whole; ``annotate.long`` is what becomes of them."""
        return 0

    def preview(self, item: Item) -> str:
        """Exactly what the model will see for an item, special tokens included."""
        return item.text

    def close(self) -> None:  # noqa: B027 -- most have nothing to free
        """Free what was loaded. Annotating again after it loads again."""
