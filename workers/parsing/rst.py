"""Owns reStructuredText: docutils' structure, with each paragraph's source text and no directive that reads files."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

from embedmill.workers.parsing.alternatives import spoken
from embedmill.workers.parsing.draft import Draft, clean
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.list_items import BULLET, Item
from embedmill.workers.parsing.numerals import numeral
from embedmill.workers.parsing.spread import Spread
from embedmill.workers.parsing.text import read_text

if TYPE_CHECKING:
    from docutils import nodes
    from docutils.frontend import Values

DIRECTIVE_DEPTH = 12
SLOW_CHARS = 4_000_000

_EMPTY = "\\"
"""What stands in a simple table's first cell where there is nothing."""
_SEVERE = 5
_ERROR = 3
"""From here on docutils leaves out what it complains of."""
_SETTINGS: dict[str, object] = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": _SEVERE,
    "halt_level": _SEVERE,
    "syntax_highlight": "none",
    "line_length_limit": 10_000_000,
    "warning_stream": False,
}
_STYLES = {"loweralpha": "letters", "upperalpha": "LETTERS", "lowerroman": "roman", "upperroman": "ROMAN"}
_INCLUDED = re.compile(r"^[ \t]*\.\. (?:literal)?include::[ \t]+(\S.*)$", re.MULTILINE)
_OPTION = re.compile(r"\s*:[\w-]+:")
# docutils' own `class` sets a style name; Sphinx's documents a class, whose signature must not be lost.
_SPHINX_CLASS = re.compile(r"^([ \t]*\.\. )class(?=::[ \t]+(?:[A-Z]|[\w.]+\())", re.MULTILINE)
_UNKNOWN = re.compile(r"\A\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?[\w.:+-]+?::[ \t]*(.*)\Z", re.DOTALL)


def read(data: bytes, draft: Draft) -> None:
    """Over `SLOW_CHARS`, or where docutils itself fails, the text is kept as plain text, with a note."""
    text = _SPHINX_CLASS.sub(r"\1py:class", clean(draft.decode(data)))
    for name in _INCLUDED.findall(text):
        draft.note(f"a file that it includes was left out: {name}")
    blocks = Draft(draft.media_type, name=draft.name, limits=draft.limits)
    if len(text) <= SLOW_CHARS and _read_structure(text, blocks):
        draft.extend(blocks.finish())
    else:
        draft.note("its reStructuredText could not be followed; kept as plain text")
        read_text(text, draft)


def _read_structure(text: str, draft: Draft) -> bool:
    from docutils.utils import SystemMessage

    try:
        _RstReader(draft).read(text, level=0, depth=0)
    except (SystemMessage, RecursionError, AttributeError, IndexError, KeyError, TypeError, ValueError, AssertionError):
        return False
    return True


@cache
def _settings() -> "Values":
    """Nothing is inserted from files or addresses, nothing raw is let through, nothing is printed."""
    from docutils.frontend import get_default_settings
    from docutils.parsers.rst import Parser

    settings = get_default_settings(Parser)
    for name, value in _SETTINGS.items():
        setattr(settings, name, value)
    return settings


