"""The decoding loop: one shared prefix, many sequences, every batch full.

Each llama_decode takes the answer nodes that are due, of all texts in flight, and fills the
rest of the batch with the next texts' tokens, each followed by the nodes that it will most
likely ask for (``forecast``). A text's sequences see the shared prefix's cells and its own;
siblings in an answer tree have sequences of their own that share their parent's cells, so
nothing is decoded twice. When sequences run out, the youngest text is dropped and taken up
again later; when a batch fails, half as many texts are tried, down to one, and a text that
fails alone is reported as failed.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mollia_cli.annotators.llama.answers.completion import Path
from mollia_cli.annotators.llama.answers.forecast import Forecast
from mollia_cli.annotators.llama.answers.tree import AnswerTree, Node, failed
from mollia_cli.annotators.llama.binding.llama import Context
from mollia_cli.annotators.llama.binding.threads import ThreadChoice
from mollia_cli.annotators.llama.decode.encoding import Encoded, Encoder
from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.items import Item
from mollia_cli.domain.observations import Observation

_PREFIX = 0  # the sequence that holds the shared prefix
_PREFIX_PART = 128  # tokens: enough to measure a thread count on
_NODE_CELLS = 16  # cells kept for one text's answer nodes
_LENGTHS = 512  # tokens by which contexts grow: another one means decoding the prefix again
_IN_FLIGHT = 1.25  # batches worth of text that are in flight together; attention slows with every cell


@dataclass(slots=True)
class Tally:
    """Tokens decoded, by kind: once for all texts, texts with their suffix, and the nodes of answer trees.

    ``spare``: nodes decoded ahead that nothing asked for.
    """

    once: int = 0
    text: int = 0
    trie: int = 0
    votes: int = 0
    shown: int = 0
    spare: int = 0

    @property
    def total(self) -> int:
        """All tokens decoded."""
        return self.once + self.text + self.trie + self.votes + self.shown + self.spare


@dataclass(slots=True, eq=False)
class _Flight:
    """A text in flight.

    ``held``: cells that it has.
    ``expected``: nodes that it will probably ask for.
    ``ahead``: sequences of each node decoded before it is asked for; ``base``: all of these, free when the text ends.
    ``fed``: tokens that are in batches so far; ``due``: nodes that wait for a batch; ``read``: nodes whose children
    wait for sequences; ``asked``: every node that the tree asked for.
    """

    item: Item
    encoded: Encoded
    tree: AnswerTree
    expected: int
    base: list[int]
    ahead: dict[Path, list[int]]
    extra_slots: set[int] = field(default_factory=set)
    fed: int = 0
    held: int = 0
    due: deque[Node] = field(default_factory=deque)
    read: list[tuple[Node, list[Node]]] = field(default_factory=list)
    asked: set[Path] = field(default_factory=set)

    @property
    def prompt_end(self) -> int:
        return self.encoded.common + len(self.encoded.tokens)

    @property
    def cells(self) -> int:
        """Cells that it has or will have, as far as is known."""
        return max(len(self.encoded.tokens) + max(len(self.ahead), self.expected), self.held + len(self.due))

    @property
    def complete(self) -> bool:
        return self.fed == len(self.encoded.tokens) and not self.due and not self.read


class Engine:
    """Runs texts through a context that grows with them.

    ``make_context`` gives a context of so many cells. ``encoder`` may be set to another one between two reads: its
    shared prefix then takes the place of the one before.
    """

    def __init__(
        self,
        make_context: Callable[[int], Context],
        encoder: Encoder,
        threads: ThreadChoice,
        classes: int,
        batch: int,
    ) -> None:
        self._make_context = make_context
        self.encoder = encoder
        self._threads = threads
        self._classes = classes
        self._batch = batch
        self._flights: list[_Flight] = []
        self._rows: list[tuple[_Flight, Node, int]] = []
        self._ahead: dict[tuple[int, Path], int] = {}  # (root's sequence, path) -> place in the batch
        self._forecast = Forecast()
        self.tally = Tally()
        self.context = make_context(self._cells_for(0))
        self._most = self.context.sequences
        self._start()

    def close(self) -> None:
        """Free the context."""
        self.context.close()

    def read(self, items: Sequence[Item], plant: Callable[[Item], AnswerTree]) -> list[Observation]:
        """Observations of items as they are complete; ``plant`` gives an item's empty answer tree.

        They depend on the items and their order, and on nothing that was read before.
        """
        self._plant = plant
        self._forget(items)
        waiting, done = deque(items), []
        try:
            while waiting or self._flights:
                self._fill_with_nodes()
                self._fill_with_texts(waiting)
                if self.context.used:
                    done.extend(self._decode(waiting))
                else:
                    self._relieve(waiting)
                done.extend(self._advance())
        finally:
            for flight in list(self._flights):
                self._release(flight)
        return done

    def _forget(self, items: Sequence[Item]) -> None:
        """Make context and forecast what they would be if nothing had been read before."""
        self._forecast = Forecast()
        longest = len(self.encoder.encode(max(items, key=lambda item: (len(item.text), item.id)).text).tokens)
        steps = -(-longest // _LENGTHS) if longest + _NODE_CELLS > _IN_FLIGHT * self._batch else 0
        cells = self._cells_for(steps * _LENGTHS)
        if self.context.cells != cells or self._decoded is not self.encoder:
            self._use_context(cells)

    @property
    def _cells_left(self) -> int:
        return self.context.cells - len(self.encoder.shared) - sum(flight.held for flight in self._flights)

    def _cells_for(self, text_tokens: int) -> int:
        """Cells for the prefix and several texts of this length in flight, in steps of 256 (llama.cpp's own)."""
        beside = max(int(_IN_FLIGHT * self._batch), 2 * (text_tokens + _NODE_CELLS) + self._batch)
        return -(-(len(self.encoder.shared) + beside) // 256) * 256

    def _use_context(self, cells: int) -> None:
        self.context.close()
        self.context = self._make_context(cells)
        self._start()

    def _start(self) -> None:
        """Decode the shared prefix, in parts on which the thread counts are measured."""
        context, shared = self.context, self.encoder.shared
        self._decoded = self.encoder
        context.clear()
        self._free = list(range(context.sequences - 1, _PREFIX, -1))
        size = min(_PREFIX_PART, context.capacity)
        for begin in range(0, len(shared), size):
            chunk = shared[begin : begin + size]
            context.add(chunk, begin, [_PREFIX], want_last=False)
            with self._threads.timed(context, len(chunk)):
                context.decode()
        self.tally.once += len(shared)

    def _fill_with_nodes(self) -> None:
        left = self._cells_left
        for flight in self._flights:
            while flight.due and min(self.context.room, left) > 0:
                node = flight.due.popleft()
                position = flight.prompt_end + len(node.path) - 1
                index = self.context.add(node.token, position, [node.slot], want_last=True)
                self._rows.append((flight, node, index))
                taken = 1 + self._follow(flight, node, left - 1)
                flight.held += taken
                left -= taken

    def _follow(self, flight: _Flight, node: Node, most: int) -> int:
        """Decode with a node the chain of at most so many that will most likely be asked for after it; its length."""
        chain = self._forecast.chain(node.path)[: min(self.context.room, most)]
        if chain and node.slot in flight.extra_slots:  # the chain goes on in the node's sequence, to the text's end
            flight.extra_slots.remove(node.slot)
            flight.base.append(node.slot)
        for path in chain:
            flight.ahead[path] = [node.slot]
            position = flight.prompt_end + len(path) - 1
            self._ahead[flight.base[0], path] = self.context.add(path[-1], position, [node.slot], want_last=True)
        return len(chain)

    def _fill_with_texts(self, waiting: deque[Item]) -> None:
        for flight in self._flights:
            self._feed(flight)
        if any(flight.read for flight in self._flights):
            return  # these wait for sequences: a new text would take them
        while waiting and self.context.room and self._free and len(self._flights) < self._most:
            boarded = self._board(waiting[0])
            if boarded is None:
                return
            waiting.popleft()
            self._feed(boarded)

    def _board(self, item: Item) -> _Flight | None:
        """Take up a text if it fits beside those in flight; alone, the context grows for it."""
        encoded = self.encoder.encode(item.text)
        plan = self._forecast.plan()
        size = len(encoded.tokens) + len(plan)
        if self.context.room < size <= self.context.capacity:
            return None  # it fits into the next batch as a whole
        taken = len(self.encoder.shared) + sum(other.cells for other in self._flights)
        expected = self._forecast.nodes
        if taken + len(encoded.tokens) + max(len(plan), expected) > self.context.cells:
            if self._flights:
                return None
            self._use_context(self._cells_for(size))
        base, ahead = self._assign(plan)
        flight = _Flight(item, encoded, self._plant(item), expected, base, ahead)
        flight.tree.root.slot = base[0]
        for slot in base:
            self.context.copy_sequence(_PREFIX, slot, encoded.common)
        self._flights.append(flight)
        return flight

    def _assign(self, plan: list[Path]) -> tuple[list[int], dict[Path, list[int]]]:
        """Sequences for a text and the nodes ahead of it: a node is in the sequences of all its descendants.

        A first child goes on in its parent's sequence, every other one needs a sequence of its own.
        """
        own: dict[Path, int] = {(): self._free.pop()}
        open_ended: set[Path] = {()}
        for path in plan:
            parent = path[:-1]
            if parent in open_ended:
                open_ended.remove(parent)
                own[path] = own[parent]
            elif len(self._free) > self.context.sequences // 2:  # the other half is for nodes that nobody foresaw
                own[path] = self._free.pop()
            else:
                break
            open_ended.add(path)
        ahead = {
            path: sorted({slot for other, slot in own.items() if other[: len(path)] == path}) for path in own if path
        }
        base = list(dict.fromkeys(own.values()))
        return base, ahead

    def _feed(self, flight: _Flight) -> None:
        """Put as many of a text's tokens into the batch as fit, and after the last one the nodes ahead."""
        tokens = flight.encoded.tokens
        end = min(flight.fed + self.context.room, len(tokens))
        if end == flight.fed:
            return
        root, last = flight.tree.root, end == len(tokens)
        start = flight.encoded.common + flight.fed
        index = self.context.add(tokens[flight.fed : end], start, flight.base, want_last=last)
        flight.held += end - flight.fed
        flight.fed = end
        if not last:
            return
        self._rows.append((flight, root, index))
        if self.context.room < len(flight.ahead):
            flight.ahead = {}
        flight.held += len(flight.ahead)
        for path, slots in flight.ahead.items():
            position = flight.prompt_end + len(path) - 1
            self._ahead[root.slot, path] = self.context.add(path[-1], position, slots, want_last=True)

    def _decode(self, waiting: deque[Item]) -> list[Observation]:
        """Run the batch and hand every wanted row to its tree."""
        rows, self._rows = self._rows, []
        try:
            with self._threads.timed(self.context, self.context.used):
                self.context.decode()
            for flight, node, index in rows:
                self._read(flight, node, index)
        except MolliaError as error:
            return self._recover(error, waiting)
        finally:
            self._ahead.clear()
        return []

    def _read(self, flight: _Flight, node: Node, index: int) -> None:
        """Read a node, and those of its children that were decoded ahead."""
        late = []
        for child in flight.tree.absorb(node, self.context.logits(index)):
            flight.asked.add(child.path)
            place = self._ahead.get((flight.base[0], child.path))
            if place is None:
                late.append(child)
            else:
                child.slot = flight.ahead[child.path][0]
                self._read(flight, child, place)
        flight.read.append((node, late))

    def _recover(self, error: MolliaError, waiting: deque[Item]) -> list[Observation]:
        """After a failed batch start afresh with half as many texts; a single one is the culprit."""
        flights, self._flights = self._flights, []
        self._start()
        if len(flights) > 1:
            waiting.extendleft(flight.item for flight in reversed(flights))
            self._most = len(flights) // 2
            return []
        self._most = self.context.sequences
        return [failed(culprit.item.id, self._classes, error.message) for culprit in flights]

    def _advance(self) -> list[Observation]:
        """Give the children of read nodes their sequences; collect the texts that have no more."""
        done = []
        for flight in self._flights.copy():
            flight.read.sort(key=lambda pair: len(pair[1]))  # childless nodes give their sequences back first
            flight.read = [pair for pair in flight.read if not self._expand(flight, *pair)]
            if flight.complete:
                done.append(self._finish(flight))
        return done

    def _expand(self, flight: _Flight, node: Node, children: list[Node]) -> bool:
        """Give children sequences that share their parent's cells, while there are any; True when none is left.

        The last child goes on in its parent's sequence, if that is no other node's.
        """
        own = node.slot in flight.extra_slots
        if own and not children:
            flight.extra_slots.remove(node.slot)
            self._give(node.slot)
        while children:
            if own and len(children) == 1:
                slot = node.slot
            elif self._free:
                slot = self._free.pop()
                flight.extra_slots.add(slot)
                self.context.copy_sequence(node.slot, slot, flight.prompt_end + len(node.path))
            else:
                return False
            child = children.pop(0)
            child.slot = slot
            flight.due.append(child)
        return True

    def _relieve(self, waiting: deque[Item]) -> None:
        """Every text waits for a sequence or a cell and none is free: drop the youngest, or prune the only one."""
        flight = self._flights[-1]
        if len(self._flights) > 1:
            self._release(flight)
            waiting.appendleft(flight.item)
            return
        if flight.due:
            flight.tree.abandon(flight.due.pop())
            return
        node, children = flight.read[0]
        kept = 1 if node.slot in flight.extra_slots else 0
        while len(children) > kept:
            flight.tree.abandon(children.pop())

    def _finish(self, flight: _Flight) -> Observation:
        self._release(flight)
        count, tally = flight.tree.count, self.tally
        spare = len(flight.ahead.keys() - flight.asked)
        tally.text += len(flight.encoded.tokens)
        tally.trie += count.trie
        tally.votes += count.votes
        tally.shown += count.shown
        tally.spare += spare
        self._forecast.learn(flight.asked)
        return flight.tree.observation(
            flight.item.id,
            prompt_tokens=len(flight.encoded.tokens) + spare,
            truncated=flight.encoded.truncated,
        )

    def _release(self, flight: _Flight) -> None:
        """Free a text's sequences and forget it."""
        self._flights.remove(flight)
        for slot in (*flight.base, *flight.extra_slots):
            self._give(slot)

    def _give(self, slot: int) -> None:
        self.context.drop_sequence(slot)
        self._free.append(slot)
