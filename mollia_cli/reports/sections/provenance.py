"""What it takes to do the same again."""

from mollia_cli.domain.report import Report
from mollia_cli.reports.blocks import Block, Code, Section, Table, Words


def provenance(report: Report) -> Section:
    """Digests, versions, the prompt and every setting."""
    found = report.provenance
    settings = [[f"{name}.{key}", value] for name, pairs in found.settings for key, value in pairs]
    blocks: list[Block] = [
        Words(found.about),
        Table("Digests and keys", ["of", "digest"], [list(pair) for pair in found.digests]),
        Table("Versions", ["software", "version"], [list(pair) for pair in found.versions]),
    ]
    if found.prompt:
        blocks.append(Code("The prompt's template", found.prompt))
    return Section("provenance", "Settings and digests", [*blocks, Table("Settings", ["setting", "value"], settings)])
