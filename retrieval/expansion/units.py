"""Owns what of a query may be said otherwise: its words; what is quoted or excluded, codes and numbers stay."""

import re
from collections.abc import Iterator

from embedmill.shared.words.cutting import alternatives, term_id
from embedmill.shared.words.folding import normalise
from embedmill.shared.words.signs import parts_of
from embedmill.shared.words.splitting import split, tokens

Unit = frozenset[int]
"""The terms that stand for one word, in whatever form and language."""
STAYS: Unit = frozenset()
"""In the place of what stays as it is."""

_CODE = re.compile(r"\d|[_/\\@:#$€£%§]|(?<=\w{2})\.(?=\w)")
_PAUSE = re.compile(r"[.,;:!?。、，；：！？]+(?:\s|$)")  # noqa: RUF001 - the pauses of other scripts


def units_of(text: str) -> list[Unit]:
    """The words of a text, in order; what two of them stand on both sides of, as a comma, parts them."""
    return [unit for clause in _PAUSE.split(text) for unit in (*_units_of_clause(clause), STAYS)][:-1]


def units_of_query(query: str) -> list[Unit]:
    """The words of a query that may be said otherwise."""
    found: list[Unit] = []
    for part in parts_of(query):
        found += [STAYS] if part.is_phrase or part.is_excluded else units_of(part.text)
    return found


def wanted(query: str) -> str:
    """A query without what it excludes, its quotes in one form."""
    parts = [part for part in parts_of(query) if not part.is_excluded]
    return " ".join(f'"{part.text}"' if part.is_phrase else part.text.strip() for part in parts if part.text.strip())


def codes_of(text: str) -> list[str]:
    """The codes and numbers of a text, as they are written but for their form."""
    return [token for token in tokens(normalise(text)) if is_code(token)]


def is_code(token: str) -> bool:
    """Whether a token names something by its signs: a number, a version, a part number, a path, a file."""
    return bool(_CODE.search(token))


def _units_of_clause(clause: str) -> Iterator[Unit]:
    for token in tokens(normalise(clause)):
        if is_code(token):
            yield STAYS
        else:
            yield from _units(token)


def _units(token: str) -> Iterator[Unit]:
    """A word, be it written with a hyphen or in CamelCase; the signs of a script without spaces one by one."""
    pieces = split(token)
    if pieces.grams:
        yield from (frozenset((term_id(atom),)) for atom in pieces.atoms)
    elif pieces.wholes:
        yield frozenset(alternatives(pieces.wholes[0], pieces.wholes[0]))
    else:
        for word, shown in zip(pieces.words, pieces.shown, strict=True):
            yield frozenset(alternatives(word, shown))
