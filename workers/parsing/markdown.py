"""Owns Markdown: the blocks that the syntax marks, each with its source text, so that quotes and links survive."""

import re
from functools import cache
from typing import TYPE_CHECKING

from embedmill.workers.parsing.draft import Draft, clean
from embedmill.workers.parsing.html import read_markup
from embedmill.workers.parsing.table import Table
from embedmill.workers.parsing.text import read_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

NESTING = 1_000_000  # more than the stack allows, so that too much of it is an error

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
# A plain or quoted scalar; a value with a YAML tag, anchor or structure is no title.
_TITLE = re.compile(r"""^title:[ \t]+(["']?)([^\s!&*>|\[{"'][^\n]*?)\1[ \t]*$""", re.MULTILINE)
_HEADING_ID = re.compile(r"\s*\{\s*#[^{}]*\}\s*$")


def read(data: bytes, draft: Draft) -> None:
    """Front matter gives at most the title and is no part of the text."""
    text = clean(draft.decode(data))
    if front := _FRONT_MATTER.match(text):
        text = text[front.end() :]
        draft.note("front matter left out")
        if title := _TITLE.search(front[1]):
            draft.title = title[2]
    try:
        tokens = _grammar().parse(text)
    except RecursionError:
        draft.note("nested too deeply for Markdown; kept as plain text")
        read_text(text, draft)
        return
    _Reader(draft).read(tokens)


@cache
def _grammar() -> "MarkdownIt":
    """Blocks only: inline markup stays as written. What is nested below `maxNesting` the grammar drops in silence."""
    from markdown_it import MarkdownIt

    grammar = MarkdownIt("commonmark", {"maxNesting": NESTING}).enable("table")
    grammar.core.ruler.disable(["inline", "text_join"])
    return grammar


class _Reader:
    """Turns the token stream into blocks, remembering what it stands inside of."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._level = 0
        self._is_item = False
        self._cells: list[str] | None = None
        self._table: Table | None = None
        self._is_head = False

    def read(self, tokens: "list[Token]") -> None:
        for token in tokens:
            self._read_token(token)

    def _read_token(self, token: "Token") -> None:
        match token.type:
            case "heading_open":
                self._level = int(token.tag[1:])
            case "heading_close":
                self._level = 0
            case "list_item_open":
                self._is_item = True
            case "tr_open":
                self._cells = []
            case "table_open":
                self._table = self._draft.table()
            case "thead_open" | "thead_close":
                self._is_head = token.type == "thead_open"
            case "tr_close" if self._table:
                add = self._table.head if self._is_head else self._table.row
                add(self._cells or [])
                self._cells = None
            case "inline":
                self._read_inline(token.content)
            case "fence" | "code_block":
                self._draft.code(token.content)
            case "html_block":
                read_markup(token.content, self._draft)

    def _read_inline(self, text: str) -> None:
        if self._cells is not None:
            self._cells.append(text)
        elif self._level:
            self._draft.title = self._draft.title or _HEADING_ID.sub("", text)
            self._draft.heading(text, level=self._level)
        elif self._is_item:
            self._draft.list_item(text)
        else:
            self._draft.paragraph(text)
        self._is_item = False
