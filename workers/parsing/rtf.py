"""Owns RTF: striprtf turns control words into text; its table rows are lines that end in a bar."""

import re

from embedmill.shared.errors import UnreadableDocument
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.table import Table

# What striprtf passes over, by control word.
_LEFT_OUT = {
    "annotation": "comments were left out",
    "footnote": "footnotes were left out",
    "header": "headers and footers were left out",
    "headerl": "headers and footers were left out",
    "headerr": "headers and footers were left out",
    "footer": "headers and footers were left out",
    "footerl": "headers and footers were left out",
    "footerr": "headers and footers were left out",
    "object": "embedded objects were left out",
    "shptxt": "text boxes were left out",
}
_WORD = re.compile(rb"\\(%b)(?![a-z])" % b"|".join(word.encode() for word in sorted(_LEFT_OUT, reverse=True)))


def read(data: bytes, draft: Draft) -> None:
    """UnreadableDocument when the closing brace is missing, which striprtf would not notice."""
    from striprtf.striprtf import rtf_to_text

    source = data.rstrip(b"\0 \t\r\n")
    if not source.endswith(b"}"):
        raise UnreadableDocument("the file is cut short")
    text: str = rtf_to_text(source.decode("cp1252", errors="replace"), errors="replace")  # type: ignore[no-untyped-call]
    table: Table | None = None
    for line in text.splitlines():
        table = _read_line(line, draft, table)
    for word in _WORD.findall(source):
        draft.note(_LEFT_OUT[word.decode()])


def _read_line(line: str, draft: Draft, table: Table | None) -> Table | None:
    """The table that the line belongs to, which may be the one that is open."""
    if not line.rstrip().endswith("|"):
        draft.paragraph(line)
        return None
    table = table or draft.table()
    table.row(line.rstrip()[:-1].split("|"))
    return table
