"""Owns phrases: words that stand side by side, as they are written but for case and marks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from embedmill.shared.words.cutting import alternatives, term_id
from embedmill.shared.words.folding import fold, normalise
from embedmill.shared.words.splitting import Pieces, is_plain, split, tokens

_BORDER = "\0"
_BETWEEN = re.compile(r"[\W_]+")
_OPENING, _CLOSING = r"[\"'(\[{<*]*+", r"[\"')\]}>*.,;:!?]*+"
"""What may stand at the edges of a word and is no part of it."""
_SIGNS = bytes(sign for sign in range(128) if not chr(sign).isalnum())
SKETCHED = 3
LONGEST_GAP = 7
"""Letters between two words of a phrase that are not its own: `lorsqu'`, and the `s` of `user's`."""


def pieces_of(text: str) -> list[Pieces]:
    """What the tokens of a text are found by, in order; not those of signs alone."""
    return [pieces for token in tokens(normalise(text)) if (pieces := split(token)).atoms]


@dataclass(frozen=True)
class Phrase:
    """Words that have to stand side by side in one field."""

    text: str

    def held_by(self, *fields: str) -> bool:
        """Whether one of the fields holds its words in order with nothing between, and its identifiers as written."""
        # Most fields that hold them have its words between spaces: nothing has to be cut for that.
        if self._between_spaces is not None and any(map(self._between_spaces.search, fields)):
            return True
        squeezed = map(_squeezed, fields)
        likely = [field for field, found in zip(fields, map(self._sketch.search, squeezed), strict=True) if found]
        return any(self._is_in(pieces_of(field)) for field in likely)

    def may_be_named(self, uri: str) -> bool:
        """Whether the name that is read of a URI may hold it: most are told without reading them."""
        return "%" in uri or self._first in _squeeze(uri)

    @cached_property
    def _first(self) -> str:
        """The letters of its first atom, which stand together in every field that holds it."""
        return next((_BETWEEN.sub("", atom) for pieces in self._pieces for atom in pieces.atoms), "")

    @cached_property
    def required(self) -> tuple[frozenset[int], ...]:
        """For each word the terms of which a row that holds the phrase has one, for a `Selection`."""
        asked = (terms for pieces in self._pieces for terms in _terms_asked(pieces))
        return tuple(dict.fromkeys(map(frozenset, asked)))

    @cached_property
    def _sketch(self) -> re.Pattern[str]:
        """What the letters of a field that holds the phrase look like: it tells most fields without cutting them."""
        atoms = [atom for pieces in self._pieces for atom in pieces.atoms]
        letters = (re.escape(_BETWEEN.sub("", atom)) for atom in atoms[:SKETCHED])
        return re.compile(f".{{0,{LONGEST_GAP}}}".join(letters))

    @cached_property
    def _between_spaces(self) -> re.Pattern[str] | None:
        """Its words as they stand in a line of plain words, small or large; None where it has others."""
        words = self.text.split()
        if not words or not all(map(is_plain, words)):
            return None
        forms = (f"(?:{word.lower()}|{word.title()}|{word.upper()})" for word in words)
        line = rf"{_CLOSING}\s+{_OPENING}".join(forms)
        return re.compile(rf"(?<!\S){_OPENING}{line}{_CLOSING}(?!\S)")

    @cached_property
    def _pieces(self) -> list[Pieces]:
        return pieces_of(self.text)

    def _is_in(self, pieces: list[Pieces]) -> bool:
        if not self._pieces:
            return False
        return _line(self._pieces) in _line(pieces) and _wholes(self._pieces) <= _wholes(pieces)


def _squeeze(text: str) -> str:
    """The folded letters and digits of a text alone."""
    if text.isascii():
        return text.lower().encode().translate(None, _SIGNS).decode()
    return _BETWEEN.sub("", fold(normalise(text)))


_squeezed = lru_cache(maxsize=2048)(_squeeze)


def _line(pieces: list[Pieces]) -> str:
    atoms = (atom for piece in pieces for atom in piece.atoms)
    return f"{_BORDER}{_BORDER.join(atoms)}{_BORDER}"


def _wholes(pieces: list[Pieces]) -> set[str]:
    return {whole for piece in pieces if not piece.loose for whole in piece.wholes}


def _terms_asked(pieces: Pieces) -> Iterator[tuple[int, ...]]:
    """The terms of the identifier that has to be there as it is written, or those of each word."""
    if pieces.wholes and not pieces.loose:
        yield alternatives(pieces.wholes[0], pieces.wholes[0])
        return
    for word, shown in zip(pieces.words, pieces.shown, strict=True):
        yield alternatives(word, shown)
    for gram in pieces.grams:
        yield (term_id(gram),)
