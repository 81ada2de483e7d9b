"""Owns XML as text: DocBook, DITA and their like with their structure, feeds by their entries, the rest by elements.

A feed's entry is a part of its own. What holds fields only, as records do, is a paragraph with a line a field.
"""

import re
from collections.abc import Iterator, Sequence

from embedmill.shared.errors import UnreadableDocument
from embedmill.shared.markup import declared_encoding
from embedmill.workers.parsing.draft import Draft, one_line
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.html import read_markup
from embedmill.workers.parsing.spread import Spread
from embedmill.workers.parsing.text import read_text
from embedmill.workers.parsing.xml import Element, attribute, local_name, parse_xml

LONGEST_FIELD = 200
"""Characters of a value that stands in a line with its name."""

_SECTIONS = frozenset(
    "article book part chapter appendix preface section sect1 sect2 sect3 sect4 sect5 simplesect refentry "
    "refsect1 refsect2 refsection topic concept task reference glossary bibliography sec".split()
)
_TITLES = frozenset(("title", "refname", "head"))
_CODE = frozenset("programlisting screen literallayout synopsis codeblock pre verbatim code-block".split())
_TEXTS = frozenset("para simpara p formalpara shortdesc cmd abstract-p".split())
_NUMBERED = frozenset("orderedlist ol procedure steps substeps".split())
_LISTS = _NUMBERED | frozenset("itemizedlist ul simplelist sl steps-unordered".split())
_ITEMS = frozenset("listitem li step substep member sli".split())
_TABLES = frozenset(("table", "informaltable", "simpletable"))
_ROWS, _CELLS = frozenset(("row", "tr", "strow", "sthead")), frozenset(("entry", "td", "th", "stentry"))
_HEADS = frozenset(("thead", "sthead"))
_INLINE = frozenset(
    "emphasis ulink link xref literal command filename application quote phrase code b i em strong u a span sub "
    "sup tt citetitle replaceable option userinput computeroutput envar systemitem package email acronym ph "
    "codeph filepath uicontrol term guilabel function varname parameter productname firstterm keycap trademark "
    "subscript superscript tspan".split()
)
_ENTRIES = frozenset(("item", "entry"))
_BODIES = ("encoded", "content", "description", "summary")
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_FEEDS = frozenset(("rss", "feed", "RDF"))


def read(data: bytes, draft: Draft) -> None:
    """What is no XML is kept as plain text, with a note."""
    text = draft.decode(data, declared=declared_encoding(data))
    try:
        root = parse_xml(_DECLARATION.sub("", text).encode("utf-8", "replace"))
    except UnreadableDocument as error:
        draft.note(f"not valid XML; kept as plain text: {error}")
        read_text(text, draft)
        return
    if local_name(root) in _FEEDS:
        _read_feed(root, draft)
    else:
        _Reader(draft).read(root, level=0)


class _Reader:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def read(self, element: Element, *, level: int, depth: int = -1) -> None:
        """`level` counts the sections around, `depth` the lists."""
        name = local_name(element)
        if name in _TITLES:
            self._draft.heading(_flat(element), level=max(level, 1))
        elif name in _CODE:
            self._draft.code("".join(_texts(element)))
        elif name in _TABLES and any(local_name(each) in _ROWS for each in element.iter()):
            self._read_table(element)
        elif name in _LISTS:
            self._read_list(element, level=level, depth=depth + 1)
        elif name in _TEXTS or _is_mixed(element):
            self._read_mixed(element, level=level, depth=depth)
        elif fields := _fields(element):
            self._draft.paragraph("\n".join(fields))
        else:
            self._read_children(element, level=level + (name in _SECTIONS), depth=depth)

    def _read_children(self, element: Element, *, level: int, depth: int) -> None:
        if not len(element):
            self._draft.paragraph(_flat(element))
        for child in element:
            if local_name(child):
                self.read(child, level=level, depth=depth)

    def _read_mixed(self, element: Element, *, level: int, depth: int) -> None:
        """Text with marked words is one paragraph; blocks within it stand between its halves."""
        words = [element.text or ""]
        for child in element:
            if local_name(child) and not _is_inline(child):
                self._draft.paragraph(one_line("".join(words)))
                words = []
                self.read(child, level=level, depth=depth)
            else:
                words += _texts(child) if local_name(child) else ()
            words.append(child.tail or "")
        self._draft.paragraph(one_line("".join(words)))

    def _read_list(self, element: Element, *, level: int, depth: int) -> None:
        number = 0
        for child in element:
            if local_name(child) in _ITEMS:
                number += 1
                marker = f"{number}." if local_name(element) in _NUMBERED else "-"
                self._read_item(child, marker, level=level, depth=depth)
            elif local_name(child):
                self.read(child, level=level, depth=depth - 1)

    def _read_item(self, item: Element, marker: str, *, level: int, depth: int) -> None:
        """The first words stand behind the marker; lists and blocks of code below."""
        below = [child for child in item if local_name(child) in _LISTS | _CODE | _TABLES]
        inside = {id(child) for child in below}
        words = [item.text or ""]
        for child in item:
            if id(child) not in inside and local_name(child):
                words += [*_texts(child), " "]
            words.append(child.tail or "")
        self._draft.list_item(one_line("".join(words)), marker=marker, depth=depth)
        for child in below:
            self.read(child, level=level, depth=depth)

    def _read_table(self, element: Element) -> None:
        title = next((_flat(child) for child in element if local_name(child) in ("title", "caption")), "")
        rows = [each for each in element.iter() if local_name(each) in _ROWS]
        lines = [[_cell(cell) for cell in row if local_name(cell) in _CELLS] for row in rows]
        heads = sum(_is_head(row) for row in rows)
        Spread(title, lines, heads).lay_out(self._draft)


