"""Which files could hold rows, and what is said when one of them was read as one document."""

import os
from collections import Counter

from embedmill.producers.sources.base import Remark, RemarkKind
from embedmill.shared.encoding import show_encoding

_FORMATS = {b".csv": "CSV", b".tsv": "TSV", b".jsonl": "JSONL", b".ndjson": "JSONL", b".json": "JSON"}
_SUFFIXES = tuple(_FORMATS)
_ADVICE = {
    "CSV": "name it as a SOURCE to read its rows",
    "JSON": "to read rows, write one object a line and name the file .jsonl as a SOURCE",
}
_ONE, _MANY = "file was read as one document", "files were read as one document each"
_ADVICE |= dict.fromkeys(("TSV", "JSONL"), _ADVICE["CSV"])


def format_by_name(path: bytes) -> str | None:
    """The format of a file that could hold rows."""
    return _FORMATS.get(os.path.splitext(path)[1].lower())


def remark_on_rows(uri: str, rows: int, *, guess: str = "") -> Remark:
    """Says that a file was read row by row, and by which encoding if that was guessed."""
    guessed = f"; its encoding was guessed: {show_encoding(guess)}" if guess else ""
    return Remark(uri, f"it was read as rows: {rows:,} of them{guessed}", RemarkKind.READ)


def remark_on_document(uri: str, path: bytes) -> Remark | None:
    """Says that a file that was named was read as one document, if it could hold rows."""
    name = format_by_name(path)
    if name in ("CSV", "TSV"):
        advice = "its first line does not name the columns id and text; --field id=NAME --field text=NAME reads rows"
    else:
        advice = _ADVICE.get(name or "", "")
    return Remark(uri, f"it was read as one document; {advice}", RemarkKind.READ) if advice else None


def _advise(name: str, count: int) -> str:
    return _ADVICE[name] if count == 1 else _ADVICE[name].replace("name it", "name each")


class Documents:
    """Counts the files of a folder or list that could hold rows and were read as one document each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, path: bytes) -> None:
        """Count a file that was taken."""
        if path.lower().endswith(_SUFFIXES) and (name := format_by_name(path)):
            self._counts[name] += 1

    def remarks(self, uri: str) -> list[Remark]:
        """One remark for each format that was met."""
        return [
            Remark(
                uri,
                f"{count:,} {name} {_ONE if count == 1 else _MANY}; {_advise(name, count)}",
                RemarkKind.READ,
            )
            for name, count in sorted(self._counts.items())
        ]
