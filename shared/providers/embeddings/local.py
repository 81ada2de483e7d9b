"""The local embedder: wordllama's token vectors, averaged; no download, no key, a tenth of a millisecond a chunk.

The model's two files are in `wordllama/` beside this module, with their origin and licence.
"""

import re
from collections.abc import Iterator, Sequence, Set
from functools import cache
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from embedmill.shared.distinct import ranges
from embedmill.shared.lexicon import MARK, MOST, NEW, WordRun, recalled, spelled
from embedmill.shared.paging import pages
from embedmill.shared.providers.embeddings.base import Embedder, InputType, encodable, unit_rows
from embedmill.shared.word_values import WordValues

FOLDER = Path(__file__).with_name("wordllama")
TOKENIZER_FILE = FOLDER / "l2_supercat_tokenizer_config.json"
WEIGHTS_FILE = FOLDER / "l2_supercat_256.safetensors"
WEIGHTS_NAME = "embedding.weight"
TOKEN_BYTES = 2
AT_ONCE = 128
"""Texts whose words are looked up together: what that takes stays near."""
WHOLE = -2
"""How many tokens a word has that the tokenizer has to see in its text."""


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
        if len(texts) > AT_ONCE:
            return np.concatenate([self.embed_batch(some, input_type=input_type) for some in pages(texts, AT_ONCE)])
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        known = _vectors()
        for row, ids in enumerate(_tokens().encode_recalled(texts)):
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

    def encode_recalled(self, texts: Sequence[str]) -> list[NDArray[np.uint16]]:
        """The same, by the words of those texts that were cut into some lately."""
        runs = recalled.find(texts)
        cut = [place for place, run in enumerate(runs) if run and texts[place].strip() == texts[place]]
        found = dict(zip(cut, self._encode_runs([run for place in cut if (run := runs[place])]), strict=True))
        rest = [place for place in range(len(texts)) if found.get(place) is None]
        found |= zip(rest, self.encode([texts[place] for place in rest]), strict=True)
        return [ids for place in range(len(texts)) if (ids := found[place]) is not None]

    def _encode_runs(self, runs: Sequence[WordRun]) -> list[NDArray[np.uint16] | None]:
        """The tokens of each text's words; None where the text has to go to the tokenizer whole."""
        if not runs:
            return []
        lexicon, table = runs[0].lexicon, runs[0].lexicon.table(_make_tokens)
        numbers = np.concatenate([run.numbers for run in runs])
        ends = np.cumsum([len(run.numbers) for run in runs]).tolist()
        if len(new := table.find_unknown(numbers)):
            table.learn(new, *_joined(self._encode_words([spelled(lexicon.words[number]) for number in new.tolist()])))
        # What no number tells: words without one, and those at a text's ends, where it has other spaces than it had.
        others = chain.from_iterable(run.others for run in runs)
        told = dict(zip(np.flatnonzero(numbers == NEW).tolist(), others, strict=True))
        for first, end in pairwise((0, *ends)):
            for place in (first, end - 1):
                told.setdefault(place, lexicon.words[numbers[place]])
            told[first] = told[first].removeprefix(MARK)
            told[end - 1] = told[end - 1].rstrip(self.END)
        places = list(told)
        sizes, starts = table.sizes[numbers].astype(np.intp), table.starts[numbers]
        sizes[places], values = _joined(self._encode_words(list(map(spelled, told.values()))))
        known = np.maximum(sizes, 0)
        starts[places] = len(table.values) + np.cumsum(known[places]) - known[places]
        ids = np.concatenate((table.values, values))[ranges(starts, known)]
        lasts = np.cumsum(known)[np.array(ends) - 1].tolist()
        is_whole = np.minimum.reduceat(sizes, [0, *ends[:-1]]) < 0
        spans = zip(is_whole.tolist(), pairwise((0, *lasts)), strict=True)
        return [None if whole else ids[first:last] for whole, (first, last) in spans]

    def _encode_words(self, words: Sequence[str]) -> list[bytes | None]:
        """The tokens of words that are spelled with the space before them; None of what the tokenizer has to see."""
        cuts = [None if self._WHOLE.search(word) else self._PART.findall(encodable(word)) for word in words]
        found = self._look_up({part for cut in cuts if cut for part in cut})
        return [None if cut is None else b"".join(map(found.__getitem__, cut)) for cut in cuts]

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


def _joined(words: Sequence[bytes | None]) -> tuple[NDArray[np.intp], NDArray[np.uint16]]:
    """How many tokens each word has, WHOLE for None, and the tokens one behind the other."""
    sizes = [WHOLE if ids is None else len(ids) // TOKEN_BYTES for ids in words]
    return np.array(sizes, np.intp), np.frombuffer(b"".join(filter(None, words)), np.uint16)


def _make_tokens() -> WordValues:
    return WordValues(MOST, np.uint16)


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
