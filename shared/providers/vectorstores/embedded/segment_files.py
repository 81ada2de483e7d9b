"""Owns segments as files beside a shard: written whole under a name of their own, mapped for reading, never changed.

A file is the shapes of the arrays and the arrays. Its size and checksum are kept in the shard (table `segments`), so
that a file that is missing, torn, damaged or another's is not believed; the rows make it anew.
"""

import mmap
import os
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from embedmill.shared.providers.vectorstores.embedded.codes import Codes, FileOfLevels, OpenFile
from embedmill.shared.providers.vectorstores.embedded.segment import Pages, Postings, Segment

ENGINE = 1
"""The version of what segments hold and how it is laid out."""

SUFFIX = ".segment"
ALIGNMENT = 64
CHUNK_BYTES = 2**20
ARRAYS = ("keys", "ranks", "lengths")
POSTINGS = ("terms", "offsets", "rows", "counts")
CODES = ("signs", "levels", "scales", "slacks")


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written: its name in the folder, its bytes and their checksum."""

    name: str
    size: int
    checksum: int


def write(folder: Path, segment: Segment) -> Written:
    """Write a segment; when this returns it is on disk, under a name that no other file ever had. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{secrets.token_hex(8)}{SUFFIX}"
    draft = folder / f"{name}.draft"
    try:
        size, checksum = _write_parts(draft, _bytes_of(segment))
        draft.rename(folder / name)
    except OSError:
        # A disk that is full has no room for what is of no use.
        draft.unlink(missing_ok=True)
        raise
    _sync(folder)
    return Written(name, size, checksum)


def _write_parts(draft: Path, parts: "list[bytes | memoryview]") -> tuple[int, int]:
    """Write the parts to the disk; returns how many bytes they are, and their checksum."""
    checksum = size = 0
    with draft.open("wb") as file:
        for part in parts:
            file.write(part)
            checksum = zlib.crc32(part, checksum)
            size += memoryview(part).nbytes
        file.flush()
        os.fsync(file.fileno())
    return size, checksum


def _bytes_of(segment: Segment) -> "list[bytes | memoryview]":
    arrays = _arrays_of(segment)
    shapes = orjson.dumps({name: [array.dtype.str, array.shape] for name, array in arrays.items()})
    head = len(shapes).to_bytes(ALIGNMENT, "little") + shapes
    parts: list[bytes | memoryview] = [head, _padding(len(head))]
    for array in arrays.values():
        parts += [np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, _padding(array.nbytes)]
    return parts


def _arrays_of(segment: Segment) -> Mapping[str, NDArray[Any]]:
    return (
        {name: getattr(segment, name) for name in ARRAYS}
        | {name: getattr(segment.postings, name) for name in POSTINGS}
        | {name: getattr(segment.codes, name) for name in CODES}
    )


def open_mapped(folder: Path, written: Written) -> Segment | None:
    """The segment of a file, mapped; None unless its bytes are those that were written. Raises OSError."""
    path = folder / written.name
    try:
        if path.stat().st_size != written.size or _checksum(path) != written.checksum:
            return None
    except FileNotFoundError:
        return None
    return _map(OpenFile(path))


def _map(file: OpenFile) -> Segment:
    mapped = mmap.mmap(file.descriptor, 0, access=mmap.ACCESS_READ)
    data = np.frombuffer(mapped, np.uint8)
    head = int.from_bytes(data[:ALIGNMENT].tobytes(), "little")
    shapes = orjson.loads(data[ALIGNMENT : ALIGNMENT + head].tobytes())
    at, arrays, places = _aligned(ALIGNMENT + head), {}, {}
    for name, (kind, shape) in shapes.items():
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        arrays[name], places[name] = data[at : at + size].view(kind).reshape(shape), at
        at = _aligned(at + size)
    pages = Pages(mapped, places["rows"], places["counts"] + arrays["counts"].nbytes)
    levels = FileOfLevels(file, places["levels"])
    postings = Postings(**{name: arrays[name] for name in POSTINGS}, pages=pages)
    codes = Codes(**{name: arrays[name] for name in CODES}, file=levels)
    return Segment(**{name: arrays[name] for name in ARRAYS}, postings=postings, codes=codes)


def _checksum(path: Path) -> int:
    """Of the whole file, read and not mapped, so that none of it counts as memory of this process."""
    found = 0
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(CHUNK_BYTES)
        while count := file.readinto(buffer):
            found = zlib.crc32(memoryview(buffer)[:count], found)
    return found


def remove_others(folder: Path, names: set[str]) -> None:
    """Remove files that a build left when it was stopped, and segments that nobody lists."""
    for path in folder.glob(f"*{SUFFIX}*"):
        if path.name not in names:
            path.unlink(missing_ok=True)


def _padding(size: int) -> bytes:
    return bytes(_aligned(size) - size)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
