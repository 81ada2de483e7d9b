"""Owns XML as text: DocBook, DITA and their like with their structure, feeds by their entries, the rest by elements.

A feed's entry is a part of its own. What holds fields only, as records do, is a paragraph with a line a field.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from lxml import etree

from embedmill.shared.errors import UnreadableDocument
from embedmill.shared.markup import declared_encoding
from embedmill.workers.parsing.draft import Draft, one_line
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.html import read_markup
from embedmill.workers.parsing.numerals import numeral
from embedmill.workers.parsing.spread import Spread
from embedmill.workers.parsing.text import read_text
from embedmill.workers.parsing.xml import Element, attribute, local_name, parse_xml
from embedmill.workers.parsing.xml_words import XmlWords

LONGEST_FIELD = 200
"""Characters of a value that stands in a line with its name."""

_SECTIONS = frozenset(
    "article book part chapter appendix preface section sect1 sect2 sect3 sect4 sect5 simplesect refentry "
    "refsect1 refsect2 refsection topic concept task reference glossary bibliography sec".split()
)
_TITLES = frozenset(("title", "refname", "head", "article-title", "book-title"))
# A title in one of these is no section's.
_CAPTIONED = frozenset("figure example informalexample fig table-wrap equation mediaobject".split())
_CODE = frozenset("programlisting screen literallayout synopsis codeblock pre verbatim code-block".split())
_TEXTS = frozenset("para simpara p formalpara shortdesc cmd abstract-p".split())
_NUMBERED = frozenset("orderedlist ol procedure steps substeps".split())
_LISTS = _NUMBERED | frozenset("itemizedlist ul simplelist sl steps-unordered list".split())
_ITEMS = frozenset("listitem li step substep member sli list-item".split())
_TERMS, _MEANINGS = frozenset(("term", "glossterm", "dt")), frozenset(("listitem", "def", "glossdef", "dd"))
_DEFINED = frozenset("varlistentry def-item glossentry dlentry".split())
# How DocBook, HTML and JATS call the numbers of a list.
_NUMERALS = {
    "arabic": "decimal", "order": "decimal", "1": "decimal", "loweralpha": "letters", "alpha-lower": "letters",
    "a": "letters", "upperalpha": "LETTERS", "alpha-upper": "LETTERS", "A": "LETTERS", "lowerroman": "roman",
    "roman-lower": "roman", "i": "roman", "upperroman": "ROMAN", "roman-upper": "ROMAN", "I": "ROMAN",
}  # fmt: skip
_VERSE = "lg"
_WHOLE = frozenset(("math", "alternatives", _VERSE))
_PICTURES = frozenset(("binary", "imagedata", "graphic"))
_TABLES = frozenset(("table", "informaltable", "simpletable"))
_ROWS, _CELLS = frozenset(("row", "tr", "strow", "sthead")), frozenset(("entry", "td", "th", "stentry"))
_HEADS = frozenset(("thead", "sthead"))
_INLINE = frozenset(
    "emphasis ulink link xref literal command filename application quote phrase code b i em strong u a span sub "
    "sup tt citetitle replaceable option userinput computeroutput envar systemitem package email acronym ph "
    "codeph filepath uicontrol term guilabel function varname parameter productname firstterm keycap trademark "
    "subscript superscript tspan lb br break persName placeName "
    "bold italic monospace underline strike sc styled-content ext-link "
    "inline-formula "
    "footnote math strong alternatives tex-math".split()
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
        draft.note(f"kept as plain text: {error}")
        read_text(text, draft)
        return
    if any(True for _ in root.iter(etree.Entity)):
        draft.note("entities that the file defines were left out")
    if local_name(root) in _FEEDS:
        _read_feed(root, draft)
    elif local_name(root) == "opml":
        _read_outline(root, draft)
    else:
        _XmlReader(draft).read(root, level=0)


class _XmlReader:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._words = XmlWords(draft)
        self._counted: dict[int, int] = {}

    def read(self, element: Element, *, level: int, depth: int = -1) -> None:
        """`level` counts the sections around, `depth` the lists."""
        self._read_block(element, local_name(element), level=level, depth=depth)
        self._words.settle()

    def _read_block(self, element: Element, name: str, *, level: int, depth: int) -> None:
        if name in _TITLES:
            self._draft.heading(self._words.flat(element), level=max(level, 1))
        elif name in _PICTURES:
            if element.text and element.text.strip():
                self._draft.note("pictures left out")
        elif name in _CAPTIONED:
            self._read_captioned(element, level=level, depth=depth)
        elif name in _DEFINED:
            self._read_defined(element, level=level, depth=max(depth, 0))
        elif name in _WHOLE:
            lines = map(self._words.flat, element) if name == _VERSE else (self._words.flat(element),)
            self._draft.paragraph("\n".join(lines))
        elif name in _CODE or (name == "code" and "\n" in (element.text or "")):
            self._draft.code("".join(_texts(element)))
        elif name in _TABLES and any(local_name(each) in _ROWS for each in element.iter()):
            self._read_table(element)
        elif name in _LISTS and (name != "list" or any(local_name(child) in _ITEMS for child in element)):
            self._read_list(element, level=level, depth=depth + 1)
        elif name in _TEXTS or _is_mixed(element):
            self._read_mixed(element, level=level, depth=depth)
        elif fields := _fields(element):
            self._draft.paragraph("\n".join(fields))
        else:
            self._read_children(element, level=level + (name in _SECTIONS), depth=depth)

    def _read_children(self, element: Element, *, level: int, depth: int) -> None:
        if not len(element):
            self._draft.paragraph(self._words.flat(element))
        for child in element:
            if local_name(child):
                self.read(child, level=level, depth=depth)

    def _read_captioned(self, element: Element, *, level: int, depth: int) -> None:
        """Its title, and each of its words once: what stands for a picture may say its title again."""
        said: set[str] = set()
        for child in element:
            if local_name(child) in _TITLES | {"caption", "label", "textobject", "alt-text"}:
                text = self._words.flat(child)
                if text not in said:
                    self._draft.caption(text)
                said.add(text)
            elif local_name(child) == "mediaobject" and all(self._words.flat(each) in said | {""} for each in child):
                continue
            elif local_name(child):
                self.read(child, level=level, depth=depth)

    def _read_defined(self, element: Element, *, level: int, depth: int) -> None:
        """A term, and below it what it means."""
        for child in element:
            name = local_name(child)
            if name in _TERMS:
                self._draft.list_item(self._words.flat(child), depth=depth)
            elif name in _MEANINGS:
                self._read_item(child, "", level=level, depth=depth + 1)
            elif name:
                self.read(child, level=level, depth=depth)

    def _read_mixed(self, element: Element, *, level: int, depth: int) -> None:
        """Text with marked words is one paragraph; blocks within it stand between its halves."""
        words = [before := element.text or ""]
        for child in element:
            if local_name(child) and not _is_inline(child):
                self._draft.paragraph(one_line("".join(words)))
                words, before = [], ""
                self.read(child, level=level, depth=depth)
            else:
                words.append(self._words.within(child, before) if local_name(child) else "")
                before = words[-1] or before
            words.append(child.tail or "")
            before = words[-1] or before
        self._draft.paragraph(one_line("".join(words)))

    def _read_list(self, element: Element, *, level: int, depth: int) -> None:
        style = _numerals_of(element)
        number = _whole(attribute(element, "startingnumber") or attribute(element, "start"), 1) - 1
        if attribute(element, "continuation") == "continues":
            number = self._counted.get(depth, 0)
        for child in element:
            if local_name(child) in _ITEMS:
                number = _whole(attribute(child, "override"), number + 1)
                self._read_item(child, f"{numeral(number, style)}." if style else "-", level=level, depth=depth)
            elif local_name(child):
                self.read(child, level=level, depth=depth - 1)
        self._counted[depth] = number

    def _read_item(self, item: Element, marker: str, *, level: int, depth: int) -> None:
        """The first words stand behind the marker; further paragraphs, lists and blocks of code below."""
        below = [child for child in item if local_name(child) in _LISTS | _CODE | _TABLES]
        inside = {id(child) for child in below}
        passages = [item.text or ""]
        for child in item:
            name = local_name(child)
            if name == "label":
                marker = self._words.flat(child) or marker
            elif id(child) not in inside and name:
                if name in _TEXTS and passages[-1].strip():
                    passages.append("")
                passages[-1] += self._words.within(child, passages[-1])
            passages[-1] += child.tail or ""
        for number, passage in enumerate(passages):
            is_first = number == 0
            text = one_line(passage)
            below_it = depth + bool(marker)
            self._draft.list_item(text, marker=marker if is_first else "", depth=depth if is_first else below_it)
        self._words.settle()
        for child in below:
            self.read(child, level=level, depth=depth)

    def _read_table(self, element: Element) -> None:
        titles = (each for each in element if local_name(each) in ("title", "caption"))
        title = next(map(self._words.flat, titles), "")
        rows = [each for each in element.iter() if local_name(each) in _ROWS]
        columns = {attribute(each, "colname"): number for number, each in enumerate(element.iter("{*}colspec"))}
        lines = [[self._cell(cell, columns) for cell in row if local_name(cell) in _CELLS] for row in rows]
        heads = sum(_is_head(row) for row in rows) or next(
            (number for number, row in enumerate(rows) if any(local_name(cell) != "th" for cell in row)), 0
        )
        Spread(title, lines, heads or None).lay_out(self._draft)

    def _cell(self, cell: Element, columns: Mapping[str, int]) -> Cell:
        """CALS says spans by rows and by names of columns, HTML by numbers."""
        first, last = columns.get(attribute(cell, "namest")), columns.get(attribute(cell, "nameend"))
        spans = _whole(attribute(cell, "colspan"), 1)
        if first is not None and last is not None:
            spans = last - first + 1
        rows = _whole(attribute(cell, "morerows"), 0) + 1 if attribute(cell, "morerows") else 0
        rows = rows or _whole(attribute(cell, "rowspan"), 1)
        return Cell(" ".join(self._cell_words(cell)), max(spans, 1), max(rows, 1))

    def _cell_words(self, cell: Element) -> Iterator[str]:
        """Blocks within a cell keep a blank between them, and items their markers."""
        if not any(local_name(child) in _TEXTS | _LISTS for child in cell):
            yield self._words.flat(cell)
            return
        for child in cell:
            if local_name(child) in _LISTS:
                style = _numerals_of(child)
                items = (item for item in child if local_name(item) in _ITEMS)
                for number, item in enumerate(items, start=1):
                    yield (
                        f"{numeral(number, style)}. {self._words.flat(item)}"
                        if style
                        else f"- {self._words.flat(item)}"
                    )
            elif local_name(child):
                yield self._words.flat(child)


def _numerals_of(element: Element) -> str:
    """How the items of a list are numbered; "" for bullets."""
    said = attribute(element, "numeration") or attribute(element, "list-type") or attribute(element, "type")
    if local_name(element) == "list":
        return _NUMERALS.get(said, "")
    return _NUMERALS.get(said, "decimal") if local_name(element) in _NUMBERED else ""


def _whole(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 6 else default


def _read_outline(root: Element, draft: Draft) -> None:
    """OPML has its words in attributes."""
    draft.title = root.findtext("head/title") or ""
    draft.heading(draft.title, level=1)
    for outline in root.iter("outline"):
        depth = sum(1 for _ in outline.iterancestors("outline"))
        text, note = outline.get("text") or outline.get("title") or "", outline.get("_note") or ""
        link = outline.get("xmlUrl") or outline.get("url") or ""
        draft.list_item("\n".join(filter(None, (text, note, link))), marker="-", depth=depth)


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
