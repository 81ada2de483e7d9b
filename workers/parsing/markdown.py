"""Owns Markdown: the blocks that the syntax marks, each with its source text, so that quotes and links survive."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from textwrap import dedent
from typing import TYPE_CHECKING

from embedmill.workers.parsing.draft import Draft, clean
from embedmill.workers.parsing.list_items import BULLET, Item
from embedmill.workers.parsing.table import Table
from embedmill.workers.parsing.text import read_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

NESTING = 1_000_000  # more than the stack allows, so that too much of it is an error

_FRONT_MATTER = re.compile(
    r"\A(?:---[ \t]*\n(.*?)^(?:---|\.\.\.)|\+\+\+[ \t]*\n(.*?)^\+\+\+)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
# A plain or quoted scalar; a value with a YAML tag, anchor or structure is no title.
_TITLE = re.compile(r"""^title(?:[ \t]*=|:)[ \t]+(["']?)([^\s!&*>|\[{"'][^\n]*?)\1[ \t]*$""", re.MULTILINE)
_LEVEL = re.compile(r"^access[ \t]*[:=]", re.MULTILINE | re.IGNORECASE)
_CAPTION = re.compile(r"\A(?:Table)?:[ \t]+(\S[^\n]*)\Z")
_NOTE = re.compile(r"\[\^[^\]\n]+\]:")
_LEAD = re.compile(r"\A[\s>]*(?:[-*+]\s+|\d+[.)]\s+)?")
_BREAK = re.compile(r"\s*<br\s*/?>\s*", re.IGNORECASE)
_PIPE = re.compile(r"(?<!\\)\|")
_HEADING_ID = re.compile(r"\s*\{\s*#[^{}]*\}\s*$")


def read(data: bytes, draft: Draft) -> None:
    """Front matter gives at most the title and is no part of the text."""
    text = clean(draft.decode(data))
    if front := _FRONT_MATTER.match(text):
        text = text[front.end() :]
        said = front[1] or front[2] or ""
        draft.note("front matter left out")
        if _LEVEL.search(said):
            draft.note("its access level is not taken from front matter; ingest --access says it")
        if title := _TITLE.search(said):
            draft.title = title[2]
    read_marked(text, draft)


def read_marked(text: str, draft: Draft) -> None:
    """Adds the blocks of a text without front matter."""
    try:
        tokens = _grammar().parse(text)
    except RecursionError:
        draft.note("nested too deeply for Markdown; kept as plain text")
        read_text(text, draft)
        return
    _MarkdownReader(draft).read(tokens, text)


@cache
def _grammar() -> "MarkdownIt":
    """Blocks only: inline markup stays as written, and so do the targets of links and footnotes.

    What is nested below `maxNesting` the grammar drops in silence.
    """
    from markdown_it import MarkdownIt

    grammar = MarkdownIt("commonmark", {"maxNesting": NESTING}).enable("table")
    grammar.core.ruler.disable(["inline", "text_join"])
    grammar.block.ruler.disable("reference")
    return grammar


class _MarkdownReader:
    """Turns the token stream into blocks, remembering what it stands inside of."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._level = 0
        self._lists: list[_MarkdownList] = []
        self._items: list[Item] = []
        self._cells: list[str] = []
        self._table: Table | None = None
        self._is_head = False
        self._caption = ""
        self._as_written = ""
        self._is_behind_table = False
        self._is_in_note = False
        self._lines: list[str] = []
        self._line = 0

    def read(self, tokens: "list[Token]", text: str) -> None:
        """Blocks of HTML that follow one another are one: an empty line ends the block, and not the table in it."""
        self._lines = text.split("\n")
        for is_html, group in groupby(tokens, key=lambda token: token.type == "html_block"):
            if is_html:
                from embedmill.workers.parsing.html import read_markup

                self._settle()
                read_markup("\n".join(token.content for token in group), self._draft)
                continue
            for token in group:
                self._read_token(token)
        self._settle()

    def _read_token(self, token: "Token") -> None:
        match token.type:
            case "heading_open":
                self._level = int(token.tag[1:])
            case "heading_close":
                self._level = 0
            case "inline":
                self._read_inline(token.content)
            case "fence":
                self._add_code(token.content)
            case "code_block":
                self._read_indented(token.content)
            case kind if kind.startswith(("bullet_list", "ordered_list", "list_item")):
                self._read_list(token)
            case _:
                self._read_table(token)

    def _read_list(self, token: "Token") -> None:
        match token.type:
            case "ordered_list_open":
                self._lists.append(_MarkdownList(int(token.attrs.get("start", 1)), token.markup))
            case "bullet_list_open":
                self._lists.append(_MarkdownList(0, ""))
            case "list_item_open":
                depth = len(self._lists) - 1
                self._items.append(Item(self._lists[-1].next(), depth, depth + 1))
            case "list_item_close":
                self._items.pop()
            case _:
                self._lists.pop()

    def _read_table(self, token: "Token") -> None:
        match token.type:
            case "table_open":
                caption, self._caption = self._caption, ""
                self._table = self._draft.table(caption)
            case "table_close":
                self._table, self._is_behind_table = None, True
            case "thead_open" | "thead_close":
                self._is_head = token.type == "thead_open"
            case "tr_open":
                self._cells = []
                self._line = token.map[0] if token.map else 0
            case "tr_close" if self._table:
                add = self._table.head if self._is_head else self._table.row
                add([*self._cells, *self._beyond()])

    def _beyond(self) -> list[str]:
        """The cells that a row has more than its table's header, which the grammar drops."""
        line = self._lines[self._line] if self._line < len(self._lines) else ""
        line = _LEAD.sub("", line).rstrip()
        if line.count("|") < len(self._cells):
            return []
        cells = [cell.strip().replace("\\|", "|") for cell in _PIPE.split(line)]
        first = int(line.startswith("|"))
        return cells[first + len(self._cells) : len(cells) - (not cells[-1])]

    def _read_inline(self, text: str) -> None:
        if self._table:
            self._cells.append(text if "`" in text else _BREAK.sub(" ", text))
        elif self._level:
            self._settle()
            self._draft.title = self._draft.title or _HEADING_ID.sub("", text)
            self._draft.heading(text, level=self._level)
        elif found := _CAPTION.match(text):
            self._read_caption(text, found)
        else:
            self._settle()
            self._is_in_note = _NOTE.match(text) is not None
            self._add_text(text)

    def _add_text(self, text: str) -> None:
        if self._items:
            marker, depth = self._items[-1].take()
            self._draft.list_item(text, marker=marker, depth=depth)
        else:
            self._draft.paragraph(text)

    def _read_caption(self, text: str, found: re.Match[str]) -> None:
        """A line of its own before a table or behind it; anywhere else it is what it looks like."""
        if self._is_behind_table:
            self._settle()
            self._draft.caption(found[1])
            return
        self._settle()
        self._caption = found[1]
        self._as_written = text

    def _read_indented(self, text: str) -> None:
        """What is indented below a footnote goes on with it, and is code elsewhere."""
        if self._is_in_note:
            self._add_text(dedent(text))
        else:
            self._add_code(text)

    def _add_code(self, text: str) -> None:
        self._settle()
        self._draft.code(text)

    def _settle(self) -> None:
        """What looked like a caption has no table."""
        caption, self._caption = self._caption, ""
        self._is_behind_table = self._is_in_note = False
        if caption:
            self._add_text(self._as_written)


@dataclass(slots=True)
class _MarkdownList:
    """A list that is open: `end` is what stands behind its numbers, "" for bullets."""

    number: int
    end: str

    def next(self) -> str:
        """The marker of the next item, as it is shown whatever number was written."""
        if not self.end:
            return BULLET
        self.number += 1
        return f"{self.number - 1}{self.end}"
