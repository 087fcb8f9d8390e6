"""Writers: rows out, one file per format."""

from mollia_cli.domain.registry import Entry, Registry
from mollia_cli.writers.base import Row, Target, Writer

WRITERS = Registry(
    "output format",
    __name__,
    {
        "csv": Entry("write", "comma-separated, with a header; cells that a spreadsheet would run are defused"),
        "jsonl": Entry("write", "one JSON object a line"),
        "parquet": Entry("write", "Apache Parquet (needs the parquet extra)"),
        "argilla": Entry("write", "Argilla 2 records, labels as suggestions: one JSON array"),
        "prodigy": Entry("write", "Prodigy tasks for its choice interface: one JSON object a line"),
        "label_studio": Entry("write", "Label Studio tasks, verdicts as predictions: one JSON array"),
        "spacy": Entry("write", "a spaCy DocBin with the labels as cats (needs the spacy extra)"),
    },
)
BINARY = frozenset({"parquet", "spacy"})

__all__ = ["BINARY", "WRITERS", "Row", "Target", "Writer"]
