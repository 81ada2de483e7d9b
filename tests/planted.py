"""Looks for texts in whatever was written: as they are, in hex, and in base64 wherever they begin in it."""

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path


def forms(text: str) -> Iterator[bytes]:
    """What a text is when it is not hidden."""
    plain = text.encode()
    yield plain
    yield text.encode("utf-16-le")
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    for before in range(3):
        # The first and the last characters depend on what stands around.
        encoded = base64.b64encode(bytes(before) + plain)
        inner = encoded[4 if before else 0 : len(encoded) // 4 * 4 - 4]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def find_planted(texts: Iterable[str], root: Path) -> list[tuple[str, str]]:
    """Of each text that is found in a file below the root, with the file's name."""
    wanted = [(text, form) for text in texts for form in forms(text)]
    files = [file for file in sorted(root.rglob("*")) if file.is_file()]
    return [
        (text, str(file.relative_to(root)))
        for file in files
        for data in [file.read_bytes()]
        for text, form in wanted
        if form in data
    ]
