"""Owns rich text as Outlook packs it: references to what came before, and to a dictionary that all texts begin with.

Layout: [MS-OXRTFCP] 2.1.
"""

import struct

_HEAD = struct.Struct("<IIII")
_PACKED, _BARE = 0x75465A4C, 0x414C454D
_WINDOW = 4096
_BEGINNING = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par "
    rb"\pard\plain\f0\fs20\b\i\u\tab\tx"
)
_SHORTEST = 2


def unpacked(data: bytes, *, most: int) -> bytes:
    """The rich text, of `most` bytes at the most. Raises ValueError for what is none."""
    if len(data) < _HEAD.size:
        raise ValueError(len(data))
    _, size, kind, _ = _HEAD.unpack_from(data)
    if kind == _BARE:
        return data[_HEAD.size :][:size]
    if kind != _PACKED:
        raise ValueError(kind)
    out = bytearray(_BEGINNING)
    end, at = len(_BEGINNING) + min(size, most), _HEAD.size
    while len(out) < end and at < len(data):
        flags = data[at]
        at += 1
        for bit in range(8):
            if at >= len(data):
                break
            if not flags >> bit & 1:
                out.append(data[at])
                at += 1
                continue
            place, length = divmod(int.from_bytes(data[at : at + 2], "big"), 16)
            at += 2
            # The window is a ring that the text goes round: how far back a place lies tells what stands there.
            back = (len(out) - place) % _WINDOW
            if not back:
                return bytes(out[len(_BEGINNING) : end])
            for _ in range(length + _SHORTEST):
                out.append(out[-back] if back <= len(out) else 0x20)
    return bytes(out[len(_BEGINNING) : end])
