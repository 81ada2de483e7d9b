r"""Owns RTF's lists: what its tables say of their levels, for items whose number stands nowhere in the text."""

from collections.abc import Iterator

from embedmill.workers.parsing.rtf.tokens import RtfToken, RtfTokenKind, RtfTokens
from embedmill.workers.parsing.word_lists import CountedList, ListCounts, ListLevel

_STYLES = {
    0: "decimal", 1: "ROMAN", 2: "roman", 3: "REPEATED-LETTERS", 4: "repeated-letters", 5: "ordinal",
    22: "decimal-zero", 23: "bullet", 255: "none",
}  # fmt: skip
_DEEPEST = 9
_LISTS = 1000
"""Most lists that are read."""
_KNOWN = frozenset("list listlevel levelnfc levelnfcn levelstartat leveltext listid ls listoverride".split())


class RtfLists:
    r"""Lists by the number that `\\ls` has for them."""

    def __init__(self) -> None:
        self._by_id: dict[int, dict[int, ListLevel]] = {}
        self._numbers: dict[int, int] = {}
        self._counts = ListCounts()

    def define(self, table: bytes) -> None:
        r"""What stands in a `\\listtable`."""
        levels: dict[int, ListLevel] = {}
        style = start = 0
        for token in _words(table):
            match token.word:
                case "list":
                    levels = {}
                case "levelnfc" | "levelnfcn":
                    style = token.number or 0
                case "levelstartat":
                    start = token.number or 0
                case "leveltext" if len(levels) < _DEEPEST:
                    levels[len(levels)] = ListLevel(_STYLES.get(style, "decimal"), _template(token.data), start)
                case "listid" if len(self._by_id) < _LISTS:
                    self._by_id[token.number or 0] = levels

    def assign(self, table: bytes) -> None:
        r"""What stands in a `\\listoverridetable`."""
        id = 0
        for token in _words(table):
            match token.word:
                case "listid":
                    id = token.number or 0
                case "ls" if len(self._numbers) < _LISTS:
                    self._numbers[token.number or 0] = id

    def next(self, number: int, depth: int) -> str:
        """The marker of the next item, which is counted; none where the list is not known."""
        id = self._numbers.get(number, 0)
        levels = self._by_id.get(id)
        return (self._counts.next(str(number), CountedList(str(id), levels), depth) or "") if levels else ""


def _words(table: bytes) -> Iterator[RtfToken]:
    """The words that count; a `leveltext` has the bytes of its group."""
    tokens = RtfTokens(table, _KNOWN)
    for token in tokens:
        if token.word == "leveltext":
            yield RtfToken(RtfTokenKind.WORD, token.word, None, tokens.take_group())
        elif token.word:
            yield token


def _template(group: bytes) -> str:
    """`%1.%2.`: of a level's text the first byte is its length, and those below nine stand for the levels' numbers."""
    signs: list[str] = []
    for token in RtfTokens(group, frozenset({"u"})):
        if token.kind is RtfTokenKind.BYTES:
            signs += token.data.decode("latin-1")
        elif token.word == "u" and token.number:
            signs.append("\u2022")
    return "".join(f"%{ord(sign) + 1}" if ord(sign) < _DEEPEST else sign for sign in signs[1:]).rstrip(";")
