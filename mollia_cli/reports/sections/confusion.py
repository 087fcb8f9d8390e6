"""What is taken for what."""

from mollia_cli.domain.printable import count
from mollia_cli.domain.report import Measurement, Report
from mollia_cli.reports.blocks import Advice, Block, Chart, Gallery, Section, Table, Words
from mollia_cli.reports.heatmap import Cell, Matrix, heatmap

_MOST_PAIRS = 12
_LARGE = 30  # labels from which on the table names confusions only


def confusion(report: Report) -> Section:
    """The matrix of the classifier on the test items, else of the verdicts on the seeds; then label by label."""
    found = {m.kind: m for m in report.measurements if isinstance(m, Measurement)}
    if not found:
        advice = "There are no true labels to compare with yet: neither test items nor annotated seeds."
        return Section("confusion", "Confusions", [Advice(advice, "mollia import labelled_test.csv --split test")])
    shown = [found[kind] for kind in ("test", "pool") if kind in found] or [found["seeds"]]
    blocks: list[Block] = [
        Words("Rows are true labels, columns the labels given. Shades are shares of the row, numbers are items."),
        Gallery([confusion_chart(report.overview.labels, m) for m in shown]),
    ]
    for m in shown:
        columns = ["label", "items", "given", "precision", "recall"]
        rows = [[p.label, p.items, p.given, p.precision, p.recall] for p in m.per_label]
        blocks.append(Table(f"Label by label: {m.who}, {m.on}", columns, rows))
    return Section("confusion", "Confusions", blocks)


def confusion_chart(labels: tuple[str, ...], found: Measurement) -> Chart:
    """Counts, each shaded by its share of the true label."""
    cells: list[list[Cell | None]] = []
    for row in found.counts:
        total = sum(row) or 1
        cells.append([Cell(str(n), n / total) if n else None for n in row])
    pairs = sorted(
        ((n, i, j) for i, row in enumerate(found.counts) for j, n in enumerate(row) if n and i != j),
        key=lambda pair: -pair[0],
    )
    listed = "; ".join(f"{labels[i]} taken for {labels[j]} {count(n, 'time')}" for n, i, j in pairs[:3])
    title = f"Confusions: {found.who}, {found.on}"
    if len(labels) < _LARGE:
        table = Table(title, ["true label", *labels], [[n, *row] for n, row in zip(labels, found.counts, strict=True)])
    else:
        named = [[labels[i], labels[j], n] for n, i, j in pairs[:_MOST_PAIRS]]
        table = Table(f"Most frequent: {title}", ["true label", "given", "items"], named)
    described = f"Most frequent: {listed}." if listed else "No label is taken for another."
    matrix = Matrix(labels, labels, cells, "true label", "label given")
    return heatmap(f"confusion-{found.kind}", title, described, matrix, table)
