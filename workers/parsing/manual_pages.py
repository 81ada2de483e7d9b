"""Owns pages of manuals in the macros of man and mdoc: headings, terms, items, code and tables, as `man` shows them."""

import re
from collections.abc import Iterator, Sequence

from embedmill.workers.parsing.draft import Draft, clean
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.light_markup import MarkupWriter, lines_until
from embedmill.workers.parsing.list_items import BULLET
from embedmill.workers.parsing.mdoc_words import Mdoc
from embedmill.workers.parsing.roff_words import arguments, shown

_HEADINGS = {"SH": 2, "SS": 3, "Sh": 2, "Ss": 3}
_PARAGRAPHS = frozenset("PP P LP HP sp br Pp Lp".split())
_FONTS = frozenset("B I R SM SB".split())
_MIXED = frozenset("BR RB BI IB IR RI".split())
_CODE = {"nf": "fi", "EX": "EE"}
_STEPS = {"RS": 1, "RE": -1}
_MARK = re.compile(r"[•·*+o-]|\(?\d{1,3}[.)]\.?")
_NO_MARKER = " "


def read(data: bytes, draft: Draft) -> None:
    """Comments, definitions and requests that place things are left out."""
    page = _ManualReader(draft)
    lines = iter(clean(draft.decode(data)).replace("\\\n", "").split("\n"))
    for line in lines:
        page.take(line, lines)
    page.close()


class _ManualReader:
    def __init__(self, draft: Draft) -> None:
        self._writer = MarkupWriter(draft)
        self._draft = draft
        self._mdoc = Mdoc()
        self._words: list[str] = []
        self._depth = 0
        self._is_term = False
        self._lists: list[str] = []

    def take(self, line: str, lines: Iterator[str]) -> None:
        if not line.startswith((".", "'")) or line.startswith("..."):
            self._say(shown(line))
            return
        name, _, rest = line[1:].lstrip().partition(" ")
        name = name.strip()
        found = arguments(rest)
        if name in ("TH", "Dt"):
            self._draft.heading("(".join(found[:2]) + ")" if len(found) > 1 else " ".join(found), level=1)
        elif name in _HEADINGS:
            self._end()
            self._depth = 0
            self._writer.heading(" ".join(found) or shown(next(lines, "")), _HEADINGS[name])
        elif name in _PARAGRAPHS:
            self._end()
        elif name in _CODE or (name == "Bd" and {"-literal", "-unfilled"} & set(found)):
            self._code(lines, _CODE.get(name, "Ed"))
        elif name == "TS":
            self._table(lines_until(lines, lambda other: other.startswith(".TE")))
        elif name in ("de", "ig", "am"):
            lines_until(lines, lambda other: other.startswith(".."))
        else:
            self._word(name, rest, found)

    def close(self) -> None:
        self._end()
        self._writer.close()

    def _word(self, name: str, rest: str, found: Sequence[str]) -> None:
        """What stands in the text, or begins a term or an item."""
        if name in ("TP", "TQ"):
            self._end()
            self._is_term = True
        elif name == "IP":
            self._end()
            self._item(found[0] if found else "")
        elif name in _STEPS:
            self._end()
            self._depth = max(self._depth + _STEPS[name], 0)
        elif name in _FONTS:
            self._say(" ".join(found))
        elif name in _MIXED:
            self._say("".join(found))
        elif name in ("UR", "MT"):
            self._say(f"<{' '.join(found)}>")
        elif name == "Bl":
            self._end()
            self._lists.append(found[0] if found else "")
        elif name == "El":
            self._end()
            self._lists = self._lists[:-1]
        elif name == "It":
            self._end()
            self._listed(rest)
        elif name.startswith("%"):
            self._say(shown(rest))
        elif (said := self._mdoc.line(name, rest)) is not None:
            self._say(said)

    def _listed(self, rest: str) -> None:
        """An item of mdoc's list: a term where the list has terms."""
        kind, depth = self._lists[-1] if self._lists else "", max(len(self._lists) - 1, 0)
        said = self._mdoc.words(rest)
        if kind == "-enum":
            self._writer.item("", "", depth)
        elif kind in ("-bullet", "-dash", "-hyphen"):
            self._writer.item("", BULLET, depth)
        elif said:
            self._writer.term(said, "", depth)
            self._writer.item("", _NO_MARKER, depth + 1)

    def _item(self, mark: str) -> None:
        """Of man: with a sign or a number it is an item, with words a term."""
        if mark and not _MARK.fullmatch(mark):
            self._term(mark)
            return
        self._writer.item("", mark if mark[-1:] in ".)" and mark else BULLET if mark else _NO_MARKER, self._depth)

    def _term(self, words: str) -> None:
        self._writer.term(words, "", self._depth)
        self._writer.item("", _NO_MARKER, self._depth + 1)

    def _say(self, words: str) -> None:
        if self._is_term and words.strip():
            self._is_term = False
            self._term(words.strip())
        elif words.strip():
            self._words.append(words.strip())
        else:
            self._end()

    def _end(self) -> None:
        words, self._words = " ".join(self._words), []
        if words:
            self._writer.line(words)
        self._writer.flush()
        self._is_term = False

    def _code(self, lines: Iterator[str], end: str) -> None:
        self._end()
        body = lines_until(lines, lambda other: other.startswith(f".{end}"))
        self._writer.code([self._coded(line) for line in body if not line.startswith('.\\"')])

    def _coded(self, line: str) -> str:
        if not line.startswith("."):
            return shown(line)
        name, _, rest = line[1:].partition(" ")
        return "".join(arguments(rest)) if name in _MIXED else " ".join(arguments(rest))

    def _table(self, lines: Sequence[str]) -> None:
        """Of tbl: options, the format up to a line that ends with a dot, and rows with a tab between cells."""
        self._end()
        tab, body = "\t", list(lines)
        if body and body[0].rstrip().endswith(";"):
            if option := re.search(r"tab *\((.)\)", body[0]):
                tab = option[1]
            body = body[1:]
        begin = next((number for number, line in enumerate(body) if line.rstrip().endswith(".")), -1) + 1
        text = "\n".join(line for line in body[begin:] if not line.startswith(".") and line.strip("_=- "))
        text = re.sub(r"T\{\n?|\n?T\}", "", re.sub(r"T\{[^{}]*T\}", lambda cell: cell[0].replace("\n", " "), text))
        self._writer.table(
            [[Cell(shown(cell).strip(), 1, 1) for cell in row.split(tab)] for row in text.split("\n")], None
        )
