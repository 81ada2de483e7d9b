"""Makes messages as Outlook keeps them: `.msg`, which is an OLE file of many streams, and `winmail.dat`."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Union

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SECTOR, PIECE, NONE, END, TABLE = 512, 64, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
TIME = 0x01DC_DB8A_0000_0000
"""Some day in May of 2026, in tenths of microseconds since 1601."""

Tree = Mapping[str, Union[bytes, "Tree"]]


def properties(head: int, *times: int) -> bytes:
    return bytes(head) + b"".join(struct.pack("<HHIQ", 0x40, number, 6, TIME) for number in times)


def text(number: int, value: str) -> dict[str, bytes]:
    return {f"__substg1.0_{number:04X}001F": value.encode("utf-16-le")}


def binary(number: int, value: bytes) -> dict[str, bytes]:
    return {f"__substg1.0_{number:04X}0102": value}


@dataclass(slots=True)
class _OleEntry:
    """A storage, or a stream with its place among the small pieces."""

    name: str
    kind: int
    right: int = NONE
    child: int = NONE
    start: int = END
    size: int = 0


def ole(tree: Tree) -> bytes:
    """A file whose streams are all shorter than 4,096 bytes, and so lie in pieces of 64 bytes."""
    entries = [_OleEntry("Root Entry", 5)]
    pieces: list[int] = []
    data = bytearray()
    _add(entries, pieces, data, 0, tree)
    data += bytes(-len(data) % SECTOR)
    small = struct.pack(f"<{len(pieces)}I", *pieces)
    small += b"\xff" * (-len(small) % SECTOR)
    entries[0].start, entries[0].size = 0, len(data)
    directory = b"".join(map(_packed_entry, entries))
    directory += bytes(-len(directory) % SECTOR)
    table: list[int] = []
    starts = [_chain(table, len(each) // SECTOR) for each in (bytes(data), small, directory)]
    tables = -(-(len(table) + 2) // 128)
    at = len(table)
    table += [TABLE] * tables + [NONE] * (128 * tables - at - tables)
    head = MAGIC + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<9I", 0, tables, starts[2], 0, 4096, starts[1], len(small) // SECTOR, END, 0)
    head += struct.pack("<109I", *range(at, at + tables), *[NONE] * (109 - tables))
    return head + bytes(data) + small + directory + struct.pack(f"<{128 * tables}I", *table)


def _chain(table: list[int], sectors: int) -> int:
    begin = len(table)
    table += [*range(begin + 1, begin + sectors), END]
    return begin


def _add(entries: list[_OleEntry], pieces: list[int], data: bytearray, parent: int, inner: Tree) -> None:
    before: _OleEntry | None = None
    for name, value in inner.items():
        entry = _OleEntry(name, 2 if isinstance(value, bytes) else 1)
        if before is None:
            entries[parent].child = len(entries)
        else:
            before.right = len(entries)
        entries.append(entry)
        before = entry
        if not isinstance(value, bytes):
            _add(entries, pieces, data, len(entries) - 1, value)
        elif value:
            entry.start, entry.size = _chain(pieces, -(-len(value) // PIECE)), len(value)
            data += value + bytes(-len(value) % PIECE)


def _packed_entry(entry: _OleEntry) -> bytes:
    encoded = f"{entry.name}\0".encode("utf-16-le")
    head = encoded.ljust(64, b"\0") + struct.pack(
        "<HBBIII", len(encoded), entry.kind, 1, NONE, entry.right, entry.child
    )
    return head + bytes(36) + struct.pack("<IQ", entry.start, entry.size)


def packed_rtf(rich: bytes) -> bytes:
    """Rich text in the packed form, with no reference to what came before but one to the dictionary, and the end."""
    out = b"".join(b"\0" + rich[at : at + 8] for at in range(0, len(rich), 8))
    end = (207 + len(rich)) % 4096
    out = out + struct.pack(">BH", 1, end << 4) if len(rich) % 8 == 0 else out
    return struct.pack("<IIII", len(out) + 12, len(rich), 0x75465A4C, 0) + out


def outlook_message() -> bytes:
    """With a body in HTML and a plain one, a table that is attached, a picture of the page, and a message."""
    inner = {
        "__properties_version1.0": properties(24),
        **text(0x0037, "Worn stones"),
        **text(0x0C1A, "Carl"),
        **binary(0x1009, packed_rtf(rb"{\rtf1\ansi The stones are \b worn\b0 .\par Look at them.}")),
    }
    return ole(
        {
            "__properties_version1.0": properties(32, 0x0039),
            "__nameid_version1.0": {"__substg1.0_00020102": b"\0" * 16},
            **text(0x0037, "Upper mill"),
            **text(0x0C1A, "Ann Reed"),
            **text(0x5D01, "ann@example.org"),
            **text(0x0E04, "Bob; Sand, Cid"),
            **text(0x1000, "Please read the page: https://example.org"),
            **binary(
                0x1013, b"<html><meta charset=windows-1252><p>The <b>M\xfchle</b> stands still since Monday.</p></html>"
            ),
            "__attach_version1.0_#00000000": {
                "__properties_version1.0": properties(8),
                **text(0x3707, "yields.csv"),
                **binary(0x3701, b"field,t\neast,4\nwest,5\n"),
            },
            "__attach_version1.0_#00000001": {
                "__properties_version1.0": properties(8),
                **text(0x3707, "logo.png"),
                **text(0x370E, "image/png"),
                **text(0x3712, "logo@x"),
                **binary(0x3701, b"\x89PNG"),
            },
            "__attach_version1.0_#00000002": {
                "__properties_version1.0": properties(8),
                **text(0x3001, "Worn stones"),
                "__substg1.0_3701000D": inner,
            },
        }
    )


def _attribute(level: int, number: int, content: bytes) -> bytes:
    return struct.pack("<BII", level, number, len(content)) + content + struct.pack("<H", sum(content) & 0xFFFF)


def _property(number: int, kind: int, content: bytes) -> bytes:
    return struct.pack("<HHII", kind, number, 1, len(content)) + content + bytes(-len(content) % 4)


def winmail(files: Sequence[tuple[str, bytes]]) -> bytes:
    """With a body in rich text and files, of which each has a short name and its whole name among its properties."""
    rich = packed_rtf(rb"{\rtf1\ansi Said twice.}")
    named = struct.pack("<HH16sII", 0x0003, 0x8001, bytes(16), 0, 1) + struct.pack("<I", 7)
    message = struct.pack("<I", 3) + _property(0x1009, 0x0102, rich) + named
    message += struct.pack("<HHQ", 0x40, 0x0039, TIME)
    out = struct.pack("<IH", 0x223E9F78, 1) + _attribute(1, 0x69003, message)
    for name, content in files:
        whole = struct.pack("<I", 1) + _property(0x3707, 0x001F, f"{name}\0".encode("utf-16-le"))
        out += _attribute(2, 0x69002, bytes(14)) + _attribute(2, 0x18010, name[:8].encode("cp1252") + b"\0")
        out += _attribute(2, 0x6800F, content) + _attribute(2, 0x69005, whole)
    return out
