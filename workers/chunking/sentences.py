"""Where text may be cut: sentence, paragraph, line and word boundaries, and graphemes as the last resort.

Every pattern is linear in the length of the text, whatever the text is: a match starts at a rare character, and its
repetitions are bounded, possessive, or end where the next match starts.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator

from embedmill.workers.chunking.chunk import Span

SENTENCE = re.compile(
    r"""[.!?…。！？｡\n](?:"""
    r"""(?<=[.!?…])(?<!\b[A-Za-z]\.)"""
    r"""(?<!\b(?:Dr|Mr|Ms|St|Jr|Sr|vs|cf|al|pp|no|No|eq|Eq)\.)(?<!\b(?:Mrs|Fig|fig|Eqs|e\.g|i\.e)\.)"""
    r"""["'”’)\]»]{0,3}\s++(?![a-z])"""
    r"""|(?<=[。！？｡])["'”’」』）]{0,3}\s*+"""
    r"""|(?<=\n)\s*\n"""
    r""")"""
)
"""A class of characters comes first, as the search then skips the rest of the text at four times the speed."""

PARAGRAPH = re.compile(r"\n\s*\n")
LINE = re.compile(r"\n")
CELL = re.compile(r" \| ")
WORD = re.compile(r"\s+")

JOINERS = frozenset("\u200d\ufe0e\ufe0f" + "".join(map(chr, range(0x1F3FB, 0x1F400))))
"""Zero-width joiner, variation selectors and skin tones: they belong to the character before them."""


def spans(text: str, span: Span, boundary: re.Pattern[str]) -> list[Span]:
    """Non-empty pieces of `span` between the boundaries, without the white space at their ends (see `trim`)."""
    start, end = span
    cuts = (match.end() for match in boundary.finditer(text, start, end))
    safe = (cut for cut in cuts if cut < end and not unicodedata.combining(text[cut]))
    return [piece for piece in _between(text, start, end, safe) if piece[0] < piece[1]]


def _between(text: str, start: int, end: int, cuts: Iterable[int]) -> Iterator[Span]:
    for cut in cuts:
        yield trim(text, start, cut)
        start = cut
    yield trim(text, start, end)


def trim(text: str, start: int, end: int) -> Span:
    """The span without trailing white space and leading line breaks; a code line's indentation stays."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip("\n")), start + len(piece.rstrip())


def even_cut(text: str, span: Span, *, parts: int) -> list[Span]:
    """`span` in about `parts` pieces of the same length, between graphemes where there is any such place."""
    start, end = span
    step = max(1, (end - start) // parts)
    edges = [start]
    while edges[-1] + step < end:
        edges.append(_grapheme_edge(text, edges[-1] + step, span=(edges[-1], min(edges[-1] + 2 * step, end))))
    edges.append(end)
    return [(left, right) for left, right in itertools.pairwise(edges) if left < right]


def _grapheme_edge(text: str, cut: int, *, span: Span) -> int:
    before = next((i for i in range(cut, span[0], -1) if not is_joined(text, i)), None)
    if before is not None:
        return before
    return next((i for i in range(cut + 1, span[1]) if not is_joined(text, i)), cut)


def is_joined(text: str, index: int) -> bool:
    """Whether a character belongs to the one before it."""
    character = text[index]
    if character < "\u0300":
        return False
    return character in JOINERS or text[index - 1] == "\u200d" or unicodedata.category(character).startswith("M")
