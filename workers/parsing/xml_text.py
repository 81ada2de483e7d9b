"""Owns XML as text: DocBook, DITA and their like with their structure, feeds by their entries, the rest by elements.

A feed's entry is a part of its own. What holds fields only, as records do, is a paragraph with a line a field.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from lxml import etree

from embedmill.shared.errors import UnreadableDocument
from embedmill.shared.markup import declared_encoding
from embedmill.workers.parsing.confluence import as_html, is_own, is_storage
from embedmill.workers.parsing.draft import Draft, one_line
from embedmill.workers.parsing.feeds import read_feed, read_outline
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.html import read_markup
from embedmill.workers.parsing.markup_in_xml import is_markup
from embedmill.workers.parsing.numerals import numeral
from embedmill.workers.parsing.property_list import properties
from embedmill.workers.parsing.spread import Spread
from embedmill.workers.parsing.text import read_text
from embedmill.workers.parsing.xml import Element, attribute, attributes, local_name, parse_xml
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
_ROWS, _CELLS = frozenset(("row", "tr", "strow", "sthead")), frozenset(("entry", "td", "th", "stentry", "cell"))
_HEADS = frozenset(("thead", "sthead"))
_INLINE = frozenset(
    "emphasis ulink link xref literal command filename application quote phrase code b i em strong u a span sub "
    "sup tt citetitle replaceable option userinput computeroutput envar systemitem package email acronym ph "
    "codeph filepath uicontrol term guilabel function varname parameter productname firstterm keycap trademark "
    "subscript superscript tspan lb br break persName placeName "
    "bold italic monospace underline strike sc styled-content ext-link "
    "inline-formula choice hi emph seg foreign "
    "footnote math strong alternatives tex-math".split()
)
_LABEL, _REFERENCE = "label", "ref"
_TITLED = _TITLES | {_LABEL, "subtitle", "titleabbrev"}
_NAMING = ("name", "key")
"""Attributes that tell fields apart which all are called the same."""
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_FEEDS = frozenset(("rss", "feed", "RDF"))


def read(data: bytes, draft: Draft) -> None:
    """What is no XML is kept as plain text, with a note."""
    text = draft.decode(data, declared=declared_encoding(data))
    try:
        root = parse_xml(_DECLARATION.sub("", text).encode("utf-8", "replace"))
    except UnreadableDocument as error:
        if is_storage(text) and (page := as_html(text)) is not None:
            read_markup(page, draft)
            return
        draft.note(f"kept as plain text: {error}")
        read_text(text, draft)
        return
    if any(True for _ in root.iter(etree.Entity)):
        draft.note("entities that the file defines were left out")
    _read_root(root, text, draft)
    if draft.is_empty:
        _read_attributes(root, draft)


def _read_root(root: Element, text: str, draft: Draft) -> None:
    name = local_name(root)
    if name in _FEEDS:
        read_feed(root, draft)
    elif name == "opml":
        read_outline(root, draft)
    elif name == "plist":
        draft.paragraph("\n".join(properties(root)))
    elif is_own(root) and (page := as_html(text)) is not None:
        read_markup(page, draft)
    else:
        _XmlReader(draft).read(root, level=0)


def _read_attributes(root: Element, draft: Draft) -> None:
    """What has its words in attributes alone is a record an element."""
    for element in root.iter("{*}*"):
        name = local_name(element)
        draft.paragraph("\n".join(f"{name}.{key}: {value}" for key, value in attributes(element).items()))


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
        elif name in _TABLES and any(local_name(each) in _CELLS for each in element.iter()):
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
            self._read_leaf(element)
        if local_name(element) == _REFERENCE and local_name(next(iter(element), element)) == _LABEL:
            self._read_item(element, "", level=level, depth=max(depth, 0))
            return
        label = ""
        for child in element:
            name = local_name(child)
            if name == _LABEL and (behind := child.getnext()) is not None and local_name(behind) in _TITLES:
                label = self._words.flat(child)
            elif label and name in _TITLES:
                self._draft.heading(f"{label} {self._words.flat(child)}", level=max(level, 1))
                label = ""
            elif name:
                self.read(child, level=level, depth=depth)

    def _read_leaf(self, element: Element) -> None:
        """Some formats have HTML as a text in an element."""
        text = element.text or ""
        if not is_markup(text):
            self._draft.paragraph(self._words.flat(element))
            return
        page = as_html(text.replace("]] >", "]]>")) if is_storage(text) else None
        read_markup(page or text, self._draft)

    def _read_captioned(self, element: Element, *, level: int, depth: int) -> None:
        """Its title, and each of its words once: what stands for a picture may say its title again."""
        if (table := next((child for child in element if local_name(child) in _TABLES), None)) is not None:
            self._read_headed(element, table, level=level, depth=depth)
            return
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

    def _read_headed(self, element: Element, table: Element, *, level: int, depth: int) -> None:
        """What stands over a table goes with it, and its notes stand behind."""
        over = [child for child in element if local_name(child) in _TITLES | {"caption", _LABEL}]
        self._read_table(table, " ".join(filter(None, map(self._words.flat, over))))
        for child in element:
            if local_name(child) and child is not table and child not in over:
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

    def _read_table(self, element: Element, over: str = "") -> None:
        titles = (each for each in element if local_name(each) in _TITLES | {"caption"})
        title = next(map(self._words.flat, titles), over)
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


def _fields(element: Element) -> list[str]:
    """`name: value` of each child, where all of them are short values under names."""
    children = [child for child in element if local_name(child)]
    if len(children) < 2 or any(len(child) for child in children) or (element.text or "").strip():
        return []
    names = [local_name(child) for child in children]
    if any(name in _TEXTS | _CODE | _ITEMS | _CELLS for name in names[1:]):
        return []
    if names[0] == _LABEL and local_name(element) == _REFERENCE:
        return []
    if any(name in _TITLES for name in names[1:]) and (len(names) < 3 or _TITLED.issuperset(names)):
        return []
    values = [_flat(child) for child in children]
    if any(len(value) > LONGEST_FIELD or is_markup(value) for value in values):
        return []
    names = _told_apart(children, names)
    return [f"{name}: {value}" for name, value in zip(names, values, strict=True) if value]


def _told_apart(children: Sequence[Element], names: list[str]) -> list[str]:
    if len(set(names)) > 1:
        return names
    told = ([attribute(child, naming) for child in children] for naming in _NAMING)
    return next((found for found in told if all(found) and len(set(found)) == len(found)), names)


def _is_head(row: Element) -> bool:
    parent = row.getparent()
    return (
        local_name(row) in _HEADS
        or attribute(row, "role") == "label"
        or (parent is not None and local_name(parent) in _HEADS)
    )


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