class _RstReader:
    """Walks docutils' tree; what it calls an error, such as Sphinx's directives, is read as indented text."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._items: list[Item] = []

    def read(self, text: str, *, level: int, depth: int) -> None:
        from docutils.parsers.rst import Parser
        from docutils.utils import new_document

        document = new_document("document", _settings().copy())
        Parser().parse(text, document)
        self._read_children(document, level, depth)

    def _read_children(self, node: "nodes.Element", level: int, depth: int) -> None:
        for child in _elements(node):
            self._read_node(child, level, depth)

    def _read_node(self, node: "nodes.Element", level: int, depth: int) -> None:
        from docutils import nodes

        match node:
            case nodes.comment() | nodes.substitution_definition() | nodes.target() | nodes.pending():
                return
            case nodes.system_message():
                self._read_unknown(node, level, depth)
            case nodes.section():
                self._read_children(node, level + 1, depth)
            case nodes.title() if not isinstance(node.parent, nodes.section | nodes.document):
                self._add_text(_source(node))
            case nodes.title() | nodes.subtitle() | nodes.rubric():
                self._draft.heading(_source(node), level=max(level, 1))
            case nodes.literal_block() | nodes.doctest_block() | nodes.math_block():
                self._draft.code(node.astext())
            case nodes.table():
                self._read_table(node)
            case nodes.figure() | nodes.image() | nodes.caption():
                self._read_figure(node, level, depth)
            case _:
                self._read_listed(node, level, depth)

    def _read_listed(self, node: "nodes.Element", level: int, depth: int) -> None:
        from docutils import nodes

        match node:
            case nodes.enumerated_list() | nodes.bullet_list():
                self._read_list(node, level, depth)
            case nodes.definition_list_item() | nodes.option_list_item():
                self._read_definition(node, level, depth)
            case nodes.field():
                self._read_behind(f"{_named(node, nodes.field_name)}: ", node, level, depth)
            case nodes.footnote() | nodes.citation():
                self._read_behind(f"[{_label(node)}] ", node, level, depth)
            case nodes.line_block():
                self._add_text("\n".join(_source(line) for line in node.findall(nodes.line)))
            case nodes.TextElement():
                self._add_text(_source(node))
            case _:
                self._read_children(node, level, depth)

    def _add_text(self, text: str) -> None:
        if self._items:
            marker, deep = self._items[-1].take()
            self._draft.list_item(text, marker=marker, depth=deep)
        else:
            self._draft.paragraph(text)

    def _read_list(self, node: "nodes.Element", level: int, depth: int) -> None:
        for number, child in enumerate(_elements(node)):
            with self._item(_marker(node, number)):
                self._read_children(child, level, depth)

    @contextmanager
    def _item(self, marker: str, *, deeper: int = 0) -> Iterator[None]:
        """An item below the one that is open; `deeper` is by how much more."""
        deep = (self._items[-1].deeper if self._items else 0) + deeper
        self._items.append(Item(marker, deep, deep + 1 - deeper))
        yield
        self._items.pop()

    def _read_definition(self, node: "nodes.Element", level: int, depth: int) -> None:
        """A term, or options, and what they mean one level deeper."""
        from docutils import nodes

        terms = [child for child in _elements(node) if isinstance(child, nodes.term | nodes.option_group)]
        with self._item(""):
            self._add_text(", ".join(_source(term).replace("\n", ", ") for term in terms))
        with self._item("", deeper=1):
            for child in node.children:
                if isinstance(child, nodes.definition | nodes.description):
                    self._read_children(child, level, depth)

    def _read_behind(self, lead: str, node: "nodes.Element", level: int, depth: int) -> None:
        """A field or note: its first words stand behind its name or mark."""
        from docutils import nodes

        bodies = [child for child in _elements(node) if not isinstance(child, nodes.field_name | nodes.label)]
        blocks = [found for child in bodies for found in (_elements(child) if _is_body(child) else [child])]
        first = blocks[0] if blocks and isinstance(blocks[0], nodes.paragraph) else None
        with self._item("") if isinstance(node, nodes.field) else nullcontext():
            self._add_text(f"{lead}{'' if first is None else _source(first)}".strip())
            for child in blocks if first is None else blocks[1:]:
                self._read_node(child, level, depth)

    def _read_figure(self, node: "nodes.Element", level: int, depth: int) -> None:
        """Its caption, and its alternative text where that says something else."""
        from docutils import nodes

        caption = " ".join(_source(found) for found in node.findall(nodes.caption))
        said = [spoken(image.get("alt", "")) for image in node.findall(nodes.image)]
        for text in [*(text for text in said if text not in caption), caption]:
            self._draft.caption(text)
        for child in _elements(node):
            if isinstance(child, nodes.legend):
                self._read_children(child, level, depth)

    def _read_table(self, node: "nodes.Element") -> None:
        from docutils import nodes

        title = " ".join(_source(child) for child in node.children if isinstance(child, nodes.title))
        rows = [row for row in node.findall(nodes.row) if _table_of(row) is node]
        heads = sum(isinstance(row.parent, nodes.thead) for row in rows)
        cells = [[self._cell(entry) for entry in _elements(row)] for row in rows]
        Spread(title, cells, heads or None).lay_out(self._draft)

    def _cell(self, entry: "nodes.Element") -> Cell:
        """What stands in a cell, read by itself, on one line."""
        draft = Draft(self._draft.media_type, name="", limits=self._draft.limits)
        _RstReader(draft)._read_children(entry, 1, DIRECTIVE_DEPTH)  # noqa: SLF001  # a reader of its own for the cell
        text = " ".join(block.text.strip() for block in draft.finish().blocks)
        text = "" if text == _EMPTY else text
        return Cell(text, 1 + entry.get("morecols", 0), 1 + entry.get("morerows", 0))

    def _read_unknown(self, node: "nodes.Element", level: int, depth: int) -> None:
        """A directive that docutils does not know keeps its argument as a paragraph and its body as text.

        What else docutils leaves out as an error, as a malformed table or title, is text; it keeps what it warns of.
        """
        from docutils import nodes

        for child in node.children:
            if not isinstance(child, nodes.literal_block):
                continue
            if not (found := _UNKNOWN.match(child.astext())):
                if node["level"] >= _ERROR:
                    self._add_text(child.astext())
                continue
            argument, body = _split_directive(found[1])
            self._add_text(argument)
            if body and depth < DIRECTIVE_DEPTH:
                self.read(body, level=level, depth=depth + 1)
            elif body:
                self._add_text(body)


def _elements(node: "nodes.Element") -> "list[nodes.Element]":
    from docutils import nodes

    return [child for child in node.children if isinstance(child, nodes.Element)]


def _is_body(node: "nodes.Element") -> bool:
    from docutils import nodes

    return isinstance(node, nodes.field_body)


def _named(node: "nodes.Element", kind: "type[nodes.Element]") -> str:
    return " ".join(_source(child) for child in _elements(node) if isinstance(child, kind))


def _label(node: "nodes.Element") -> str:
    """A note that docutils would number has a name at most."""
    from docutils import nodes

    return _named(node, nodes.label) or " ".join(node.get("names", ())) or ("#" if node.get("auto") else "")


def _marker(node: "nodes.Element", number: int) -> str:
    if "enumtype" not in node:
        return BULLET
    written = numeral(node.get("start", 1) + number, _STYLES.get(node["enumtype"], "decimal"))
    return f"{node.get('prefix', '')}{written}{node.get('suffix', '.')}"


def _table_of(row: "nodes.Node") -> "nodes.Node | None":
    from docutils import nodes

    around = row.parent
    while around is not None and not isinstance(around, nodes.table):
        around = around.parent
    return around


def _split_directive(text: str) -> tuple[str, str]:
    """The argument, and the body without its options and indentation."""
    from textwrap import dedent

    argument, _, rest = text.partition("\n")
    lines = rest.split("\n")
    while lines and (_OPTION.match(lines[0]) or (not lines[0].strip() and len(lines) > 1)):
        lines.pop(0)
    return argument.strip(), dedent("\n".join(lines)).strip("\n")


def _source(node: "nodes.Element") -> str:
    from docutils import nodes

    if isinstance(node, nodes.TextElement):
        return node.rawsource or node.astext()
    return "\n".join(_source(child) for child in node.children if isinstance(child, nodes.Element))
