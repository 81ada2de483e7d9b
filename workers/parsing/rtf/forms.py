"""Owns what the fields of old forms show: boxes that are ticked or not, and what is chosen from a list."""

import re
from collections.abc import Callable

_NUMBER = re.compile(rb"\\(fftype|ffres|ffdefres)(\d{1,3})\b")
_ENTRY = re.compile(rb"\{\\\*\\ffl ?([^{}]*)\}")
_ESCAPED = re.compile(rb"\\'([0-9a-fA-F]{2})")
_BOX, _LIST = 1, 2
_UNSAID = 25
"""What stands for a result that is the field's own."""


def shown_field(instruction: bytes, decode: Callable[[bytes], str]) -> str:
    """What a field shows that has no result of its own beside it; "" for any other."""
    if b"\\formfield" not in instruction:
        return ""
    said = {name: int(number) for name, number in _NUMBER.findall(instruction)}
    result = said.get(b"ffres", _UNSAID)
    chosen = said.get(b"ffdefres", 0) if result == _UNSAID else result
    match said.get(b"fftype"):
        case int(kind) if kind == _BOX:
            return "☒" if chosen else "☐"
        case int(kind) if kind == _LIST:
            entries = _ENTRY.findall(instruction)
            return decode(_ESCAPED.sub(_byte, entries[chosen])) if chosen < len(entries) else ""
    return ""


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode())
