"""What the labels cost."""

from mollia_cli.domain.memory import megabytes
from mollia_cli.domain.printable import count
from mollia_cli.domain.report import Cost, Missing, Report
from mollia_cli.reports.bars import bars_chart
from mollia_cli.reports.blocks import Advice, Block, Chart, Section, Table, Words
from mollia_cli.reports.words import duration


def cost(report: Report) -> Section:
    """By LLM and by round."""
    found = report.cost
    if isinstance(found, Missing):
        return Section("cost", "Cost", [Advice(found.message, found.hint)])
    blocks: list[Block] = []
    if found.llms:
        blocks += [Words(_explained(found)), _llms(found)]
    if found.rounds:
        blocks.append(rounds_chart(found))
    measured = [*(llm.memory for llm in found.llms), *(record.memory for record in found.rounds)]
    if any(memory is not None for memory in measured):
        blocks.append(Words(_MEMORY))
    return Section("cost", "Cost", blocks)


_MEMORY = (
    "Memory is the most that was resident at once, in MB of 2^20 bytes. An LLM's is what it added to the process: its"
    " weights (mapped from the file; counted as far as they were read), its cache and its batches. A training's is that"
    " of the whole process (Python, PyTorch, encoder, optimiser) without LLMs that were kept loaded. Memory of a GPU is"
    " not counted. Linux measures each piece of work by itself; elsewhere the figures are lower bounds, and some are"
    " missing."
)


def _explained(found: Cost) -> str:
    return (
        f"Seeds and the unlabelled sample, {count(found.base_items, 'item')}, were read once for all rounds"
        f" ({count(found.base_tokens, 'token')} of the panel's). An answer is stored under everything it depends on:"
        " an LLM that stands here twice was asked with different settings. Seconds are of this machine, as busy as it"
        " was."
    )


def _llms(found: Cost) -> Table:
    rows = [
        [
            llm.annotator,
            llm.key[:8],
            "yes" if llm.in_panel else "no",
            llm.items,
            llm.tokens,
            llm.seconds,
            llm.tokens / llm.seconds if llm.seconds else None,
            megabytes(llm.memory),
            llm.truncated,
        ]
        for llm in found.llms
    ]
    columns = ["LLM", "key", "in the panel", "items", "tokens", "seconds", "tokens/s", "memory (MB)", "texts cut"]
    return Table("By LLM", columns, rows)


def rounds_chart(found: Cost) -> Chart:
    """Seconds of each step, round by round."""
    fullest = sorted(found.rounds, key=lambda record: -len(record.seconds))
    steps = list(dict.fromkeys(step for record in fullest for step, _ in record.seconds))
    rows = [(f"round {r.round}", {step: dict(r.seconds).get(step, 0.0) for step in steps}) for r in found.rounds]
    table = [
        [f"round {r.round}", r.selected, r.tokens, *(dict(r.seconds).get(s) for s in steps), megabytes(r.memory)]
        for r in found.rounds
    ]
    total = sum(value for _, values in rows for value in values.values())
    title = f"Seconds of each round, {duration(total)} in all"
    described = "; ".join(f"{name} {duration(sum(values.values()))}" for name, values in rows)
    columns = [
        "round",
        "items selected",
        "tokens for them",
        *(f"{step} (s)" for step in steps),
        "memory of training (MB)",
    ]
    return bars_chart("rounds", title, f"{described}.", rows, "seconds", Table("By round", columns, table))
