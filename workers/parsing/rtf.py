"""Owns RTF: striprtf turns control words into text; its table rows are lines that end in a bar."""

from shared.errors import UnreadableDocument
from workers.parsing.draft import Draft


def read(data: bytes, draft: Draft) -> None:
    """UnreadableDocument when the closing brace is missing, which striprtf would not notice."""
    from striprtf.striprtf import rtf_to_text

    source = data.rstrip(b"\0 \t\r\n")
    if not source.endswith(b"}"):
        raise UnreadableDocument("the file is cut short")
    text: str = rtf_to_text(source.decode("cp1252", errors="replace"), errors="replace")  # type: ignore[no-untyped-call]
    for line in text.splitlines():
        _read_line(line, draft)


def _read_line(line: str, draft: Draft) -> None:
    if line.rstrip().endswith("|"):
        draft.row(line.rstrip()[:-1].split("|"))
    else:
        draft.paragraph(line)
