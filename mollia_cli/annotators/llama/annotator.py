"""A local LLM as an annotator: exact label log-probabilities and votes for every text."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, Self

from mollia_cli.annotators.base import Annotator, PanelContext
from mollia_cli.annotators.llama.answers.completion import COMPLETION_RULE
from mollia_cli.annotators.llama.answers.sampling import SAMPLING_RULE
from mollia_cli.annotators.llama.answers.trie import TRIE_RULE
from mollia_cli.annotators.llama.binding.llama import Context, Model, log_to
from mollia_cli.annotators.llama.binding.memory import check_cache_fits, check_fits
from mollia_cli.annotators.llama.binding.threads import ThreadChoice
from mollia_cli.annotators.llama.decode.encoding import CUT_RULES, HEAD_TAIL, Encoder
from mollia_cli.annotators.llama.decode.engine import Engine, Tally
from mollia_cli.annotators.llama.decode.reader import FLOOR, Reader
from mollia_cli.annotators.llama.guard.build import Kernels, engine_build
from mollia_cli.domain.errors import MolliaError
from mollia_cli.domain.items import Item
from mollia_cli.domain.labels import LabelSet
from mollia_cli.domain.observations import Observation, joined
from mollia_cli.domain.prompting import Decoding, Prompt

BATCH = 512  # tokens of one llama_decode
# Characters that are read together, and the largest file for which it is so many. A stop loses them, so of a slow
# model they are fewer; but the last decodes of a batch are not full (benchmarks/README.md: .81 and .92 of the ceiling).
_TOGETHER, _QUICK_FILE, _TOGETHER_IF_SLOW = 16384, 1 << 30, 4096
SEQUENCES = 256  # llama.cpp's own maximum
AUTO_CONTEXT = 4096  # where no --context is given, prompts longer than this are cut
AUTO_CELLS = 2048  # of the cache at the start; it grows for longer texts


@dataclass(frozen=True, slots=True)
class Stats:
    """What a run cost. ``tally`` holds the tokens decoded by kind; ``seconds`` is the time inside annotate."""

    texts: int
    truncated: int
    failed: int
    seconds: float
    load_seconds: float
    threads: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class LlamaOptions:
    """file: catalogue name or path of the GGUF file, where the member is called otherwise."""

    file: str = ""


class GgufAnnotator(Annotator):
    """One GGUF model with one prompt (of one or two halves), label set and decoding.

    ``context``: tokens that a prompt may have (0: the model's own limit, at most AUTO_CONTEXT).
    ``long``: what is read of a text for which they are too few, one of CUT_RULES.
    ``show_invalid``: per text, so many generations that are no label are decoded to their end.
    ``kernels`` says what computes the file here. It is called before the file is opened, and may raise.
    ``mixed``: machines that round otherwise, by their build or processor, are one and the same annotator.
    Raises NotFoundError or RefusedError, from the first call that needs the model, if it cannot be used.
    """

    Options: ClassVar[type] = LlamaOptions

    def __init__(
        self,
        name: str,
        path: Path,
        labels: LabelSet,
        prompt: Prompt,
        decoding: Decoding,
        *,
        model_digest: str,
        threads: int = 0,
        context: int = 0,
        long: str = HEAD_TAIL,
        log_path: Path | None = None,
        gpu_layers: int = -1,
        show_invalid: int = 0,
        kernels: Callable[[], Kernels] = Kernels,
        mixed: bool = False,
    ) -> None:
        self.name = name
        self._path = path
        self._labels = labels
        self._prompt = prompt
        self._decoding = decoding
        self._digest = model_digest
        self._threads = ThreadChoice(threads)
        self._context = context
        self._long = long
        self._log_path = log_path
        self._gpu_layers = gpu_layers
        self._show_invalid = show_invalid
        self._choose_kernels = kernels
        self._mixed = mixed
        self._kernels: Kernels | None = None
        self._model: Model | None = None
        self._engine: Engine | None = None
        self._readers: dict[int, Reader] = {}  # by half of the prompt
        self._tally = Tally()
        self._texts = self._truncated = self._failed = 0
        self._seconds = self._load_seconds = 0.0

    @classmethod
    def from_spec(cls, name: str, options: LlamaOptions, context: PanelContext) -> Sequence[Self]:
        """The LLM in the options' file, else the file that ``name`` is the catalogue name or the path of."""
        file = context.find_llm(options.file or name)
        return [
            cls(
                name if options.file else file.name,
                file.path,
                context.labels,
                context.prompt(),
                context.decoding,
                model_digest=file.sha256,
                threads=context.threads,
                context=context.tokens,
                long=context.long,
                log_path=context.log_path,
                show_invalid=context.show_invalid,
                kernels=file.kernels,
                mixed=context.mixed,
            )
        ]

    @property
    def size(self) -> int:
        """Bytes of the model file."""
        return self._path.stat().st_size

    @property
    def _together(self) -> int:
        slow = self._path.exists() and self._path.stat().st_size > _QUICK_FILE
        return _TOGETHER_IF_SLOW if slow else _TOGETHER

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that an observation depends on; known without loading the model here.

        A file that cannot be used at all has the identity of one that can: loading it raises.
        """
        return {
            "annotator": "gguf",
            "model": self._digest,
            **({"mixed": True} if self._mixed else self._machine()),
            "prompt": self._prompt.digest,
            "labels": self._labels.digest,
            "decoding": asdict(self._decoding),
            "batch": BATCH,
            "together": self._together,
            "cache": "unified, flash attention, f16",
            "context": self._context or AUTO_CONTEXT,
            "cut": CUT_RULES[self._long],
            "trie": TRIE_RULE,
            "floor": FLOOR,
            "completion": COMPLETION_RULE,
            "sampling": SAMPLING_RULE,
        }

    def _machine(self) -> Mapping[str, Any]:
        """The part of the identity that depends on where it is read."""
        kernels = Kernels()
        with suppress(MolliaError):
            kernels = self._settle()
        return {
            "engine": engine_build(),
            "system": kernels.system,
            "extra_buffers": kernels.extra_buffers,
            "gpu_layers": self._gpu_layers,
        }

    def recipe(self) -> Mapping[str, Any]:
        """The model by its digest, and where it is here; everything else as it is."""
        return {
            "kind": "llama",
            "name": self.name,
            "model": self._digest,
            "path": str(self._path),
            "labels": asdict(self._labels),
            "prompt": asdict(self._prompt),
            "decoding": asdict(self._decoding),
            "tokens": self._context,
            "long": self._long,
            "show_invalid": self._show_invalid,
            "mixed": self._mixed,
        }

    @property
    def stats(self) -> Stats:
        """What was done since the model was loaded."""
        return Stats(
            self._texts,
            self._truncated,
            self._failed,
            self._seconds,
            self._load_seconds,
            self._threads.current,
            self._tally,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model and its cache."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
            self._readers = {}
        if self._model is not None:
            self._model.close()
            self._model = None

    def load(self) -> Model:
        """The model, loaded now if it is not yet."""
        if self._model is None:
            self._load()  # which learns, too, how answers are read
        assert self._model is not None
        return self._model

    def annotate(self, items: Sequence[Item]) -> Iterator[list[Observation]]:
        """Yield observations batch by batch, each item exactly once: of each half of the prompt, short texts first.

        What shares a batch of tokens with a text changes its numbers by rounding. So no batch of texts knows of
        another: whoever stops after one and goes on later gets the numbers that there would have been without the stop.
        """
        if not items:
            return
        engine = self._engine or self._load()
        ready = self._encoders.index(engine.encoder)  # the half whose prefix is decoded comes first
        for texts in sorted(self.batches(items), key=lambda texts: self.half_of(texts[0]) != ready):
            half = self.half_of(texts[0])
            engine.encoder = self._encoders[half]
            reader = self._readers.get(half) or self._learn(engine, half)
            begin = perf_counter()
            batch = self._whole(texts, engine.read(self._parts(half, texts), reader.plant))
            self._texts += len(batch)
            self._truncated += sum(observation.truncated for observation in batch)
            self._failed += sum(observation.tokens == 0 for observation in batch)
            self._seconds += perf_counter() - begin
            yield batch

    def batches(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        """Of each half of the prompt, short texts first, as many as are read together.

        Less any whole batches, the items give the same batches again.
        """

        def order(item: Item) -> tuple[int, int, str]:
            return self.half_of(item), len(item.text), item.id

        for _, together in groupby(sorted(items, key=order), self.half_of):
            yield from _batches(together, self._together)

    def half_of(self, item: Item) -> int:
        """Which half of the prompt an item is read with; see ``Prompt.half_of``."""
        return self._prompt.half_of(item, self._decoding.seed)

    def longer(self, items: Sequence[Item]) -> int:
        """How many items do not fit into the context with the prompt. Loads the vocabulary, if not the model."""
        if not items:
            return 0
        if self._engine is not None:
            return self._count_longer(items, self._encoders)
        with self._vocabulary() as model:
            return self._count_longer(items, self._make_encoders(model))

    def _count_longer(self, items: Sequence[Item], encoders: Sequence[Encoder]) -> int:
        return sum(not encoders[self.half_of(item)].fits(item.text) for item in items)

    def _parts(self, half: int, texts: Sequence[Item]) -> list[Item]:
        """What the engine reads: the texts, or the parts of those that are split; the first part has the item's id."""
        parts = [(item, self._encoders[half].parts(item.text)) for item in texts]
        return [
            replace(item, id=_part_id(item.id, n), text=text)
            for item, several in parts
            for n, text in enumerate(several)
        ]

    def _whole(self, texts: Sequence[Item], read: Sequence[Observation]) -> list[Observation]:
        """The observations of the texts, of those that were split joined from their parts'."""
        found = {seen.item_id: seen for seen in read}
        whole = []
        for item in texts:
            parts = [found[item.id]]
            while (part := found.get(_part_id(item.id, len(parts)))) is not None:
                parts.append(part)
            whole.append(joined(parts))
        return whole

    def preview(self, item: Item) -> str:
        """Exactly what the model sees for an item, control tokens shown. Loads the vocabulary only."""
        with self._vocabulary() as model:
            return model.detokenize(self._make_encoders(model)[self.half_of(item)].all_tokens(item.text))

    def _vocabulary(self) -> Model:
        """The model without its weights."""
        log_to(self._log_path)
        self._settle()
        return Model(self._path, vocab_only=True)

    def _make_encoders(self, model: Model) -> list[Encoder]:
        """One for each half of the prompt."""
        limit = self._limit(model)
        return [Encoder(model, half, limit=limit, long=self._long) for half in self._prompt.halves]

    def _settle(self) -> Kernels:
        """What computes the file; from the first answer on always the same, as the identity is."""
        if self._kernels is None:
            self._kernels = self._choose_kernels()
        return self._kernels

    def _limit(self, model: Model) -> int:
        """Tokens that a prompt may have, with room for the longest answer."""
        most = min(self._context or AUTO_CONTEXT, model.context_train or AUTO_CONTEXT)
        return most - max(len(name.encode()) for name in self._labels.names) - 32

    def _load(self) -> Engine:
        log_to(self._log_path)
        begin = perf_counter()
        check_fits(self._path, cells=AUTO_CELLS, batch=BATCH)
        extra_buffers = self._settle().extra_buffers
        model = self._model = Model(self._path, gpu_layers=self._gpu_layers, extra_buffers=extra_buffers)
        try:
            engine = self._engine = self._make_engine(model)
            self._load_seconds += perf_counter() - begin
            self._learn(engine, 0)
        except BaseException:
            self.close()
            raise
        self._tally = engine.tally
        return engine

    def _learn(self, engine: Engine, half: int) -> Reader:
        """How answers to one half of the prompt are read; the engine has its encoder."""
        begin = perf_counter()
        reader = Reader(
            self.load(), self._labels, self._decoding, model_digest=self._digest, show_invalid=self._show_invalid
        )
        kept, engine.tally = engine.tally, Tally()
        try:
            reader.learn(engine.read)
        finally:
            kept.once += engine.tally.total
            engine.tally = kept
        self._readers[half] = reader
        self._load_seconds += perf_counter() - begin
        return reader

    def _make_engine(self, model: Model) -> Engine:
        self._encoders = self._make_encoders(model)

        def make_context(cells: int) -> Context:
            check_cache_fits(self._path, cells=cells, batch=BATCH)
            return Context(model, cells=cells, sequences=SEQUENCES, batch=BATCH, threads=self._threads.current)

        return Engine(make_context, self._encoders[0], self._threads, classes=len(self._labels), batch=BATCH)


def _part_id(item_id: str, part: int) -> str:
    """What a part of an item is called while it is read; no item's id has a null character."""
    return f"{item_id}\0{part}" if part else item_id


def _batches(items: Iterable[Item], characters: int) -> Iterator[list[Item]]:
    """Items in their order, so many characters together."""
    batch: list[Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item.text)
        if size >= characters:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
