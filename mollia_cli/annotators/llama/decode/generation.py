"""Texts written by a local LLM: plain sampling, several continuations of one prompt at a time.

Not an annotator: what it writes is synthetic, and stored apart from items and observations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mollia_cli.annotators.llama.answers.sampling import Softmax, nucleus
from mollia_cli.annotators.llama.binding.llama import Context, Model, TokenArray, log_to
from mollia_cli.annotators.llama.binding.memory import check_cache_fits, check_fits
from mollia_cli.annotators.llama.binding.threads import available
from mollia_cli.annotators.llama.decode.encoding import Encoder
from mollia_cli.domain.prompting import Decoding, Prompt
from mollia_cli.domain.rng import stream

_BATCH = 512
_PROMPT = 1536  # tokens of the longest prompt; longer examples are cut
_AROUND = " \n\"'-\u201c\u201d"  # what models put around a text that they were asked for


@dataclass(frozen=True, slots=True)
class Writing:
    """How texts are drawn: within the top-p nucleus at a temperature, at most so many tokens each.

    ``together``: texts written from one prompt.
    """

    temperature: float = 0.8
    top_p: float = 0.95
    tokens: int = 160
    seed: int = 0
    together: int = 5


def write_texts(
    path: Path,
    prompt: Prompt,
    examples: Sequence[str],
    writing: Writing,
    *,
    names: Sequence[str] = (),
    threads: int = 0,
    extra_buffers: bool = True,
    log_path: Path | None = None,
) -> Iterator[list[str]]:
    """For each of ``examples``, which stand in the prompt, the texts that the model writes after them.

    The same seed writes the same texts on the same machine; ``names``: of the examples' random streams, where
    their places may change. A text ends at an empty line, at the end of the model's turn, or after ``writing.tokens``.
    """
    log_to(log_path)
    cells = _PROMPT + writing.together * writing.tokens
    check_fits(path, cells=cells, batch=_BATCH)
    with Model(path, extra_buffers=extra_buffers) as model:
        check_cache_fits(path, cells=cells, batch=_BATCH)
        encoder = Encoder(model, prompt, limit=min(_PROMPT, model.context_train - writing.tokens))
        context = Context(
            model, cells=cells, sequences=writing.together, batch=_BATCH, threads=threads or max(1, available() // 2)
        )
        try:
            for number, shown in enumerate(examples):
                name = names[number] if names else number
                yield _continue(model, context, encoder.all_tokens(shown), writing, name)
        finally:
            context.close()


def _continue(model: Model, context: Context, tokens: TokenArray, writing: Writing, name: str | int) -> list[str]:
    context.clear()
    index = 0
    for start in range(0, len(tokens), _BATCH):
        index = context.add(tokens[start : start + _BATCH], start, [0], want_last=start + _BATCH >= len(tokens))
        context.decode()
    for sequence in range(1, writing.together):
        context.copy_sequence(0, sequence)
    rngs = [stream(writing.seed, "write", name, sequence) for sequence in range(writing.together)]
    rows = {sequence: context.logits(index).copy() for sequence in range(writing.together)}
    written = [b""] * writing.together
    softmax, decoding = Softmax(model.n_vocab), Decoding(temperature=writing.temperature, top_p=writing.top_p)
    for position in range(len(tokens), len(tokens) + writing.tokens):
        asked = {}
        for sequence, row in rows.items():
            token = int(nucleus(row, softmax, decoding).draw(rngs[sequence].random(1))[0])
            written[sequence] += model.piece(token)
            if token not in model.end_tokens and b"\n\n" not in written[sequence].lstrip():
                asked[sequence] = context.add(token, position, [sequence], want_last=True)
        if not asked:
            break
        context.decode()
        rows = {sequence: context.logits(place).copy() for sequence, place in asked.items()}
    return [text.decode("utf-8", "ignore").strip().split("\n\n")[0].strip(_AROUND) for text in written]
