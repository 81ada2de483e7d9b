"""Owns how a row is kept in a shard's file: texts compressed, vectors in the least width that loses nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from isal import isal_zlib
from numpy.typing import NDArray

from embedmill.shared.providers.vectorstores.embedded import schema
from embedmill.shared.providers.vectorstores.rows import NO_VECTOR, VectorRow

COLUMNS = (
    'id, document, version, generation, ordinal, chunk, uri, title, section, text, start, "end", page, index_version, '
    "metadata"
)
PLACES = "head_start, head_end, last_page"
"""Of files of version 3 on."""
INSERT = f"INSERT INTO vectors ({COLUMNS}, {PLACES}, vector, seq, key) VALUES ({', '.join('?' * 21)})"

EACH_OF = "(SELECT value FROM json_each(?))"
"""The items of a list in JSON."""

TEXT = COLUMNS.split(", ").index("text")
LEVEL, WINDOW_BITS = 1, -12
"""For texts of a kilobyte: no larger than by zlib's sixth level, in half of its time."""
PLAIN_CHARACTERS = 80
"""A text up to this is kept as it is."""


def select(*, with_vectors: bool, version: int) -> str:
    """The statement that reads rows of a file of this version, without its condition."""
    places = PLACES if version >= schema.WITH_PLACES else "NULL, NULL, NULL"
    return f"SELECT {COLUMNS}, {places}, {'vector' if with_vectors else 'NULL'} FROM vectors"


def record(row: VectorRow, vector: bytes) -> tuple[Any, ...]:
    """The parameters of `INSERT` but for the last two; `vector` as `pack_vectors` has it."""
    return (
        row.id,
        row.document,
        row.version,
        row.generation,
        row.ordinal,
        row.chunk,
        row.uri,
        row.title,
        row.section,
        pack_text(row.text),
        row.start,
        row.end,
        row.page,
        row.index_version,
        orjson.dumps(dict(row.metadata)).decode(),
        *(row.head or (None, None)),
        row.last_page,
        vector,
    )


def row(record: tuple[Any, ...], *, dimensions: int) -> VectorRow:
    """A row as `select` reads it."""
    *columns, metadata, head_start, head_end, last_page, vector = record
    columns[TEXT] = unpack_text(columns[TEXT])
    stored = NO_VECTOR if vector is None else unpack_vectors([vector], dimensions)[0]
    head = None if head_start is None else (head_start, head_end)
    return VectorRow(*(*columns, stored, orjson.loads(metadata), head, last_page))


def pack_text(text: str) -> str | bytes:
    """A long text compressed; one that would not get shorter stays as it is."""
    if len(text) <= PLAIN_CHARACTERS:
        return text
    plain = text.encode()
    packed = isal_zlib.compress(plain, LEVEL, WINDOW_BITS)
    return packed if len(packed) < len(plain) else text


def unpack_text(kept: str | bytes) -> str:
    """The text of `pack_text`."""
    return kept if isinstance(kept, str) else isal_zlib.decompress(kept, -isal_zlib.MAX_WBITS).decode()


def pack_vectors(vectors: Sequence[NDArray[np.float32]]) -> list[bytes]:
    """Each vector in 16 bits a component where that loses nothing, as most embedders round; otherwise in 32."""
    wide = np.array(vectors, np.float32)
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float16)
    loses_nothing = (narrow == wide).all(axis=1).tolist()
    return [(half if fits else whole).tobytes() for half, whole, fits in zip(narrow, wide, loses_nothing, strict=True)]


def unpack_vectors(kept: Sequence[bytes], dimensions: int) -> NDArray[np.float32]:
    """Vectors as they were written, of shape (n, dimensions)."""
    narrow = [len(vector) == 2 * dimensions for vector in kept]
    if all(narrow):
        return _read(kept, np.float16, dimensions).astype(np.float32)
    if not any(narrow):
        return _read(kept, np.float32, dimensions)
    return np.concatenate([unpack_vectors([vector], dimensions) for vector in kept])


def _read(kept: Sequence[bytes], kind: type[np.generic], dimensions: int) -> NDArray[Any]:
    return np.frombuffer(b"".join(kept), kind).reshape(len(kept), dimensions)
