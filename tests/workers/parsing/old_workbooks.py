"""Workbooks from before 2007, as small as they may be: BIFF8 records in a compound file."""

import struct
from collections.abc import Mapping

from embedmill.workers.parsing.ole import MAGIC

SECTOR = 512
NONE, END, TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD

Value = str | float | bytes | list[float]
"""Bytes are the code of an error, or behind a byte 2 what a formula came to."""


def old_workbook(
    sheets: Mapping[str, Mapping[tuple[int, int], Value]],
    *,
    formats: Mapping[int, str] | None = None,
    small: bool = False,
) -> bytes:
    """Cells by (row, column), both from 0; a list of numbers is one record over as many columns.

    `formats` have their numbers, and numbers stand in the style of their column; a `small` workbook is a small stream.
    """
    bodies = [_sheet(cells) for cells in sheets.values()]
    begin = _begin(5)
    for number, code in (formats or {}).items():
        begin += _record(0x41E, struct.pack("<HHB", number, len(code), 1) + code.encode("utf-16-le"))
    for number in formats or ():
        begin += _record(0xE0, struct.pack("<HH", 0, number) + bytes(16))
    at = len(begin) + sum(12 + len(name) for name in sheets) + 4
    for name, body in zip(sheets, bodies, strict=True):
        begin += _record(0x85, struct.pack("<IBBBB", at, 0, 0, len(name), 0) + name.encode())
        at += len(body)
    return compound(begin + _record(0x0A) + b"".join(bodies), small=small)


def _sheet(cells: Mapping[tuple[int, int], Value]) -> bytes:
    return _begin(0x10) + b"".join(_cell(*place, value) for place, value in sorted(cells.items())) + _record(0x0A)


def _cell(row: int, column: int, value: Value) -> bytes:
    match value:
        case str():
            text = struct.pack("<HB", len(value), 0) + value.encode()
            return _record(0x204, struct.pack("<HHH", row, column, 0) + text)
        case bytes() if len(value) == 1:
            return _record(0x205, struct.pack("<HHHBB", row, column, 0, value[0], 1))
        case bytes():
            result = b"\x02\0" + value[1:] + b"\0\0\0\xff\xff"
            return _record(0x06, struct.pack("<HHH8sHIH", row, column, 0, result, 0, 0, 0))
        case float():
            return _record(0x203, struct.pack("<HHHd", row, column, column, value))
        case _:
            styled = enumerate(value, start=column)
            numbers = b"".join(struct.pack("<HI", style, int(number) << 2 | 2) for style, number in styled)
            last = struct.pack("<H", column + len(value) - 1)
            return _record(0xBD, struct.pack("<HH", row, column) + numbers + last)


def _begin(kind: int) -> bytes:
    return _record(0x809, struct.pack("<HHHHII", 0x600, kind, 0x0DBB, 0x07CC, 0, 6))


def _record(kind: int, content: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def compound(stream: bytes, name: str = "Workbook", *, small: bool = False) -> bytes:
    """Header, table, directory, and the stream in as many sectors as one table has room for.

    A `small` stream lies in pieces of 64 bytes behind a table of their own; its pieces follow one another backwards.
    """
    length = len(stream)
    if small:
        count = -(-length // 64)
        pieces = [stream[64 * at : 64 * at + 64].ljust(64, b"\0") for at in range(count)]
        following = struct.pack("<128I", END, *range(count - 1), *[NONE] * (128 - count))
        stream = following + b"".join(pieces[::-1])
    stream = stream.ljust(-(-max(len(stream), 4096) // SECTOR) * SECTOR, b"\0")
    sectors = len(stream) // SECTOR
    table = [TABLE, END, END, *range(4, sectors + 2), END] if small else [TABLE, END, *range(3, sectors + 2), END]
    head = MAGIC + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    listed = (2, 1) if small else (END, 0)
    head += struct.pack("<9I", 0, 1, 1, 0, 4096, *listed, END, 0) + struct.pack("<109I", 0, *[NONE] * 108)
    if small:
        entries = _entry("Root Entry", 5, 1, 3, len(stream) - SECTOR) + _entry(name, 2, NONE, count - 1, length)
    else:
        entries = _entry("Root Entry", 5, 1, END, 0) + _entry(name, 2, NONE, 2, len(stream))
    return head + struct.pack("<128I", *table, *[NONE] * (128 - len(table))) + entries.ljust(SECTOR, b"\0") + stream


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    encoded = f"{name}\0".encode("utf-16-le")
    head = encoded.ljust(64, b"\0") + struct.pack("<HBBIII", len(encoded), kind, 1, NONE, NONE, child)
    return head + bytes(36) + struct.pack("<IQ", start, size)
