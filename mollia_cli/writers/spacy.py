"""A spaCy ``DocBin``, through spaCy (an extra): what ``spacy train`` takes for a text classifier."""

from collections.abc import Iterable
from typing import BinaryIO

from mollia_cli.domain.errors import InputError
from mollia_cli.writers.base import Row, Target, fields_of

_ABOUT = ("id", "source", "who", "confidence")


def write(rows: Iterable[Row], out: BinaryIO, target: Target) -> int:
    """Write one document a row: ``cats`` has 1 for its label and 0 for all others, ``user_data`` the other columns.

    Words are cut by the rules of no language ("xx"); training cuts the text by its own. The documents are held in
    memory. Raises InputError without spaCy.
    """
    try:
        import spacy
        from spacy.tokens import DocBin
    except ImportError:
        raise InputError("writing a DocBin needs spaCy", "install it: pip install 'mollia[spacy]'") from None
    cut, documents = spacy.blank("xx").tokenizer, DocBin(store_user_data=True)
    for row in rows:
        document = cut(row["text"])
        document.cats = {name: float(name == row["label"]) for name in target.labels}
        document.user_data.update({name: row[name] for name in _ABOUT} | fields_of(row))
        documents.add(document)
    out.write(documents.to_bytes())
    return len(documents)
