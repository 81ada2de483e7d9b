"""Owns the folding of a text's form for comparison, with the way back to the offsets of the text."""

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from embedmill.shared.sentences import BULLETS

DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u207b\u2212\u2e3a\u2e3b\ufe31\ufe32\ufe58\ufe63\uff0d"
DOUBLE_QUOTES = '"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u2036\u301d\u301e\u301f\u300c\u300d\u300e\u300f\uff02'
SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b\u2039\u203a\u2032\u2035\u00b4\u02bb\u02bc\u02bd\u055a\ua78c\uff07"
INVISIBLE = "\u00ad\u034f\u061c\u115f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
LETTERS = {"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "…": "...", "\u2044": "/", "\u2215": "/"}
KEPT_APART = ("<super>", "<sub>", "<fraction>", "<circle>")
"""Decompositions that would turn ten to the fifth into a hundred and five."""

COMBINING = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u064b-\u0655\u093c\u09bc\u09be\u09d7\u0a3c\u0b3c\u0b3e\u0b56\u0b57\u0bbe"
    "\u0bd7\u0c56\u0cc2\u0cd5\u0cd6\u0d3e\u0d57\u0dca\u0dcf\u0ddf\u102e\u1161-\u1175\u11a8-\u11c2\u3099\u309a\uff9e\uff9f"
)
"""Signs that are one with what is before them, in some form of Unicode."""

OPENS = "[\u00ab\u2039]"
"""Marks that have a space within in French; others open and close by them the other way round, and have none."""
SPACELESS = "\u3001-\u3002\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Signs of Chinese and Japanese, between which a space is where a line was wrapped."""

UNITS = (
    "[mcdknµμ]?[mgl]|mL|[mkMG]?W|[kMG]Wh|[mk]?V|m?A|[kMG]?Hz|[kKMGT]i?B|[hkM]?Pa|m?bar|k?[NJ]|[mnµμ]?s|min|h|dB|psi|rpm"
    "|k?cal|m?mol|ppm|\xb0[CF]|[\u2103\u2109]"
)
"""Units that stand behind their number with a space, and are as often written without."""

# Pieces that are no copies of themselves in small letters: in the order of their trials, at each depth of reading.
FORM = rf"""
    (?P<quote> [{DOUBLE_QUOTES}{SINGLE_QUOTES}] (?: (?<=[\s(\[]{OPENS})\s+ | (?<=^{OPENS})\s+ )?
        | \s+ (?=[\u00bb\u203a](?!\w)) )
    | (?P<wrapped> (?<=[{SPACELESS}]) \s+ (?=[{SPACELESS}]) )
    | (?P<dash> \s* (?: [\u2014\u2015] | [-{DASHES}]{{2,}} ) \s* | \s+ [-\u2013] \s+ )
    | (?P<amount> \s(?<=\d.)\s*(?=[%\u2030]) | \s(?<=[$\u20ac\xa3].)\s*(?=\d) )
    | (?P<unit> [0-9](?=(?:{UNITS})(?!\w)) )
    | (?P<point> \s+ (?=[,;:!?.](?:\s|["']|$)) )
    | (?P<space> (?!\x20(?![\s{INVISIBLE}])) [\s{INVISIBLE}]+ )
    | (?P<other> (?: [^\x00-\x7f] | [a-zA-Z](?=[\u0300-\u036f]) )
        [{COMBINING}]* )
    | (?P<apostrophe> (?<=[^\W\d])`(?=[^\W\d]) )
"""
MARKDOWN = rf"""
    (?P<link> !?\[ (?P<label> [^\[\]\n]+ ) \]\( [^()\s]* (?:\s+"[^"\n]*")? \) )
    | (?P<item> \s*\n [ \t]* [{BULLETS}] [ \t]+ (?=\D) )
    | (?P<fence> ^[ \t]*`{{3,}}[a-z0-9+-]{{0,20}}[ \t]*$ )
    | (?P<rule> ^[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*(?:\||$))+[ \t]*$ )
    | (?P<cell> [ \t]+\|[ \t]* | \|[ \t]* )
    | (?P<entity> &(?:amp|lt|gt|quot|apos|nbsp|\#39); )
    | (?P<break> </?(?:br|p|div|li|ul|ol|td|th|tr)(?:[ ][\w-]{{1,20}}=[^<>\n]{{0,200}})?/?> )
    | (?P<mark> ^[ \t]* (?: \#{{1,6}}[ \t]+ | >[ \t]? )+ (?: [{BULLETS}] [ \t]+ (?=\D) )?
        | ^[ \t]* [{BULLETS}] [ \t]+ (?=\D) | `+ | (?<!\w)[*_]{{1,3}}(?=[^\s*_])
        | \[\^[\w-]{{1,20}}\]
        | </?(?:b|i|em|strong|u|code|mark|small|span|a)(?:[ ][\w-]{{1,20}}=[^<>\n]{{0,200}})?>
        | (?<=[^\s*_])[*_]{{1,3}}(?!\w) | ~~ | \\(?=[*_`\#\[\]>~-]) )
"""
LAYOUT = r"""
    (?P<hyphen> (?<=[^\W\d])-[ \t]*\n[ \t]*(?=[^\W\d]) )
    | (?P<number> (?:^|\s*\n) [ \t]* (?: \(?\d{1,3}[.)] | \(?(?:[a-zA-Z]|[ivx]{1,5})\) ) [ \t]+ )
"""


class FormReading(IntEnum):
    """How much of a text is taken for form: each leaves out what the one before does, and more."""

    AS_IT_STANDS = 0
    WITHOUT_MARKDOWN = 1
    WITHOUT_LAYOUT = 2
    """Without the numbers of lists, and with the words joined that a line's end divides."""


