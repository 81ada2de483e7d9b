"""Owns reStructuredText: docutils' structure, with each paragraph's source text and no directive that reads files."""

import re
from functools import cache
from typing import TYPE_CHECKING

from embedmill.workers.parsing.draft import Draft, clean
from embedmill.workers.parsing.text import read_text

if TYPE_CHECKING:
    from docutils import nodes
    from docutils.frontend import Values

DIRECTIVE_DEPTH = 12
SLOW_CHARS = 4_000_000

_SEVERE = 5
_SETTINGS: dict[str, object] = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": _SEVERE,
    "halt_level": _SEVERE,
    "syntax_highlight": "none",
    "line_length_limit": 10_000_000,
    "warning_stream": False,
}
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
        _Reader(draft).read(text, level=0, depth=0)
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


class _Reader:
    """Walks docutils' tree; what it calls an error, such as Sphinx's directives, is read as indented text."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def read(self, text: str, *, level: int, depth: int) -> None:
        from docutils.parsers.rst import Parser
        from docutils.utils import new_document

        document = new_document("document", _settings().copy())
        Parser().parse(text, document)
        self._read_children(document, level, depth)

    def _read_children(self, node: "nodes.Element", level: int, depth: int) -> None:
        from docutils import nodes

        for child in node.children:
            if isinstance(child, nodes.Element):
                self._read_node(child, level, depth)

    def _read_node(self, node: "nodes.Element", level: int, depth: int) -> None:
        from docutils import nodes

        match node:
            case nodes.comment() | nodes.substitution_definition() | nodes.target() | nodes.pending() | nodes.image():
                return
            case nodes.system_message():
                self._read_unknown(node, level, depth)
            case nodes.section():
                self._read_children(node, level + 1, depth)
            case nodes.title() | nodes.subtitle() | nodes.rubric():
                self._draft.heading(_source(node), level=max(level, 1))
            case nodes.literal_block() | nodes.doctest_block() | nodes.math_block():
                self._draft.code(node.astext())
            case nodes.table():
                self._read_table(node)
            case nodes.list_item() | nodes.field() | nodes.option_list_item():
                self._read_item(node, level, depth)
            case nodes.TextElement():
                self._draft.paragraph(_source(node))
            case _:
                self._read_children(node, level, depth)

    def _read_table(self, node: "nodes.Element") -> None:
        from docutils import nodes

        table = self._draft.table(" ".join(_source(title) for title in node.findall(nodes.title)))
        for row in node.findall(nodes.row):
            add = table.head if isinstance(row.parent, nodes.thead) else table.row
            add([_source(entry) for entry in row.children if isinstance(entry, nodes.Element)])

    def _read_item(self, node: "nodes.Element", level: int, depth: int) -> None:
        from docutils import nodes

        first, rest = node.children[:1], node.children[1:]
        if first and isinstance(first[0], nodes.TextElement):
            self._draft.list_item(_source(first[0]))
        else:
            rest = node.children
        for child in rest:
            if isinstance(child, nodes.Element):
                self._read_node(child, level, depth)

    def _read_unknown(self, node: "nodes.Element", level: int, depth: int) -> None:
        """A directive that docutils does not know keeps its argument as a paragraph and its body as text."""
        from docutils import nodes

        for child in node.children:
            if isinstance(child, nodes.literal_block) and (found := _UNKNOWN.match(child.astext())):
                argument, body = _split_directive(found[1])
                self._draft.paragraph(argument)
                if body and depth < DIRECTIVE_DEPTH:
                    self.read(body, level=level, depth=depth + 1)
                elif body:
                    self._draft.paragraph(body)


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
