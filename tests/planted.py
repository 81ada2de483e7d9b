"""Looks for texts in whatever was written: as they are, in hex, and in base64 wherever they begin in it."""

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from embedmill.shared.providers.blobs.compression import MARK, restore

WINDOW = 8
"""Bytes of a form that are looked for in all of a file at once."""


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


class Needles:
    """Thousands of texts that are looked for at once, by the first bytes of each of their forms."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._short: list[tuple[bytes, str]] = []
        self._long: dict[int, list[tuple[bytes, str]]] = defaultdict(list)
        for text in dict.fromkeys(texts):
            for form in dict.fromkeys(form for form in forms(text) if form):
                if len(form) < WINDOW:
                    self._short.append((form, text))
                else:
                    self._long[int.from_bytes(form[:WINDOW], "little")].append((form, text))
        self._heads = np.array(sorted(self._long), dtype="<u8")

    def found_in(self, data: bytes) -> set[str]:
        """The texts that are in it."""
        found = {text for form, text in self._short if form in data}
        for shift in range(min(WINDOW, len(data) - WINDOW + 1)):
            windows = np.frombuffer(data, dtype="<u8", count=(len(data) - shift) // WINDOW, offset=shift)
            for at in np.flatnonzero(np.isin(windows, self._heads)):
                place = shift + int(at) * WINDOW
                heads = self._long[int(windows[at])]
                found |= {text for form, text in heads if data.startswith(form, place)}
        return found

    def found_below(self, root: Path) -> list[tuple[str, str]]:
        """Of each that is in a file below the root, with the file's name; in a name, with nothing."""
        files = sorted(root.rglob("*"))
        inside = [
            (text, str(file.relative_to(root)))
            for file in files
            if file.is_file()
            for data in readings(file)
            for text in self.found_in(data)
        ]
        names = "\n".join(str(file.relative_to(root)) for file in files)
        return inside + [(text, "") for text in self.found_in(names.encode())]


def readings(file: Path) -> Iterator[bytes]:
    """A file's bytes, and expanded where it is compressed."""
    data = file.read_bytes()
    yield data
    if data.startswith(MARK):
        yield restore(data, file.name)


def find_planted(texts: Iterable[str], root: Path) -> list[tuple[str, str]]:
    """Of each text that is found in a file below the root, with the file's name."""
    return Needles(texts).found_below(root)
