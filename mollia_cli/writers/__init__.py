"""Writers: rows out, one file per format."""

from mollia_cli.domain.registry import Entry, Registry

WRITERS = Registry(
    "output format",
    __name__,
    {
        "csv": Entry("write", "comma-separated, with a header; cells that a spreadsheet would run are defused"),
        "jsonl": Entry("write", "one JSON object a line"),
    },
)
