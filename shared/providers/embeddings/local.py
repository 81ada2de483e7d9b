"""The local embedder: wordllama's token vectors, averaged; no download, no key, a tenth of a millisecond a chunk.

The model's two files are in `wordllama/` beside this module, with their origin and licence.
"""

import re
from collections.abc import Iterator, Sequence, Set
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from embedmill.shared.providers.embeddings.base import Embedder, InputType, encodable, unit_rows

FOLDER = Path(__file__).with_name("wordllama")
TOKENIZER_FILE = FOLDER / "l2_supercat_tokenizer_config.json"
WEIGHTS_FILE = FOLDER / "l2_supercat_256.safetensors"
WEIGHTS_NAME = "embedding.weight"


class LocalEmbedder(Embedder):
    """The mean of each text's token vectors at unit length: 256 dimensions, no limit on length."""

    provider = "local"
    name = "local"
    # With the version of the package that the files are from: vectors are kept under this name.
    model = "wordllama-l2-supercat-256@0.4.0.post1"
    dimensions = 256
    is_instant = True

    @classmethod
    def load(cls) -> None:
        _tokens()
        _vectors()

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        known = _vectors()
        for row, ids in enumerate(_tokens().encode(texts)):
            if ids.size:
                # One sum a text stays in the processor's cache: 25 times faster than np.add.reduceat over a batch.
                np.sum(known[ids], axis=0, out=vectors[row])
        return unit_rows(vectors)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [ids.size for ids in _tokens().encode(texts)]


class WordTokens:
    """The tokens of texts from those of their words and signs, most of which were met before: three times as quick.

    No token goes on behind a word, a run of signs or a line's end, but for a small 2 before a sign. Texts that have
    one, or what the tokenizer looks for in a text as it stands, go to it whole.
    """

    KNOWN = 20_000
    """So many parts are remembered, or twice as many, some 200 bytes each."""
    LONGEST = 40
    END, END_TOKEN = "\n", 13
    _PART = re.compile(r"\n| *[^\W\d_]+| *(?:[^\w \n]|[\d_])+| +")
    _WHOLE = re.compile("\u2581|\u00b2|</?s>|<unk>")

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, bytes] = {}
        self._former: dict[str, bytes] = {}

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.uint16]]:
        """The numbers of each text's tokens."""
        given = [encodable(text) for text in texts]
        # The tokenizer puts a space before a text.
        cuts = [None if self._WHOLE.search(text) else self._PART.findall(f" {text}") if text else [] for text in given]
        found = self._look_up({part for cut in cuts if cut for part in cut})
        return [
            self._encode_text(text) if cut is None else np.frombuffer(b"".join(map(found.__getitem__, cut)), np.uint16)
            for text, cut in zip(given, cuts, strict=True)
        ]

    def _look_up(self, parts: Set[str]) -> dict[str, bytes]:
        if len(self._known) > self.KNOWN:
            # Others may be reading either; what is asked for again moves from the former to the new one.
            self._known, self._former = {}, self._known
        known, former = self._known, self._former
        found = {part: known[part] for part in parts & known.keys()}
        found |= {part: former[part] for part in (parts - found.keys()) & former.keys()}
        missing = list(parts - found.keys() - {self.END})
        found |= zip(missing, self._encode_parts(missing), strict=True)
        known |= {part: ids for part, ids in found.items() if len(part) <= self.LONGEST}
        return found | {self.END: np.uint16(self.END_TOKEN).tobytes()}

    def _encode_parts(self, parts: Sequence[str]) -> Iterator[bytes]:
        """All in one text, a line each."""
        ids = self._encode_text("".join(f"{self.END}{part}" for part in parts))
        ends = np.flatnonzero(ids == self.END_TOKEN).tolist()
        return (ids[end + 1 : after].tobytes() for end, after in pairwise((*ends, len(ids))))

    def _encode_text(self, text: str) -> NDArray[np.uint16]:
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.uint16)


# Loaded when the first text comes: many commands only want to know the model's name and dimensions.
@cache
def _tokens() -> WordTokens:
    return WordTokens(load_tokenizer(TOKENIZER_FILE))


@cache
def _vectors() -> NDArray[np.float32]:
    return load_file(WEIGHTS_FILE)[WEIGHTS_NAME].astype(np.float32)


def load_tokenizer(file: Path) -> Tokenizer:
    """A tokenizer that neither pads nor cuts."""
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
