"""Variants of an item (paraphrases, word-level changes): which item they belong to."""

_MARK = "~"


def variant_id(item_id: str, number: int) -> str:
    """The id of an item's ``number``-th variant: observations of it are stored under this id."""
    return f"{item_id}{_MARK}{number}"


def original_id(item_id: str) -> str:
    """The id of the item that this is a variant of; itself, if of none."""
    root, mark, number = item_id.rpartition(_MARK)
    return root if mark and number.isdigit() else item_id
