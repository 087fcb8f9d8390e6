"""Near-duplicates: the same text but for its form, or a Jaccard similarity of word trigrams (Broder 1997)."""

import html
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache

from mollia_cli.domain.digest import digest_text

SIMILAR = 0.5
_WORD = re.compile(r"\w+")
_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_FOLDED = 16  # digits: 64 bits, a chance of 3 in 10,000,000 that two of 10^6 texts share them


def fold(text: str) -> str:
    """16 hexadecimal digits that texts share which differ in markup, punctuation, case and white space alone.

    Punctuation counts as white space, so 1.5 is not 15; symbols (+, <, $, emoji) are kept. A text of nothing else has
    its own digest. Accents that are written in two ways are not made one: Unicode's normalisation takes a minute for
    a hostile text of 200,000 of them.
    """
    plain = html.unescape(text) if "&" in text else text
    if "<" in plain:
        plain = _TAG.sub(" ", plain)
    plain = plain.translate(_punctuation()).casefold()
    return digest_text(" ".join(plain.split()) or text)[:_FOLDED]


@cache
def _punctuation() -> dict[int, str]:
    """Every mark of punctuation (Unicode's categories P, of the first 65,536 characters), as a space."""
    return {code: " " for code in range(0x10000) if unicodedata.category(chr(code))[0] == "P"}


def grams(text: str, n: int = 3) -> frozenset[tuple[str, ...]]:
    """The runs of n words of a text, case and punctuation aside; a shorter text is one run."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return frozenset(tuple(words[i : i + n]) for i in range(max(1, len(words) - n + 1)))


def similar_to_any(candidates: Sequence[str], texts: Iterable[str], threshold: float = SIMILAR) -> set[int]:
    """Which candidates (by place) have a Jaccard similarity of ``threshold`` or more with any of the texts.

    One pass over the texts, which may be many.
    """
    own = [grams(candidate) for candidate in candidates]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, runs in enumerate(own):
        for run in runs:
            holders[run].append(place)
    found: set[int] = set()
    for text in texts:
        theirs = grams(text)
        shared = Counter(place for run in theirs for place in holders.get(run, ()))
        found |= {p for p, count in shared.items() if count >= threshold * (len(own[p]) + len(theirs) - count)}
    return found