def _read_feed(root: Element, draft: Draft) -> None:
    """The feed's own title and words, then each entry under its title."""
    channel = next((each for each in root if local_name(each) == "channel"), root)
    draft.title = _child(channel, "title")
    draft.heading(draft.title, level=1)
    draft.paragraph(_child(channel, "description", "subtitle"))
    for entry in root.iter():
        if local_name(entry) in _ENTRIES:
            draft.part()
            _read_entry(entry, draft)


def _read_entry(entry: Element, draft: Draft) -> None:
    draft.heading(_child(entry, "title"), level=2)
    about = _child(entry, "creator", "author"), _child(entry, "pubDate", "published", "updated", "date"), _link(entry)
    draft.paragraph("\n".join(filter(None, about)))
    found = {local_name(child): child for child in entry if local_name(child) in _BODIES}
    body = next((found[name] for name in _BODIES if name in found), None)
    if body is not None:
        read_markup(_inner(body), draft)


def _inner(body: Element) -> str:
    """The HTML that a feed quotes, or holds as elements; plain words pass through HTML as they are."""
    if not len(body):
        return body.text or ""
    return "".join(_texts(body))


def _link(entry: Element) -> str:
    link = next((child for child in entry if local_name(child) == "link"), None)
    return "" if link is None else (link.text or "").strip() or attribute(link, "href")


def _child(element: Element, *names: str) -> str:
    return next((text for child in element if local_name(child) in names and (text := _flat(child))), "")


def _fields(element: Element) -> list[str]:
    """`name: value` of each child, where all of them are short values under names."""
    children = [child for child in element if local_name(child)]
    if len(children) < 2 or any(len(child) for child in children) or (element.text or "").strip():
        return []
    if any(local_name(child) in _TITLES | _TEXTS | _CODE | _ITEMS | _CELLS for child in children[1:]):
        return []
    values = [(local_name(child), _flat(child)) for child in children]
    if any(len(value) > LONGEST_FIELD for _, value in values):
        return []
    return [f"{name}: {value}" for name, value in values if value]


def _cell(cell: Element) -> Cell:
    """CALS says spans by rows and by names of columns; the latter need its columns' definitions and are left."""
    rows = attribute(cell, "morerows")
    columns = attribute(cell, "colspan")
    return Cell(_flat(cell), int(columns) if columns.isdecimal() else 1, int(rows) + 1 if rows.isdecimal() else 1)


def _is_head(row: Element) -> bool:
    parent = row.getparent()
    return local_name(row) in _HEADS or (parent is not None and local_name(parent) in _HEADS)


def _is_mixed(element: Element) -> bool:
    own: Sequence[str | None] = [element.text, *(child.tail for child in element)]
    return bool(len(element)) and any(text and text.strip() for text in own)


def _is_inline(element: Element) -> bool:
    name = local_name(element)
    if name in _TEXTS | _CODE | _LISTS | _TABLES | _TITLES | _SECTIONS:
        return False
    return name in _INLINE or not len(element)


def _flat(element: Element) -> str:
    return one_line("".join(_texts(element)))


def _texts(element: Element) -> Iterator[str]:
    """All text in an element; comments, entities and instructions have none."""
    for text in element.itertext():
        yield str(text)
