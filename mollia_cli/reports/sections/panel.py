"""Panel quality: each LLM, what it adds, and how they agree."""

from typing import Any

from mollia_cli.domain.printable import count
from mollia_cli.domain.report import LLM, Measurement, Missing, PanelQuality, Report
from mollia_cli.reports.blocks import Advice, Block, Chart, Section, Table, Words
from mollia_cli.reports.dots import Dot, DotRow, dots_chart
from mollia_cli.reports.heatmap import Cell, Matrix, heatmap
from mollia_cli.reports.people import agreement_lines
from mollia_cli.reports.words import AGREEMENT_EXPLAINED, ends, interval, share

ANSWERS = {
    "annotator": "LLM",
    "coverage": "answered",
    "invalid": "invalid",
    "mass": "mass",
    "observed": "items read",
    "tokens": "tokens",
    "seconds": "seconds",
    "memory_mb": "memory (MB)",
}


def panel(report: Report) -> Section:
    """Accuracy with intervals, cost, and agreement."""
    found = report.panel
    if isinstance(found, Missing):
        return Section("panel", "The panel", [Advice(found.message, found.hint)])
    known = [llm for llm in found.llms if llm.accuracy is not None]
    blocks: list[Block] = [Words(_explained(found, known))]
    if known:
        blocks += [_accuracy(report, known), _quality(report, found, known)]
    rows = [[getattr(llm, name) for name in ANSWERS] for llm in found.llms]
    blocks.append(Table("What each LLM answers, and its cost", list(ANSWERS.values()), rows))
    if len(found.llms) > 1:
        blocks += [Words(_agreement(found)), kappa_chart(found)]
    blocks += [Words(f"{line}.") for line in agreement_lines(report.overview.people.agreement)]
    return Section("panel", "The panel", blocks)


def _explained(found: PanelQuality, known: list[LLM]) -> str:
    if not known:
        return "No seed with a true label was read yet, so that the accuracy of the LLMs is not known."
    return (
        f"Measured on {found.on}, where one item is {1 / known[0].items:.3f}. “adds” is what"
        f" {found.aggregator}, cross-fitted, loses in accuracy without the member, with the 95% interval of that: where"
        " it holds 0, nothing is known to be gained or lost; an encoder answers nothing by itself. “mass” is the"
        " probability that the LLM gives to the labels at all; “answered” the share of items with any valid answer,"
        " “invalid” the share of answers that are no label. Tokens and seconds are of everything that was read, memory"
        " is what the LLM added to the process at most (see Cost)."
    )


def _quality(report: Report, found: PanelQuality, known: list[LLM]) -> Table:
    rows: list[list[Any]] = [
        [m.annotator, m.accuracy, interval(m.lower, m.upper), m.value, interval(m.value_lower, m.value_upper), m.ece]
        for m in known
    ]
    for one in found.encoders:
        rows.append([one.encoder, None, "", one.value, interval(one.value_lower, one.value_upper), None])
    seeds = _on_seeds(report)
    if seeds is not None:
        rows.append([f"{seeds.who} (all)", seeds.accuracy, interval(seeds.lower, seeds.upper), None, "", seeds.ece])
    columns = ["member", "accuracy", "95% interval", "adds", "95% interval of that", "ECE"]
    return Table("Each member of the panel on the seeds, and all together", columns, rows)


def _on_seeds(report: Report) -> Measurement | None:
    return next((m for m in report.measurements if isinstance(m, Measurement) and m.kind == "seeds"), None)


def _accuracy(report: Report, known: list[LLM]) -> Chart:
    table: list[tuple[str, float, float | None, float | None]] = [
        (llm.annotator, llm.accuracy or 0.0, llm.lower, llm.upper) for llm in known
    ]
    rows = [DotRow(name, [Dot(0, accuracy, ends(lower, upper))]) for name, accuracy, lower, upper in table]
    seeds = _on_seeds(report)
    if seeds is not None:
        rows.append(DotRow(f"{seeds.who} (all)", [Dot(1, seeds.accuracy, ends(seeds.lower, seeds.upper))]))
        table.append((f"{seeds.who} (all of them)", seeds.accuracy, seeds.lower, seeds.upper))
    title = f"Accuracy on {count(known[0].items, 'seed')}, with 95% intervals"
    listed = "; ".join(f"{row[0]} {share(row[1])}" for row in table)
    columns = ["who", "accuracy", "95% from", "95% to"]
    return dots_chart("accuracy", title, f"{listed}.", rows, "accuracy", ["accuracy"], Table(title, columns, table))


def _agreement(found: PanelQuality) -> str:
    alpha = found.agreement.krippendorff_alpha
    return (
        f"Agreement beyond chance on {count(found.agreement.items, 'item')}: Krippendorff's alpha of all is"
        f" {'undefined' if alpha is None else share(alpha)}. {AGREEMENT_EXPLAINED} Agreement"
        " is no merit in itself: LLMs that err alike agree."
    )


def kappa_chart(found: PanelQuality) -> Chart:
    """Cohen's kappa of every pair."""
    names = [llm.annotator for llm in found.llms]
    kappa = found.agreement.cohen_kappa
    cells = [
        [None if k is None or i == j else Cell(f"{round(k, 2) + 0.0:.2f}", k) for j, k in enumerate(row)]
        for i, row in enumerate(kappa)
    ]
    numbers = [str(i + 1) for i in range(len(names))]
    matrix = Matrix([f"{i}  {name}" for name, i in zip(names, numbers, strict=True)], numbers, cells)
    title = "Cohen's kappa of each pair of LLMs"
    pairs = [f"{names[i]} and {names[j]} {share(kappa[i][j])}" for i in range(len(names)) for j in range(i)]
    table = Table(title, ["LLM", *names], [[name, *row] for name, row in zip(names, kappa, strict=True)])
    return heatmap("kappa", title, f"{'; '.join(pairs[:40])}.", matrix, table)
