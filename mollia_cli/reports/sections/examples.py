"""Verdicts to look at."""

from mollia_cli.domain.report import Missing, Report
from mollia_cli.reports.blocks import Advice, Block, Cards, Section, Table, Words


def examples(report: Report) -> Section:
    """Doubtful verdicts, and sure ones that someone contradicts."""
    found = report.examples
    if isinstance(found, Missing):
        return Section("examples", "Verdicts to look at", [Advice(found.message, found.hint)])
    blocks: list[Block] = [
        Words(
            f"From {found.verdicts:,} verdicts. A verdict stands with its confidence and the next most probable label;"
            " an LLM with its most frequent answer, and the share of its answers that say so."
        )
    ]
    if found.contradictions:
        rows = [[who, n, of, n / of] for who, n, of in found.contradictions]
        blocks.append(Table("Who says otherwise", ["who", "contradicts", "of", "share"], rows))
    if found.doubtful:
        blocks.append(Cards("The least sure", found.doubtful))
    if found.contradicted:
        blocks.append(Cards("Contradicted, the surest first", found.contradicted))
    return Section("examples", "Verdicts to look at", blocks)
