"""Owns objects of other programs (OLE): the file that was put into a document as one, or the name of what it is.

Layout: [MS-OLEDS] 2.2.5 for an object in a stream, 2.3.6 for a packed file, 2.3.8 for the name of a kind.
"""

import struct
from io import BytesIO
from posixpath import splitext
from typing import TYPE_CHECKING

from embedmill.shared.errors import UnreadableDocument, UnsupportedDocument
from embedmill.shared.harmless import harmless

if TYPE_CHECKING:
    from olefile import OleFileIO

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PACKAGES = ("Package", "CONTENTS", "Contents")
"""Streams that are a whole file: of Office, of Acrobat."""
_FILES = (b"PK\x03\x04", b"%PDF-", b"{\\rtf")
_PACKED, _KIND = "\x01Ole10Native", "\x01CompObj"
_DOCUMENTS = {"Workbook": ".xls", "Book": ".xls", "WordDocument": ".doc", "PowerPoint Document": ".ppt"}
_EMBEDDED, _PACKAGE = 2, "Package"
_KIND_AT = 28
_KIND_BYTES = 100


def unwrapped(data: bytes, name: str) -> tuple[bytes, str]:
    """The file in an object and its name; what is no object is the file itself.

    Raises UnsupportedDocument for an object that holds no file, and UnreadableDocument for a damaged one.
    """
    if not data.startswith(MAGIC):
        return data, name
    from olefile import OleFileIO

    try:
        with OleFileIO(BytesIO(data)) as ole:
            return _file_in(ole, data, name)
    except (OSError, struct.error, IndexError, ValueError):
        raise UnreadableDocument("the object is damaged or cut short") from None


def embedded(stream: bytes) -> tuple[bytes, str]:
    """What RTF embeds, and its name: an object, or a packed file.

    Raises UnsupportedDocument for what is linked or a mere picture, and UnreadableDocument where it is cut short.
    """
    try:
        _, form = struct.unpack_from("<II", stream, 0)
        kind, at = _counted(stream, 8)
        if form != _EMBEDDED:
            raise UnsupportedDocument("it is an object that is only linked")
        for _ in range(2):
            _, at = _counted(stream, at)
        (size,) = struct.unpack_from("<I", stream, at)
        content = stream[at + 4 : at + 4 + size]
        return _packed_file(bytes(4) + content, kind) if kind == _PACKAGE else (content, kind)
    except (struct.error, ValueError):
        raise UnreadableDocument("the object is damaged or cut short") from None


def _counted(content: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from("<I", content, at)
    end = at + 4 + size
    return content[at + 4 : end].partition(b"\0")[0].decode("cp1252", "replace"), end


def _file_in(ole: "OleFileIO", data: bytes, name: str) -> tuple[bytes, str]:
    stem = splitext(name)[0]
    for stream, suffix in _DOCUMENTS.items():
        if ole.exists(stream):
            return data, stem + suffix
    for stream in _PACKAGES:
        if ole.exists(stream) and (content := ole.openstream(stream).read()).startswith(_FILES):
            return content, stem
    if ole.exists(_PACKED):
        return _packed_file(ole.openstream(_PACKED).read(), stem)
    raise UnsupportedDocument(f"it is an object of another program{_kind(ole)}")


def _packed_file(content: bytes, name: str) -> tuple[bytes, str]:
    """A size, a flag, the file's name, two paths to it, its size and itself."""
    label, at = _text(content, 6)
    _, at = _text(content, at)
    at += 4
    (path,) = struct.unpack_from("<I", content, at)
    at += 4 + path
    (size,) = struct.unpack_from("<I", content, at)
    return content[at + 4 : at + 4 + size], label.replace("\\", "/").rpartition("/")[2] or name


def _text(content: bytes, at: int) -> tuple[str, int]:
    end = content.index(b"\0", at)
    return content[at:end].decode("cp1252", "replace"), end + 1


def _kind(ole: "OleFileIO") -> str:
    """What the object calls itself, such as ` (Microsoft Equation 3.0)`."""
    if not ole.exists(_KIND):
        return ""
    content = ole.openstream(_KIND).read()
    (size,) = struct.unpack_from("<I", content, _KIND_AT)
    name = content[_KIND_AT + 4 : _KIND_AT + 4 + min(size, _KIND_BYTES)].partition(b"\0")[0].decode("cp1252", "replace")
    return f" ({harmless(name.strip())})" if name.strip() else ""
