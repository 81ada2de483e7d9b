"""Owns the short forms of vectors that a search looks through before it reads any vector in full.

The signs of a vector's components, a bit each, tell by how many bits two vectors differ roughly how near they are, and
better when a bit counts as much as the query's component. Its levels, a byte each, tell the cosine up to `slack`, which
is known for every row: no row that could be among the best is lost between levels and full width. All of them depend on
the row alone, so that every layout finds the same rows.
"""

import math
import os
import sys
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import StorageFailed

Floats = NDArray[np.float32]
Bits = NDArray[np.uint64]
Distances = NDArray[np.uint8] | NDArray[np.uint16]

WORD_BITS = 64
LEVELS = 127
PLANES = 3
MOST_WEIGHT = 2**PLANES - 1
HEAVY = 0.6
"""A component is heavy above this share of what each is where all are alike; of signs of normal ones, the best cut."""
ROUNDING = 2e-5
"""What products in 32 bits may be off by, whatever the order in which they are summed."""
BLOCK_ROWS = 2_048


class OpenFile:
    """A file that is read here and there, closed when nobody has it any more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self.descriptor)
        if sys.platform == "linux":
            # What lies around a place is not read with it.
            os.posix_fadvise(self.descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        self._was_read = False

    def read_each(self, places: Sequence[int], size: int) -> bytes:
        """So many bytes at each of some places, one after the other. Raises StorageFailed."""
        self._read_ahead(places, size)
        try:
            found = b"".join([os.pread(self.descriptor, size, place) for place in places])
        except OSError as error:
            raise StorageFailed(f"{self._path}: {error.strerror}") from error
        if len(found) != len(places) * size:
            raise StorageFailed(f"{self._path} has become shorter")
        return found

    def _read_ahead(self, places: Sequence[int], size: int) -> None:
        """Have the disk look for all places at once the first time, when hardly any is in memory."""
        if sys.platform == "linux" and not self._was_read:
            self._was_read = True
            for place in places:
                os.posix_fadvise(self.descriptor, place, size, os.POSIX_FADV_WILLNEED)


@dataclass(frozen=True, slots=True)
class FileOfLevels:
    """Where the levels of some rows stand, one row after the other, from `begin` on."""

    file: OpenFile
    begin: int

    def read(self, rows: NDArray[np.intp], dimensions: int) -> NDArray[np.int8]:
        """The levels of some rows; read and not mapped, so that they take no memory. Raises StorageFailed."""
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
            found = self.file.read_each([self.begin + int(rows[0]) * dimensions], len(rows) * dimensions)
        else:
            found = self.file.read_each((self.begin + rows * dimensions).tolist(), dimensions)
        return np.frombuffer(found, np.int8).reshape(len(rows), dimensions)


@dataclass(frozen=True, slots=True)
class Codes:
    """Of n rows: `signs` uint64 (words, n), `levels` int8 (n, dimensions), `scales` and `slacks` float32 (n,).

    Levels that are mapped are in a `file` too. Those of codes that are only to be written are still in `parts`.
    """

    signs: Bits
    levels: NDArray[np.int8]
    scales: Floats
    slacks: Floats
    file: FileOfLevels | None = None
    parts: "Sequence[tuple[Codes, NDArray[np.intp]]]" = ()

    def level_blocks(self) -> "Iterator[NDArray[np.int8]]":
        """All levels, some rows at a time."""
        if not self.parts:
            yield self.levels
        for codes, rows in self.parts:
            for begin in range(0, len(rows), BLOCK_ROWS):
                yield codes.levels_of(rows[begin : begin + BLOCK_ROWS], mapped=False)

    def levels_of(self, rows: NDArray[np.intp], *, mapped: bool) -> NDArray[np.int8]:
        """The levels of some rows; what is mapped stays in memory."""
        if mapped or self.file is None:
            return self.levels[rows]
        return self.file.read(rows, self.levels.shape[1])


def join(parts: "Sequence[tuple[Codes, NDArray[np.intp]]]") -> Codes:
    """The codes of some rows of each of several, one after the other; a block of levels is in memory twice."""
    whole = join_to_write(parts)
    levels, end = np.empty((len(whole.scales), whole.levels.shape[1]), np.int8), 0
    for block in whole.level_blocks():
        levels[end : end + len(block)] = block
        end += len(block)
    return Codes(whole.signs, levels, whole.scales, whole.slacks)


def join_to_write(parts: "Sequence[tuple[Codes, NDArray[np.intp]]]") -> Codes:
    """The same without the levels, the most of it by far, which are read when they are written."""
    return Codes(
        np.concatenate([codes.signs[:, rows] for codes, rows in parts], axis=1),
        np.empty((0, parts[0][0].levels.shape[1]), np.int8),
        np.concatenate([codes.scales[rows] for codes, rows in parts]),
        np.concatenate([codes.slacks[rows] for codes, rows in parts]),
        parts=parts,
    )


def encode(vectors: Floats) -> Codes:
    """The codes of vectors of shape (n, dimensions), whatever their lengths."""
    unit = unit_rows(vectors)
    largest = np.abs(unit).max(axis=1, initial=0.0)
    scales = np.where(largest > 0, largest / LEVELS, 1).astype(np.float32)
    levels = np.rint(unit / scales[:, None]).astype(np.int8)
    slacks = np.linalg.norm(unit - levels * scales[:, None], axis=1) + ROUNDING
    return Codes(sign_words(unit), levels, scales, slacks.astype(np.float32))


def unit_rows(vectors: Floats) -> Floats:
    """Every row at length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def sign_words(unit: Floats) -> Bits:
    """The signs of the components, packed; of shape (words, n)."""
    return _packed(unit > 0)


