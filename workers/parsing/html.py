"""Owns HTML: text as a browser would show it, with headings, lists, code and table rows."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from embedmill.workers.parsing.draft import Draft, count, one_line
from embedmill.workers.parsing.table import Table

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_SKIPPED = [
    "script", "style", "template", "noscript", "title", "iframe", "object", "embed", "canvas", "audio", "video",
    "datalist", "nav",
]  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BREAKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
    "hgroup", "hr", "legend", "li", "main", "menu", "ol", "option", "p", "pre", "section", "select", "summary", "table",
    "tbody", "td", "text", "tfoot", "th", "thead", "tr", "ul",
})  # fmt: skip
# A table that holds these arranges a page; its cells are no data.
_BLOCKS_IN_CELLS = ":is(td, th) :is(table, pre, h1, h2, h3, h4, h5, h6)"
# Site navigation is on every page and about none of them.
_LEFT_OUT = (
    '[hidden]:not([hidden="until-found"]), [style*="display:none"], [style*="display: none"], [role="navigation"]'
)
_FRAMES = "iframe[src], object[data], embed[src], frame[src]"
_TITLE_WITHIN = 50
_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9_.-]{1,40})""", re.IGNORECASE)


def read(data: bytes, draft: Draft) -> None:
    """A page; its title opens the text as a heading, unless a heading of its own says the same."""
    page = Draft(draft.media_type, name=draft.name, limits=draft.limits)
    read_markup(page.decode(data, declared=_declared_encoding(data)), page)
    document = page.finish()
    draft.title = draft.title or document.title
    if document.blocks and all(one_line(block.text) != document.title for block in document.blocks[:_TITLE_WITHIN]):
        draft.heading(document.title, level=1)
    draft.extend(document)


def read_markup(markup: str, draft: Draft) -> None:
    """Adds the blocks of a page or fragment; its `title` becomes the draft's when that has none."""
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    try:
        tree = LexborHTMLParser(markup)
    except SelectolaxError as error:
        # HTML has no syntax errors: Lexbor refuses a page only when it gets no more memory.
        raise MemoryError from error
    if not draft.title and (title := tree.css_first("head > title")):
        draft.title = title.text()
    if frames := len(tree.css(_FRAMES)):
        draft.note(f"{count(frames, 'embedded page')} left out")
    tree.strip_tags(_SKIPPED)
    for node in tree.css(_LEFT_OUT):
        node.decompose()
    if tree.body is not None:
        _Walk(draft, _layout_tables(tree)).run(tree.body)


def _declared_encoding(data: bytes) -> str | None:
    found = _META_CHARSET.search(data[:4096]) or _XML_ENCODING.match(data[:200])
    return found[1].decode("ascii") if found else None


def _layout_tables(tree: "LexborHTMLParser") -> set[int]:
    return {table for node in tree.css(_BLOCKS_IN_CELLS) if (table := _table_around(node)) is not None}


def _table_around(node: "LexborNode") -> int | None:
    around = node.parent
    while around is not None and around.tag != "table":
        around = around.parent
    return None if around is None else around.mem_id


class _Walk:
    """One pass over a tree, without recursion: depth is the author's to choose and must not be our stack's."""

    def __init__(self, draft: Draft, layout_tables: set[int]) -> None:
        self._draft = draft
        self._parts: list[str] = []
        self._cells: list[str] | None = None
        self._items = 0
        self._pres = 0
        self._layout_tables = layout_tables
        self._tables: list[Table | None] = [None]
        self._is_head = False

    def run(self, root: "LexborNode") -> None:
        for tag, node in _events(root):
            if node is None:
                self._leave(tag)
            elif tag == "-text":
                self._parts.append(node.text_content or "")
            else:
                self._enter(tag, node)
        self._flush()

    def _enter(self, tag: str, node: "LexborNode") -> None:
        if tag == "br":
            self._parts.append("\n")
        elif tag in _BREAKS:
            self._break()
        match tag:
            case "table":
                self._tables.append(None if node.mem_id in self._layout_tables else self._draft.table())
            case "tr" if self._tables[-1]:
                self._cells = []
                self._is_head = True
            case "td":
                self._is_head = False
            case "pre":
                self._pres += 1
            case "li" | "dt" | "dd":
                self._items += 1

    def _leave(self, tag: str) -> None:
        if tag in _HEADINGS and self._cells is None:
            self._draft.heading(self._take(), level=_HEADINGS[tag])
        elif tag in _BREAKS:
            self._break()
        match tag:
            case "table":
                self._tables.pop()
            case "td" | "th" if self._cells is not None:
                self._cells.append(one_line(self._take()))
            case "tr" if self._cells is not None:
                self._add_row(self._cells)
                self._cells = None
            case "pre":
                self._pres -= 1
            case "li" | "dt" | "dd":
                self._items -= 1

    def _add_row(self, cells: list[str]) -> None:
        """A row of `th` only heads its table."""
        if table := self._tables[-1]:
            add = table.head if self._is_head else table.row
            add(cells)

    def _break(self) -> None:
        if self._cells is None:
            self._flush()
        else:
            self._parts.append(" ")

    def _flush(self) -> None:
        text = self._take()
        if not text:
            return
        if self._pres:
            self._draft.code(text)
        elif self._items:
            self._draft.list_item(one_line(text))
        else:
            self._draft.paragraph(one_line(text))

    def _take(self) -> str:
        text = "".join(self._parts)
        self._parts.clear()
        return text


def _events(root: "LexborNode") -> "Iterator[tuple[str, LexborNode | None]]":
    """(tag, node) on entering, (tag, None) on leaving; text and comments are only entered."""
    open_tags: list[str] = []
    node: LexborNode | None = root
    while node is not None:
        tag = node.tag or ""
        yield tag, node
        child = node.child
        if child is not None:
            open_tags.append(tag)
            node = child
            continue
        if not tag.startswith(("-", "_", "!")):
            yield tag, None
        while open_tags and node is not None and node.next is None:
            yield open_tags.pop(), None
            node = node.parent
        node = node.next if open_tags and node is not None else None
