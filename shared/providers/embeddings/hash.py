"""The hash embedder: words hashed to dimensions, without weights; for tests and rehearsals, never a default.

It knows spelling and no meaning: two texts are as near as the words they share. It is here because it is exact,
instant and the same everywhere.
"""

import re
import zlib
from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.lexicon import MOST, WordRun, recalled
from embedmill.shared.paging import pages
from embedmill.shared.providers.embeddings.base import Embedder, InputType, unit_rows
from embedmill.shared.remembering import Remembered
from embedmill.shared.word_values import WordValues

WORD = re.compile(r"\w+")
KNOWN_WORDS = 1 << 16
Numbers = NDArray[np.intp]
AT_ONCE = 128
"""Texts whose words are counted together: what that takes stays near."""
_PARTED = bytes(code if code > 127 or WORD.match(chr(code)) else 32 for code in range(256))
"""Bytes as they are, but blanks for those of ASCII that stand in no word."""


class HashEmbedder(Embedder):
    """Feature hashing of lower-cased words: the square root of each dimension's word count, at unit length."""

    provider = "hash"
    name = "hash"
    model = "hash-crc32-256-v1"
    dimensions = 256
    is_instant = True

    def __init__(self) -> None:
        self._dimension_of = Remembered(self._find_dimension, most=KNOWN_WORDS)

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        if len(texts) <= AT_ONCE:
            return self._embed(texts)
        return np.concatenate([self._embed(some) for some in pages(texts, AT_ONCE)])

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        runs = recalled.find(texts)
        words = [() if run else _words(text) for text, run in zip(texts, runs, strict=True)]
        rows = np.repeat(np.arange(len(texts)), list(map(len, words)))
        columns = np.fromiter(map(self._dimension_of.__getitem__, chain.from_iterable(words)), np.intp, len(rows))
        if known := [(row, run) for row, run in enumerate(runs) if run]:
            more_rows, more_columns = self._find_known([row for row, _ in known], [run for _, run in known])
            rows, columns = np.concatenate((rows, more_rows)), np.concatenate((columns, more_columns))
        size = len(texts) * self.dimensions
        counts = np.bincount(rows * self.dimensions + columns, minlength=size).reshape(len(texts), self.dimensions)
        return unit_rows(np.sqrt(counts, dtype=np.float32))

    def _find_known(self, rows: Sequence[int], runs: Sequence[WordRun]) -> tuple[Numbers, Numbers]:
        """Row and column of each word of texts that are known by number."""
        lexicon = runs[0].lexicon
        table = lexicon.table(_make_columns)
        numbers = np.concatenate([run.numbers for run in runs])
        owners = np.repeat(np.array(rows, np.intp), [len(run.numbers) for run in runs])
        if len(new := table.find_unknown(numbers)):
            columns = [self._columns(lexicon.words[number]) for number in new.tolist()]
            table.learn(new, np.array(list(map(len, columns))), np.array(list(chain.from_iterable(columns)), np.intp))
        sizes = np.maximum(table.sizes[numbers], 0)
        found = table.find(numbers, sizes)
        others = [(row, c) for row, run in zip(rows, runs, strict=True) for o in run.others for c in self._columns(o)]
        more = np.array(others, np.intp).reshape(-1, 2)
        return np.concatenate((np.repeat(owners, sizes), more[:, 0])), np.concatenate((found, more[:, 1]))

    def _columns(self, word: str) -> list[int]:
        return list(map(self._dimension_of.__getitem__, _words(word)))

    def _find_dimension(self, word: bytes) -> int:
        return zlib.crc32(word) % self.dimensions

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(WORD.findall(text)) for text in texts]


def _make_columns() -> WordValues:
    return WordValues(MOST, np.intp)


def _words(text: str) -> list[bytes]:
    """The words of `WORD` in small letters, as UTF-8, in any order; what is of ASCII is told apart as bytes."""
    small = text.lower()
    written = small.encode("utf-8", "surrogatepass").translate(_PARTED).split()
    if small.isascii():
        return written
    others = b" ".join(word for word in written if not word.isascii()).decode("utf-8", "surrogatepass")
    found = (word.encode("utf-8", "surrogatepass") for word in WORD.findall(others))
    return [*filter(bytes.isascii, written), *found]
