"""Values that only a word before them gave away, where they stand again without it: in a title, a cell, a name."""

from collections.abc import Iterator, Sequence

from embedmill.shared.redaction.anchors import Literals
from embedmill.shared.redaction.edges import closes_at, opens_at
from embedmill.shared.redaction.finding import Certainty, Finding

FEW = 4
"""So many values are counted one by one, which costs less than looking for them together."""


def find_repeats(found: Sequence[Finding], text: str) -> list[Finding]:
    """Of the values among what was found, each further place where it stands as a whole."""
    types = {text[f.start : f.end]: f.type for f in found if f.certainty is Certainty.HINTED}
    if len(types) <= FEW:
        types = {value: type_ for value, type_ in types.items() if text.count(value) > 1}
    if not types:
        return []
    known = {(f.start, f.end) for f in found}
    return [each for each in _find(types, text) if (each.start, each.end) not in known]


def _find(types: dict[str, str], text: str) -> Iterator[Finding]:
    places = Literals(types).find(text)
    for value, type_ in types.items():
        for start in places.at(value):
            if opens_at(text, start) and closes_at(text, start + len(value)):
                yield Finding(type_, start, start + len(value), Certainty.HINTED)
