"""Values that only a word before them gave away, where they stand again without it: in a title, a cell, a name."""

from collections.abc import Iterator, Sequence

import re2

from embedmill.shared.privacy.redaction.finding import Certainty, Finding
from embedmill.shared.privacy.redaction.numbers import closes_at, opens_at

FEW = 4
"""So many values are counted one by one, which costs less than a pattern of them."""
AT_ONCE = 200
"""Values of one pattern; one of thousands is not looked for in linear time."""


def find_repeats(found: Sequence[Finding], text: str) -> list[Finding]:
    """Of the values among what was found, each place where it stands as a whole."""
    types = {text[f.start : f.end]: f.type for f in found if f.certainty is Certainty.HINTED}
    if len(types) <= FEW:
        types = {value: type_ for value, type_ in types.items() if text.count(value) > 1}
    return list(_find(types, text)) if types else []


def _find(types: dict[str, str], text: str) -> Iterator[Finding]:
    longest_first = sorted(types, key=len, reverse=True)
    for first in range(0, len(longest_first), AT_ONCE):
        values = longest_first[first : first + AT_ONCE]
        for match in re2.finditer("|".join(map(re2.escape, values)), text):
            start, end = match.span()
            if opens_at(text, start) and closes_at(text, end):
                yield Finding(types[match[0]], start, end, Certainty.HINTED)
