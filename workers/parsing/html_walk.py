"""Owns the walk over a page: which blocks it makes of inline text, lists, code, captions and tables."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedmill.workers.parsing.alternatives import spoken
from embedmill.workers.parsing.document import BlockKind
from embedmill.workers.parsing.draft import Draft, count, one_line
from embedmill.workers.parsing.equations import mathml
from embedmill.workers.parsing.html_editors import EditorLists
from embedmill.workers.parsing.html_events import BREAKS, LISTS, QUOTES, SCRIPTS, events
from embedmill.workers.parsing.html_lists import HtmlList, integer
from embedmill.workers.parsing.html_tables import DEEPEST, HtmlCell, HtmlPiece, HtmlTable, add_piece
from embedmill.workers.parsing.list_items import Item
from embedmill.workers.parsing.scripts import script
from embedmill.workers.parsing.xml import parse_xml

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LABEL_WORDS = 2
"""Words up to which the picture in a link is a sign for where the link goes, such as a logo."""

_MENU = 0.7
"""Share of a line that must be links to be a menu or a path above the title."""

_PRESSED = frozenset(("a", "button", "summary"))
"""A drawing in one of these is a sign."""

DEEPEST_QUOTATION = 20

_SOFT_HYPHEN = "\xad"
_NOTE_MARK = re.compile(r"\s*(\w{1,4}|[*†‡§]{1,3})\s*")
_ENTITIES = re.compile(r"&(?!amp;|lt;|gt;|quot;|#)\w+;")
_CHECKED = {True: "[x] ", False: "[ ] "}
_WRITTEN = frozenset({"text", "email", "tel", "url", "number", "date", "datetime-local", "month", "week", "time"})
"""Inputs whose value stands on the page."""


class Walk:
    """One pass over a tree, without recursion: depth is the author's to choose and must not be our stack's."""

    def __init__(
        self,
        draft: Draft,
        *,
        skipped: set[int],
        captions: set[int],
        codes: dict[int, str],
        roles: dict[int, str],
        lists: EditorLists,
        quotation: str = "",
    ) -> None:
        """`skipped`, `captions`, `codes` and `roles` name nodes by their `mem_id`.

        They are what is not read, what stands over a table, code that is drawn line by line, and tags that stand for
        their own.

        `quotation` stands before paragraphs and items that are quoted, as often as they are.
        """
        self._draft = draft
        self._quotation = quotation
        self._quoted = 0
        self._skipped = skipped | lists.markers if lists.markers else skipped
        self._written = lists
        self._is_written = False
        self._captions = captions
        self._codes = codes
        self._roles = roles
        self._caption = ""
        self._parts: list[str] = []
        self._scripts: list[tuple[int, bool]] = []
        self._pres = 0
        self._lists: list[HtmlList] = []
        self._items: list[Item] = []
        self._tables: list[HtmlTable] = []
        self._cells: list[_Around] = []
        self._pieces: list[HtmlPiece | HtmlTable] | None = None
        self._said = ""
        self._alone = ""
        self._link = 0
        self._linked = 0
        self._is_note = False
        self._is_before_title = False
        self._unchosen = 0

    def run(self, root: "LexborNode", *, has_title: bool = False) -> None:
        """Where a page has a top heading, what stands before it and is nothing but links is no part of the text."""
        self._is_before_title = has_title
        whole = self._captions | self._codes.keys()
        for tag, node in events(root, self._skipped, whole, self._roles, self._parts.append):
            if node is None:
                self._leave(tag)
            else:
                self._enter(tag, node)
        self._flush()
        self._settle()
        if self._unchosen:
            self._draft.note(f"{count(self._unchosen, 'option')} of closed choices left out")

    def _enter(self, tag: str, node: "LexborNode") -> None:
        if tag in BREAKS:
            if self._parts:
                self._flush()
            if self._captions and node.mem_id in self._captions:
                self._add_caption(one_line(node.text()))
            elif self._codes and (code := self._codes.get(node.mem_id)) is not None:
                self._add_block(BlockKind.CODE, code)
            else:
                self._enter_block(tag, node)
        elif tag in SCRIPTS:
            self._scripts.append((len(self._parts), _refers(node)))
        elif tag in QUOTES:
            self._parts.append(QUOTES[tag][0])
        elif tag == "a":
            self._link = len(self._parts)
            self._is_note = _names_note(node)
        elif tag == "br":
            self._parts.append("\n")
        else:
            self._show(tag, node)

    def _show(self, tag: str, node: "LexborNode") -> None:
        """What says something by itself."""
        match tag:
            case "img" | "amp-img":
                self._show_picture(node)
            case "math":
                self._parts.append(_equation(node))
            case "input":
                self._show_input(node)
            case "select":
                options = node.css("option")
                self._unchosen += max(len(options) - 1, 0)
                self._parts.append(f" {_chosen(options)} ")
            case "svg" if node.attributes.get("role") == "img" and node.parent is not None:
                if node.parent.tag not in _PRESSED:
                    self._parts.append(f" {_drawn(node)} ")
            case "optgroup":
                self._flush()
                self._parts.append(node.attributes.get("label") or "")

    def _leave(self, tag: str) -> None:
        if tag in BREAKS:
            self._leave_block(tag)
        elif tag in SCRIPTS:
            self._close_script(SCRIPTS[tag])
        elif tag in QUOTES:
            self._parts.append(QUOTES[tag][1])
        elif tag == "a":
            if self._is_note and (found := _NOTE_MARK.fullmatch("".join(self._parts[self._link :]))):
                self._parts[self._link :] = [f"[{found[1]}]"]
            self._is_note = False
            self._linked += sum(map(len, self._parts[self._link :]))

    def _enter_block(self, tag: str, node: "LexborNode") -> None:
        match tag:
            case "li":
                self._enter_item(node)
            case "dt" | "dd":
                depth = max(len(self._lists) - 1, 0) + (tag == "dd")
                self._items.append(Item("", depth, depth))
            case "td" | "th" if self._tables:
                self._enter_cell(tag, node)
            case "tr" if self._tables:
                self._tables[-1].begin_row()
            case "table":
                self._enter_table(node)
            case "thead" | "tbody" | "tfoot" if self._tables:
                self._tables[-1].begin_section(tag)
            case "caption" if self._tables:
                self._open_frame([])
            case "pre":
                self._pres += 1
            case "blockquote":
                self._quoted += 1
            case "p" if self._written.items and (written := self._written.items.get(node.mem_id)):
                marker, depth = written
                self._items.append(Item(marker, depth, depth + 1))
                self._is_written = True
            case _ if tag in LISTS:
                self._lists.append(HtmlList.of(tag, node, self._written.depths.get(node.mem_id)))

    def _leave_block(self, tag: str) -> None:
        if tag in _HEADINGS or tag == "figcaption":
            self._leave_title(tag)
            return
        if self._parts:
            self._flush()
        match tag:
            case "li" | "dt" | "dd":
                self._items.pop()
            case "td" | "th" if self._tables:
                self._close_frame()
            case "caption" if self._tables:
                pieces = self._close_frame()
                self._tables[-1].caption = " ".join(piece.text for piece in pieces if isinstance(piece, HtmlPiece))
            case "table":
                self._leave_table(self._tables.pop())
            case "figure":
                self._settle()
            case "pre":
                self._pres -= 1
            case "blockquote":
                self._quoted -= 1
            case "p" if self._is_written:
                self._items.pop()
                self._is_written = False
            case _ if tag in LISTS:
                self._lists.pop()

    def _leave_title(self, tag: str) -> None:
        text = one_line(self._take())
        if tag == "figcaption":
            self._add_caption(text)
            return
        self._is_before_title = self._is_before_title and tag != "h1"
        self._add_heading(text, _HEADINGS[tag])

    def _enter_item(self, node: "LexborNode") -> None:
        depth = max(len(self._lists) - 1, 0)
        around = self._lists[-1] if self._lists else HtmlList()
        depth = depth if around.depth is None else around.depth
        value = node.attributes.get("value") if around.style else None
        self._items.append(Item(around.next(value), depth, depth + 1))

    def _enter_table(self, node: "LexborNode") -> None:
        """A caption that waits is the table's."""
        caption, self._caption = self._caption, ""
        arranges = node.attributes.get("role") in {"presentation", "none"}
        self._tables.append(HtmlTable(over=caption, arranges=arranges))

    def _enter_cell(self, tag: str, node: "LexborNode") -> None:
        attributes = node.attributes
        columns = integer(attributes.get("colspan") or attributes.get("aria-colspan"), 1)
        rows = integer(attributes.get("rowspan") or attributes.get("aria-rowspan"), 1)
        cell = HtmlCell(tag == "th", max(columns, 1), rows if rows >= 0 else 1)
        self._tables[-1].begin_cell(cell)
        self._open_frame(cell.pieces)

    def _open_frame(self, pieces: "list[HtmlPiece | HtmlTable]") -> None:
        """A cell's lists and code are its own."""
        self._settle()
        self._cells.append(_Around(self._pieces, self._lists, self._items, self._pres))
        self._pieces, self._lists, self._items, self._pres = pieces, [], [], 0

    def _close_frame(self) -> "list[HtmlPiece | HtmlTable]":
        self._settle()
        pieces = self._pieces or []
        around = self._cells.pop()
        self._pieces, self._lists, self._items, self._pres = around.pieces, around.lists, around.items, around.pres
        return pieces

    def _leave_table(self, table: HtmlTable) -> None:
        self._settle()
        if table.is_data and len(self._tables) < DEEPEST:
            self._add(table)
            return
        for text in filter(None, (table.over, table.caption)):
            self._add(HtmlPiece(BlockKind.CAPTION, text))
        for piece in table.pieces():
            self._add(piece)

    def _flush(self) -> None:
        if not self._parts:
            return
        linked, self._linked, self._link = self._linked, 0, 0
        text = self._take()
        if not text or text.isspace() or (self._is_before_title and linked > _MENU * len(text)):
            return
        if self._pres:
            self._add_block(BlockKind.CODE, text)
            return
        line = one_line(text)
        if line == self._said:
            self._settle()
            self._alone, self._said = line, ""
        elif self._items:
            marker, depth = self._items[-1].take()
            self._add_block(BlockKind.LIST_ITEM, line, depth, self._marked(marker))
        else:
            self._add_block(BlockKind.PARAGRAPH, self._marked(line) if self._quoted else line)

    def _marked(self, text: str) -> str:
        return self._quotation * min(self._quoted, DEEPEST_QUOTATION) + text

    def _add_heading(self, text: str, level: int) -> None:
        if text and self._items and not self._items[-1].is_begun:
            marker, _ = self._items[-1].take()
            text = f"{marker} {text}" if marker.strip("-") else text
        self._add_block(BlockKind.HEADING, text, level)

    def _add_caption(self, text: str) -> None:
        """What stands below a picture says it again, or more of it; what stands over a table waits for it."""
        if self._alone in text:
            self._alone = ""
        self._settle()
        self._caption = text

    def _add_block(self, kind: BlockKind, text: str, level: int = 0, marker: str = "") -> None:
        if self._alone or self._caption:
            self._settle()
        if self._pieces is None:
            add_piece(self._draft, kind, text, level, marker)
        else:
            self._add(HtmlPiece(kind, text, level, marker))

    def _settle(self) -> None:
        """What waited is a caption by itself: a picture that stands alone, and a caption over no table."""
        if not self._alone and not self._caption:
            return
        for text in (self._alone, self._caption):
            if text:
                self._add(HtmlPiece(BlockKind.CAPTION, text))
        self._alone = self._caption = ""

    def _add(self, piece: HtmlPiece | HtmlTable) -> None:
        if self._pieces is not None:
            if isinstance(piece, HtmlTable) or piece.text:
                self._pieces.append(piece)
        elif isinstance(piece, HtmlTable):
            piece.lay_out(self._draft)
        else:
            piece.add_to(self._draft)

    def _take(self) -> str:
        text = "".join(self._parts)
        self._parts.clear()
        if self._scripts:
            self._scripts = [(0, refers) for _, refers in self._scripts]
        return text.replace(_SOFT_HYPHEN, "") if _SOFT_HYPHEN in text else text

    def _close_script(self, mark: str) -> None:
        start, refers = self._scripts.pop()
        before = next((self._parts[at] for at in range(start - 1, -1, -1) if self._parts[at]), "")
        text = "".join(self._parts[start:])
        if refers and (found := _NOTE_MARK.fullmatch(text)):
            text = f"[{found[1]}]"
        self._parts[start:] = [script(mark, text, before) if not self._pres else text]

    def _show_picture(self, node: "LexborNode") -> None:
        said = spoken(node.attributes.get("alt") or "")
        around = node.parent
        if said and around is not None and around.tag == "a" and len(said.split()) <= _LABEL_WORDS:
            return
        if said:
            self._said = said
            self._parts.append(f" {said} ")

    def _show_input(self, node: "LexborNode") -> None:
        attributes = node.attributes
        kind = (attributes.get("type") or "text").lower()
        if kind == "checkbox" and self._items:
            self._parts.append(_CHECKED["checked" in attributes])
        elif kind in _WRITTEN and (value := attributes.get("value")):
            self._parts.append(f" {value} ")


