"""Owns segments as files beside a shard: written whole under a name of their own, mapped for reading, never changed.

A file is the shapes of the arrays and the arrays. Its size and checksum are kept in the shard (table `segments`), so
that a file that is missing, torn, damaged or another's is not believed; the rows make it anew.
"""

import mmap
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from isal import isal_zlib
from numpy.typing import NDArray

from embedmill.shared.errors import SealBroken, StorageFailed
from embedmill.shared.providers.vectorstores.embedded.codes import Codes, FileOfLevels, OpenFile
from embedmill.shared.providers.vectorstores.embedded.listing import WrittenFile
from embedmill.shared.providers.vectorstores.embedded.read_whole import note_read_whole, was_read_whole
from embedmill.shared.providers.vectorstores.embedded.segment import Pages, Postings, Segment
from embedmill.shared.sealing import envelope
from embedmill.shared.sealing.envelope import MAGIC, OVERHEAD_BYTES, is_sealed
from embedmill.shared.sealing.ring import PLAIN, KeyRing

SUFFIX = ".segment"
KIND = "segment"
ALIGNMENT = 64
CHUNK_BYTES = 2**20
ARRAYS = ("keys", "ranks", "lengths")
POSTINGS = ("terms", "offsets", "rows", "counts")
LEVELS = "levels"
CODES = ("signs", LEVELS, "scales", "slacks")
READ_BY_EVERY_SEARCH = (("keys", "rows"), ("signs", "levels"), ("scales", ""))
"""The first array of each range of a file, and the one behind it; of the others a search reads what it asks for."""


def write(folder: Path, segment: Segment, ring: KeyRing = PLAIN) -> WrittenFile:
    """Write a segment; when this returns it is on disk, under a name that no other file ever had.

    Raises OSError, StorageFailed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{secrets.token_hex(8)}{SUFFIX}"
    draft = folder / f"{name}.draft"
    try:
        size, checksum = _write_parts(draft, _sealed(_bytes_of(segment), name, ring))
        draft.rename(folder / name)
    except (OSError, StorageFailed):
        # A disk that is full has no room for what is of no use.
        draft.unlink(missing_ok=True)
        raise
    _sync(folder)
    return WrittenFile(name, size, checksum)


def _sealed(parts: "Iterable[bytes | memoryview]", name: str, ring: KeyRing) -> "Iterable[bytes | memoryview]":
    return parts if ring.current() is None else [ring.seal(KIND, name, b"".join(parts))]


def _write_parts(draft: Path, parts: "Iterable[bytes | memoryview]") -> tuple[int, int]:
    """Write the parts to the disk; returns how many bytes they are, and their checksum."""
    checksum = size = 0
    with draft.open("wb") as file:
        for part in parts:
            file.write(part)
            checksum = isal_zlib.crc32(part, checksum)
            size += memoryview(part).nbytes
        file.flush()
        os.fsync(file.fileno())
    return size, checksum


def _bytes_of(segment: Segment) -> "Iterator[bytes | memoryview]":
    arrays = _arrays_of(segment)
    shapes = {name: [array.dtype.str, array.shape] for name, array in arrays.items()}
    shapes[LEVELS][1] = (len(segment), arrays[LEVELS].shape[1])
    head = orjson.dumps(shapes)
    yield from _padded([len(head).to_bytes(ALIGNMENT, "little") + head])
    for name, array in arrays.items():
        yield from _padded(map(_data_of, segment.codes.level_blocks() if name == LEVELS else [array]))


def _data_of(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _padded(parts: "Iterable[bytes | memoryview]") -> "Iterator[bytes | memoryview]":
    size = 0
    for part in parts:
        yield part
        size += memoryview(part).nbytes
    yield _padding(size)


def _arrays_of(segment: Segment) -> Mapping[str, NDArray[Any]]:
    return (
        {name: getattr(segment, name) for name in ARRAYS}
        | {name: getattr(segment.postings, name) for name in POSTINGS}
        | {name: getattr(segment.codes, name) for name in CODES}
    )


def key_id_of(path: Path) -> str | None:
    """The id of the key that a file is sealed under; None for one that is not. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(OVERHEAD_BYTES)
    return envelope.key_id_of(head) if is_sealed(head) else None


def open_written(folder: Path, written: WrittenFile, ring: KeyRing = PLAIN) -> Segment | None:
    """The segment of a file, mapped, or in memory if encrypted; None unless its bytes are those that were written.

    Raises OSError, KeyUnavailable.
    """
    path = folder / written.name
    try:
        if not _is_as_written(path, written):
            return None
    except FileNotFoundError:
        return None
    with path.open("rb") as file:
        is_encrypted = is_sealed(file.read(len(MAGIC)))
    return _open_sealed(path, ring) if is_encrypted else _map(OpenFile(path))


def _is_as_written(path: Path, written: WrittenFile) -> bool:
    stat = path.stat()
    if stat.st_size != written.size:
        return False
    if was_read_whole(path, stat, written.checksum):
        return True
    if _checksum(path) != written.checksum:
        return False
    note_read_whole(path, stat, written.checksum)
    return True


def _open_sealed(path: Path, ring: KeyRing) -> Segment | None:
    try:
        data = ring.open(KIND, path.name, path.read_bytes())
    except SealBroken:
        return None
    arrays, _ = _read_arrays(np.frombuffer(data, np.uint8))
    return _segment_of(arrays)


def _map(file: OpenFile) -> Segment:
    mapped = mmap.mmap(file.descriptor, 0, access=mmap.ACCESS_READ)
    arrays, places = _read_arrays(np.frombuffer(mapped, np.uint8))
    pages = Pages(mapped, places["rows"], places["counts"] + arrays["counts"].nbytes)
    for first, behind in READ_BY_EVERY_SEARCH:
        Pages(mapped, places[first], places.get(behind, len(mapped))).read_ahead()
    return _segment_of(arrays, pages=pages, levels=FileOfLevels(file, places["levels"]))


def _read_arrays(data: NDArray[np.uint8]) -> tuple[dict[str, NDArray[Any]], dict[str, int]]:
    """The arrays of a file's bytes, and where each begins."""
    head = int.from_bytes(data[:ALIGNMENT].tobytes(), "little")
    shapes = orjson.loads(data[ALIGNMENT : ALIGNMENT + head].tobytes())
    at = _aligned(ALIGNMENT + head)
    arrays: dict[str, NDArray[Any]] = {}
    places: dict[str, int] = {}
    for name, (kind, shape) in shapes.items():
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        arrays[name], places[name] = data[at : at + size].view(kind).reshape(shape), at
        at = _aligned(at + size)
    return arrays, places


def _segment_of(
    arrays: Mapping[str, Any], *, pages: Pages | None = None, levels: FileOfLevels | None = None
) -> Segment:
    postings = Postings(**{name: arrays[name] for name in POSTINGS}, pages=pages)
    codes = Codes(**{name: arrays[name] for name in CODES}, file=levels)
    return Segment(**{name: arrays[name] for name in ARRAYS}, postings=postings, codes=codes)


def _checksum(path: Path) -> int:
    """Of the whole file, read and not mapped, so that none of it counts as memory of this process."""
    found = 0
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(CHUNK_BYTES)
        while count := file.readinto(buffer):
            found = isal_zlib.crc32(memoryview(buffer)[:count], found)
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
