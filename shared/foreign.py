"""Telling from how a file begins that no document of ours is in it, and what it is instead."""

_FOREIGN = (
    (b"\x89PNG", "a PNG image"), (b"\xff\xd8\xff", "a JPEG image"), (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"), (b"II*\0", "a TIFF image"), (b"MM\0*", "a TIFF image"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"), (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x7fELF", "an ELF program"), (b"\xcf\xfa\xed\xfe", "a Mach-O program"),
    (b"\xca\xfe\xba\xbe", "a Java class or Mach-O program"), (b"\0asm", "a WebAssembly module"),
    (b"SQLite format 3\0", "an SQLite database"), (b"\0\x01\0\0", "a TrueType font"), (b"%!PS", "PostScript"),
)  # fmt: skip
# Letters alone prove nothing: these count only in data that is no text.
_FOREIGN_LETTERS = (
    (b"MZ", "a Windows program"), (b"BM", "a BMP image"), (b"RIFF", "a RIFF media file"),
    (b"OggS", "an Ogg media file"), (b"fLaC", "FLAC audio"), (b"ID3", "MP3 audio"), (b"PAR1", "a Parquet file"),
    (b"wOFF", "a web font"), (b"wOF2", "a web font"), (b"OTTO", "an OpenType font"),
)  # fmt: skip


_FOREIGN_BEGINNINGS = tuple(magic for magic, _ in _FOREIGN)


def foreign_kind(head: bytes) -> str:
    """What a file is that begins so, in words, "" where that does not show: an image, a program, a font and such."""
    found = _find(head, _FOREIGN) if head.startswith(_FOREIGN_BEGINNINGS) else ""
    if found or b"\0" not in head[:1024]:
        return found
    return _find(head, _FOREIGN_LETTERS) or ("an MP4 media file" if head[4:8] == b"ftyp" else "")


def _find(head: bytes, kinds: tuple[tuple[bytes, str], ...]) -> str:
    return next((kind for magic, kind in kinds if head.startswith(magic)), "")