class _Around:
    """What a cell stands in, kept until it ends."""

    __slots__ = ("items", "lists", "pieces", "pres")

    def __init__(
        self,
        pieces: "list[HtmlPiece | HtmlTable] | None",
        lists: list[HtmlList],
        items: list[Item],
        pres: int,
    ) -> None:
        self.pieces = pieces
        self.lists = lists
        self.items = items
        self.pres = pres


def _chosen(found: "Sequence[LexborNode]") -> str:
    """The option that is chosen, or the first that can be."""
    options = [(option, option.attributes) for option in found]
    chosen = [pair for pair in options if "selected" in pair[1]][-1:]
    free = [pair for pair in options if "disabled" not in pair[1]]
    return next((attributes.get("label") or option.text() for option, attributes in (*chosen, *free)), "")


def _drawn(node: "LexborNode") -> str:
    """What a drawing says that it shows."""
    title = node.css_first("title")
    return one_line(node.attributes.get("aria-label") or ("" if title is None else title.text()))


def _names_note(node: "LexborNode") -> bool:
    """Whether a link says that it leads to a note, as in books."""
    attributes = node.attributes
    return (
        "noteref" in (attributes.get("epub:type") or "")
        or attributes.get("role") == "doc-noteref"
        or "footnote-ref" in (attributes.get("class") or "")
    )


def _refers(node: "LexborNode") -> bool:
    """Whether what is raised is a link to a note on this page."""
    around = node.parent
    if around is not None and around.tag == "a":
        return "#" in (around.attributes.get("href") or "")
    return node.css_first('a[href*="#"]') is not None


def _equation(node: "LexborNode") -> str:
    markup = _ENTITIES.sub(" ", node.html or "")
    return mathml(parse_xml(markup.encode())) or (node.attributes.get("alttext") or "")