_ADDED = {
    FormReading.WITHOUT_MARKDOWN: re.compile(MARKDOWN, re.VERBOSE | re.MULTILINE),
    FormReading.WITHOUT_LAYOUT: re.compile(LAYOUT, re.VERBOSE | re.MULTILINE),
}
_PIECES = {
    FormReading.AS_IT_STANDS: re.compile(FORM, re.VERBOSE | re.MULTILINE),
    FormReading.WITHOUT_MARKDOWN: re.compile(f"{MARKDOWN} | {FORM}", re.VERBOSE | re.MULTILINE),
    FormReading.WITHOUT_LAYOUT: re.compile(f"{LAYOUT} | {MARKDOWN} | {FORM}", re.VERBOSE | re.MULTILINE),
}


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text; `span` leads back from its characters to those of the text."""

    text: str
    places: tuple[int, ...]
    """Where pieces begin in the folded text, ascending."""
    sources: tuple[tuple[int, int], ...]
    """Of each piece, (start, end) in the text; a piece as long as its source is a copy, character by character."""
    lengths: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The offsets in the text of the characters from `start` to `end`, which is above `start`."""
        return self._source(start)[0], self._source(end - 1)[1]

    def _source(self, place: int) -> tuple[int, int]:
        number = bisect_right(self.places, place) - 1
        start, end = self.sources[number]
        if self.lengths[number] != end - start:
            return start, end
        at = start + place - self.places[number]
        return at, at + 1


def fold(text: str, reading: FormReading = FormReading.AS_IT_STANDS) -> Folded:
    """The text in the one form in which texts are compared."""
    pieces = _Pieces()
    position = 0
    lowered = _lower(text)
    for found in _PIECES[reading].finditer(text):
        start, end = found.span()
        pieces.add(lowered[position:start], position, start)
        position = end
        if found.lastgroup == "link":
            start, end = found.span("label")
            pieces.add(fold(found["label"]).text, start, end)
        else:
            pieces.add(_replacement(found, pieces.last), start, end)
    pieces.add(lowered[position:], position, len(text))
    return pieces.folded()


@lru_cache(maxsize=512)
def has_layout(text: str, reading: FormReading) -> bool:
    """Whether there is something in the text that this reading leaves out and the one before does not."""
    return reading in _ADDED and _ADDED[reading].search(text) is not None


def _lower(text: str) -> str:
    """The text with its ASCII letters small: as long as before."""
    return text.lower() if text.isascii() else text.translate(_SMALL)


class _Pieces:
    def __init__(self) -> None:
        self._texts: list[str] = []
        self._places: list[int] = []
        self._sources: list[tuple[int, int]] = []
        self._length = 0
        self.last = ""

    def add(self, folded: str, start: int, end: int) -> None:
        if folded == " " and self.last in ("", " "):
            return
        if folded:
            self._texts.append(folded)
            self._places.append(self._length)
            self._sources.append((start, end))
            self._length += len(folded)
            self.last = folded[-1]

    def folded(self) -> Folded:
        lengths = tuple(map(len, self._texts))
        return Folded("".join(self._texts), tuple(self._places), tuple(self._sources), lengths)


def _replacement(found: re.Match[str], before: str) -> str:
    match found.lastgroup:
        case "space":
            return " " if found[0].strip(_INVISIBLE_CHARACTERS) else ""
        case "unit":
            return f"{found[0]} "
        case "entity":
            return _ENTITIES[found[0]]
        case "cell":
            return _cell(found)
        case "quote":
            return _quotation(found, before)
        case "other":
            return _folded_cluster(found[0])
    return _ALWAYS.get(found.lastgroup or "", "")


def _quotation(found: re.Match[str], before: str) -> str:
    """One mark for all quotation marks; an apostrophe and the signs of feet and inches stay what they are."""
    mark = found[0].strip()
    after = found.string[found.end() : found.end() + 1]
    if not mark:
        return ""
    if mark in SINGLE_QUOTES and (before.isdigit() or (before.isalpha() and after.isalpha())):
        return "'"
    return '"'


_ALWAYS = {"dash": " - ", "item": " ", "break": " ", "number": " ", "apostrophe": "'"}
"""What these pieces are; all others are nothing."""
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&#39;": "'", "&nbsp;": " "}


def _cell(found: re.Match[str]) -> str:
    """What parts two cells of a table's row is a space, but between numbers; elsewhere a bar is a bar."""
    text, (start, end) = found.string, found.span()
    row = text.rfind("\n", 0, start) + 1
    between_numbers = text[start - 1 : start].isdigit() and text[end : end + 1].isdigit()
    if between_numbers or not text[row:end].lstrip().startswith("|"):
        return _BLANKS.sub(" ", found[0])
    return " "


@lru_cache(maxsize=8192)
def _folded_cluster(cluster: str) -> str:
    composed = unicodedata.normalize("NFC", cluster)
    if composed in DASHES:
        return "-"
    if composed in LETTERS:
        return LETTERS[composed]
    kept = any(unicodedata.decomposition(character).startswith(KEPT_APART) for character in composed)
    return composed.casefold() if kept else unicodedata.normalize("NFKC", composed).casefold()


def _expanded(ranges: str) -> str:
    characters = re.compile(f"[{ranges}]")
    return "".join(chr(code) for code in range(0x10000) if characters.match(chr(code)))


_BLANKS = re.compile("[ \t]+")
_INVISIBLE_CHARACTERS = _expanded(INVISIBLE)
_SMALL = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
