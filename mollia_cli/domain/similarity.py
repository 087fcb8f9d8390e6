"""Near-duplicates: Jaccard similarity of word trigrams (Broder 1997)."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

SIMILAR = 0.5
_WORD = re.compile(r"\w+")


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
