"""Owns notebooks (Jupyter): cells in order, text as Markdown, code as code, and what it put out as text."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from embedmill.shared.errors import UnreadableDocument
from embedmill.workers.parsing.draft import Draft, clean, count
from embedmill.workers.parsing.markdown import read_marked

OUTPUT_CHARS = 4000
"""Of each output; a loop's log is longer than what it says."""

_ANSI = re.compile("\x1b\\[[0-9;?]*[A-Za-z]")
_OBJECT = re.compile(r"<[\w. ]+(?: object)? (?:at 0x|size )[^<>]*>")
_IMAGE, _TEXT, _MARKDOWN = "image/", "text/plain", "text/markdown"


def read(data: bytes, draft: Draft) -> None:
    """Raises UnreadableDocument for what is no notebook."""
    try:
        notebook: Any = orjson.loads(draft.decode(data))
    except orjson.JSONDecodeError:
        raise UnreadableDocument("it is no notebook: its JSON is malformed") from None
    if not isinstance(notebook, dict):
        raise UnreadableDocument("it is no notebook: it has no cells")
    reader = _NotebookReader(draft)
    for cell in _cells(notebook):
        reader.read(cell)
    reader.note_left_out()


def _cells(notebook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Before format 4 cells stood in worksheets."""
    holders = [notebook, *_mappings(notebook.get("worksheets"))]
    for holder in holders:
        yield from _mappings(holder.get("cells"))


class _NotebookReader:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._left: Counter[str] = Counter()

    def read(self, cell: Mapping[str, Any]) -> None:
        source = _text(cell.get("source", cell.get("input", "")))
        match cell.get("cell_type"):
            case "markdown":
                read_marked(clean(source), self._draft)
            case "heading":
                self._draft.heading(source, level=int(cell.get("level") or 1))
            case "code":
                self._draft.code(source)
                for output in _mappings(cell.get("outputs")):
                    self._read_output(output)
            case _:
                self._draft.paragraph(source)
        self._left["attached picture"] += len(_mappings([cell.get("attachments")])) and len(cell["attachments"])

    def _read_output(self, output: Mapping[str, Any]) -> None:
        match output.get("output_type"):
            case "stream":
                self._show(_text(output.get("text", "")))
            case "error" | "pyerr":
                trace = output.get("traceback")
                self._show("\n".join(map(str, trace)) if trace else f"{output.get('ename')}: {output.get('evalue')}")
            case _:
                self._read_data(output.get("data", output))

    def _read_data(self, data: object) -> None:
        """Markdown before plain text; a picture's plain text names an object of the program."""
        if not isinstance(data, dict):
            return
        pictures = [kind for kind in data if kind.startswith(_IMAGE) or kind in ("png", "jpeg", "svg")]
        self._left["picture"] += bool(pictures)
        text = _text(data.get(_TEXT, data.get("text", "")))
        if markdown := _text(data.get(_MARKDOWN, "")):
            read_marked(clean(markdown), self._draft)
        elif text and not (pictures and _OBJECT.fullmatch(text.strip())):
            self._show(text)
        elif "text/html" in data and not text:
            self._left["output in HTML"] += 1

    def _show(self, text: str) -> None:
        plain = _ANSI.sub("", text)
        if len(plain) > OUTPUT_CHARS:
            plain = plain[:OUTPUT_CHARS]
            self._left["long output"] += 1
        self._draft.code(plain)

    def note_left_out(self) -> None:
        for thing, number in self._left.items():
            if number:
                what = "cut short" if thing == "long output" else "left out"
                self._draft.note(f"{count(number, thing)} {what}")


def _mappings(found: object) -> Sequence[Mapping[str, Any]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _text(source: object) -> str:
    """A string, or a list of lines with their ends."""
    if isinstance(source, list):
        return "".join(map(str, source))
    return source if isinstance(source, str) else ""
