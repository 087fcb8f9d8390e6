"""A server as a panel member: what it states is its identity, many texts are in flight, a failure stops the command.

Nothing of a server is proven: model and engine are what it says of itself. It says so once, before it reads any text,
and again whenever it is loaded; one that states something else, or answers a fixed question otherwise, is refused.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, ClassVar, Self

from mollia_cli.annotators.base import Annotator, PanelContext
from mollia_cli.annotators.server.link import Link, ServerError, parse_address
from mollia_cli.domain.digest import digest_of
from mollia_cli.domain.errors import RefusedError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation

_TURNS = 8  # texts for each place at the server that are stored together
SAME = (
    0.03  # a probability that is stated at another time may differ by so much: rounding depends on what is read beside
)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """url: of the server, http or https; nothing else is connected to. model: which of the server's models.

    public: true where texts may be sent to an address beyond this machine and private networks. key_file: holds the
    key that the server wants.
    """

    url: str
    model: str = ""
    public: bool = False
    key_file: str = ""


class ServerAnnotator(Annotator):
    """One model behind a server.

    ``kind``: what the server is. ``scores``: what it gives, log-probabilities or votes alone.
    """

    Options: ClassVar[type] = ServerOptions
    kind: ClassVar[str]
    scores: ClassVar[str]

    def __init__(self, name: str, options: ServerOptions, context: PanelContext) -> None:
        self.name = name
        key_file = context.path(options.key_file) if options.key_file else None
        address = parse_address(name, options.url)
        self.link = Link(name, address, key_file=key_file, public=options.public)
        self._asked_model = options.model
        self._context = context
        self._labels = context.labels
        self._stated: Mapping[str, Any] | None = None
        self._loaded = False

    @classmethod
    def from_spec(cls, name: str, options: ServerOptions, context: PanelContext) -> Sequence[Self]:
        """The model behind the options' address; nothing is asked yet."""
        return [cls(name, options, context)]

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that an observation depends on, as far as the server states it.

        What it stated when it was asked first; a server that was never asked is asked now.
        """
        stated = self._known()
        if not stated:
            self.load()
            stated = self._known()
        return {
            "annotator": "server",
            "kind": self.kind,
            "scores": self.scores,
            "model": stated["model"],
            "engine": stated["engine"],
            "stated": stated,
            "prompt": self._context.prompt().digest,
            "labels": self._labels.digest,
            "decoding": asdict(self._context.decoding),
            **self._reading(),
        }

    def _known(self) -> Mapping[str, Any]:
        """What it stated: now, or else when a project's member of this name was asked first; {} where it never was."""
        if self._stated is None:
            before = self._context.recall(self.name)
            if before.get("annotator") != "server" or before.get("kind") != self.kind:
                return {}
            self._stated = before["stated"]
        return self._stated

    @property
    def digest(self) -> str:
        """Of what the server states of itself."""
        return digest_of(self._known())

    @abstractmethod
    def _reading(self) -> Mapping[str, Any]:
        """How its answers are read, for the identity."""

    @abstractmethod
    def _ask_itself(self) -> dict[str, Any]:
        """What the server states now: "model", "engine", whatever else the numbers depend on, and "probe".

        Raises RefusedError where what it gives cannot be used. probe: pairs of what it answers to a fixed question and
        the probability of it, which may differ a little from time to time.
        """

    @abstractmethod
    def _still(self) -> str:
        """What can be asked of it in no time, and would be another one if another model were behind the address."""

    @abstractmethod
    def _prepare(self) -> None:
        """Learn how answers are read, once the server is known."""

    @abstractmethod
    def _observe(self, item: Item) -> Observation:
        """Read one text; called by several threads."""

    @property
    @abstractmethod
    def in_flight(self) -> int:
        """How many texts are read at once."""

    def half_of(self, item: Item) -> int:
        """Which half of the prompt an item is read with; see ``Prompt.half_of``."""
        return self._context.prompt().half_of(item, self._context.decoding.seed)

    def batches(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        """A few items at a time: what is read of one does not depend on the others, but for rounding."""
        rest = iter(items)
        while batch := [*islice(rest, _TURNS)]:
            yield batch

    def load(self) -> None:
        """Ask the server what it is. RefusedError for another one than before; ServerError for none."""
        if self._loaded:
            return
        with self.link.open(), self._well_formed():
            now, before = self._ask_itself(), self._known()
            if before:
                self._compare(before, now)
            else:
                self._stated = now
            self._begun = self._still()
            self._prepare()
        self._loaded = True

    def _compare(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """RefusedError where the server is another one than that whose observations have this name."""
        hint = f'start the earlier one, or give this one a name of its own: name = "{self.name}-2"'
        for key in (key for key in {**before, **now} if key != "probe"):
            if before.get(key) != now.get(key):
                raise RefusedError(
                    f"{self.name} ({self.link.address.written}) is not what it was: {key} is {now.get(key)!r},"
                    f" before {before.get(key)!r}",
                    hint,
                )
        then, today = ({str(what): float(p) for what, p in stated["probe"]} for stated in (before, now))
        gap = max((abs(p - today.get(what, 0.0)) for what, p in then.items()), default=0.0)
        if gap > SAME:
            raise RefusedError(
                f"{self.name} ({self.link.address.written}) has the name of the earlier model, but answers a fixed"
                f" question otherwise: a probability differs by {gap:.3f}",
                hint,
            )

    def annotate(self, items: Sequence[Item]) -> Iterator[list[Observation]]:
        """Yield observations batch by batch. ServerError where the server fails; that batch is not yielded."""
        if not items:
            return
        self.load()
        rest = iter(items)
        with self.link.open(), ThreadPoolExecutor(self.in_flight) as pool:
            while batch := [*islice(rest, _TURNS * self.in_flight)]:
                try:
                    read = [*pool.map(self._guarded, batch)]
                except BaseException:
                    self.link.end()
                    raise
                with self._well_formed():
                    now = self._still()
                if now != self._begun:
                    raise ServerError(
                        f"{self.name} ({self.link.address.written}) changed while it read: {now!r}, before"
                        f" {self._begun!r}; this batch was not stored",
                        "find out who changed it, then type the same command again",
                    )
                yield read

    def _guarded(self, item: Item) -> Observation:
        with self._well_formed():
            return self._observe(item)

    @contextmanager
    def _well_formed(self) -> Iterator[None]:
        """Within, whatever a malformed answer trips over is an error of the server's."""
        try:
            yield
        except (LookupError, TypeError, AttributeError, ValueError, OverflowError, StopIteration) as error:
            raise self.link.error(f"gave an answer that is none: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """The next annotation asks the server again what it is."""
        self._loaded = False
