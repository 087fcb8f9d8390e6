"""Texts as they are shown to people."""


def printable(text: str, keep: str = "") -> str:
    """Text that cannot steer a terminal or a page: control, bidirectional and format characters become escapes."""
    return "".join(
        c if c.isprintable() or c in keep else (" " if c.isspace() else c.encode("unicode_escape").decode())
        for c in text
    )