def heavy_components(query: Floats) -> Bits:
    """Those of a query of length 1 that tell most, as `sign_words` has them: the others' signs are more noise."""
    return _packed(np.abs(query) > HEAVY / math.sqrt(query.shape[1]))


def weight_planes(query: Floats) -> Bits:
    """How large each component is beside the largest, in sevenths: of shape (planes, words), a plane for each bit."""
    largest = max(float(np.abs(query).max(initial=0.0)), np.finfo(np.float32).tiny)
    weights = np.rint(np.abs(query) * (MOST_WEIGHT / largest)).astype(np.int64)
    return np.concatenate([_packed((weights >> plane & 1).astype(np.bool_)[None]).T for plane in range(PLANES)])


def _packed(bits: NDArray[np.bool_]) -> Bits:
    rows, dimensions = bits.shape
    padded = np.zeros((rows, -(-dimensions // WORD_BITS) * WORD_BITS), np.bool_)
    padded[:, :dimensions] = bits
    return np.ascontiguousarray(np.packbits(padded, axis=1).view(np.uint64).T)


def distances(signs: Bits, query: Bits, wanted: Bits) -> Distances:
    """In how many of the wanted bits the signs of each row differ from the query's; both are of shape (words, 1)."""
    rows = signs.shape[1]
    # Numbers of a byte are added and compared in half of the time, and there is one left for what may not be found.
    fits = np.bitwise_count(wanted).sum() < np.iinfo(np.uint8).max
    total: Distances = np.zeros(rows, np.uint8) if fits else np.zeros(rows, np.uint16)
    differing, often = np.empty(rows, np.uint64), np.empty(rows, np.uint8)
    for word, asked, mask in zip(signs, query[:, 0], wanted[:, 0], strict=True):
        np.bitwise_xor(word, asked, out=differing)
        np.bitwise_and(differing, mask, out=differing)
        np.bitwise_count(differing, out=often)
        np.add(total, often, out=total)
    return total


def weighed_distances(signs: Bits, query: Bits, planes: Bits) -> NDArray[np.uint32]:
    """The same when each bit counts what the query's component weighs, by its planes."""
    often = np.zeros((len(planes), signs.shape[1]), np.uint16)
    for word, wanted, weights in zip(signs, query[:, 0], planes.T, strict=True):
        differing = word ^ wanted
        for counted, plane in zip(often, weights, strict=True):
            np.add(counted, np.bitwise_count(differing & plane), out=counted)
    total = np.zeros(signs.shape[1], np.uint32)
    for power, counted in enumerate(often):
        total += counted.astype(np.uint32) << np.uint32(power)
    return total


def estimates(codes: Codes, query: Floats, rows: NDArray[np.intp], *, mapped: bool) -> Floats:
    """The cosine of rows with a query of length 1, right up to their slack.

    A product a row: a product with the matrix would wait for the threads of a library that a busy machine has not.
    """
    blocks = [rows[begin : begin + BLOCK_ROWS] for begin in range(0, len(rows), BLOCK_ROWS)]
    products = [np.vecdot(codes.levels_of(block, mapped=mapped).astype(np.float32), query) for block in blocks]
    return np.asarray(np.concatenate([np.empty(0, np.float32), *products]) * codes.scales[rows], np.float32)
