"""Owns files that stand in the text of a mail, as `uuencode` writes them: between `begin 644 name` and `end`."""

import re
from binascii import Error, a2b_uu
from dataclasses import dataclass

_BEGIN = re.compile(r"begin 0?[0-7]{3} (\S.{0,199})")
_MARK = "begin "


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """A file, its name, and whether its end is there."""

    name: str
    data: bytes
    is_whole: bool


def split_files(text: str) -> tuple[str, list[EncodedFile]]:
    """The text without the files that stand in it, and these; what cannot be decoded stays text."""
    if _MARK not in text:
        return text, []
    lines, kept, files = text.splitlines(), [], []
    at = 0
    while at < len(lines):
        begun = _BEGIN.fullmatch(lines[at].rstrip())
        found = _decode(lines, at + 1) if begun else None
        if begun and found:
            data, is_whole, at = found
            files.append(EncodedFile(begun[1].strip(), data, is_whole))
        else:
            kept.append(lines[at])
            at += 1
    return ("\n".join(kept), files) if files else (text, [])


def _decode(lines: list[str], at: int) -> tuple[bytes, bool, int] | None:
    """The data, whether it has an end, and where the text goes on; None where no line says any data."""
    data = bytearray()
    for place in range(at, len(lines)):
        line = lines[place]
        if line.rstrip() == "end":
            return (bytes(data), True, place + 1) if data else None
        try:
            data += a2b_uu(line.encode("ascii"))
        except (Error, UnicodeEncodeError):
            return None
    return (bytes(data), False, len(lines)) if data else None
