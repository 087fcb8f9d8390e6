"""Verdicts to review."""

from mollia_cli.domain.printable import count
from mollia_cli.domain.report import Missing, Report
from mollia_cli.reports.blocks import Advice, Block, Cards, Section, Table, Words


def examples(report: Report) -> Section:
    """The least confident verdicts, and confident ones that are contradicted."""
    found = report.examples
    if isinstance(found, Missing):
        return Section("examples", "Verdicts to review", [Advice(found.message, found.hint)])
    blocks: list[Block] = [
        Words(
            f"From {count(found.verdicts, 'verdict')}. A verdict stands with its confidence and the next most probable"
            " label; an LLM with its most frequent answer, and that answer's share of its votes."
        )
    ]
    if found.contradictions:
        rows = [[who, n, of, n / of] for who, n, of in found.contradictions]
        blocks.append(Table("Contradictions", ["who", "contradicts", "of", "share"], rows))
    if found.least_confident:
        blocks.append(Cards("The least confident", found.least_confident))
    if found.contradicted:
        blocks.append(Cards("Contradicted, the most confident first", found.contradicted))
    return Section("examples", "Verdicts to review", blocks)
