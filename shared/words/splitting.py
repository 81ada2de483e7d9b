"""Owns the splitting of a text into tokens, and of a token into what it is found by.

A token is what a reader takes for one: a word, an identifier, a version, a date, a path, or a run of a script that
needs no spaces. An identifier is a word of its own beside its parts.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from embedmill.shared.words.folding import LARGE_UNITS, UNITS, fold
from embedmill.shared.words.scripts import CLUSTER, HAN, HANGUL, PICTURE, SPACELESS, marks
from embedmill.shared.words.spellings import name_and_number

LONGEST_WHOLE = 80
"""Signs of an identifier that is kept whole: what is longer is data, as a picture in base 64."""
LONGEST_CLOSED = 40
"""Signs of an identifier that is known without its hyphens too."""
LONGEST_CAMEL = 48
"""Letters of a name that is taken apart: beyond it capitals mean nothing."""

_PATTERN = r"""
(?: (?<![\w)\]}]) [-+] (?: (?=\d) | \. (?=\d) ) # -40, +49
  | (?<![\w.]) \. (?=\w) # .NET, .5
  | (?<![\w&]) [#$€£§@] (?=\w) # #123, $100, §5, @name
)?
PIECE (?: (?: ['.+@/\\,&-] | ::? | (?<=\d) ° (?=[CF](?!\w)) ) PIECE )*
(?: \+\+ | [#%] (?!\w) )?
"""
_JOINTS = re.compile(r"[/\\:@&]+|(?<=\d\d-\d\d)[tT](?=\d\d)")
_JOINED = re.compile(r"[/\\:@&.]|\d[tT]\d")
"""What has any joints has one of these."""
_DOTS = re.compile(r"(?<!\d)\.|\.(?!\d)")
_CONNECTORS = re.compile(r"['.+,_-]+")
_CAMEL = re.compile(
    r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z]{2})(?=[0-9]{2})|(?<=[0-9]{2})(?=[A-Za-z]{2})"
)
_CONTRACTED = re.compile(r"[^\W\d_]+'(?:ll|re|ve|d|m|t)", re.IGNORECASE)
_POSSESSIVE = re.compile(r"'[sS]?$")
_ELIDED = re.compile(
    r"^(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu|un|gl|all|dall|dell|nell|sull|quell|quest|sant)'(?=[^\W\d_]{2})",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+[-.,]\d|\d{4}")
_NEGATIVE = re.compile(r"-[\d.,]*\d")
_HYPHENED = re.compile(r"[^\W_]+(?:[-_][^\W_]+)+")
_MIXED = re.compile(r"(?=.*\d)(?=.*[^\W\d_])")
_UNIT = "|".join(sorted(UNITS | LARGE_UNITS))
_QUANTITY = re.compile(rf"(?P<number>[-+]?\d+(?:[.,]\d+)*)(?:°(?=[CF]))?(?P<unit>(?<=°)[CF]|{_UNIT})", re.IGNORECASE)
"""A number with its unit is both, and an identifier."""
_SNAKE = re.compile(r"[a-z]+(?:_[a-z]+)+")
_INITIALS = re.compile(r"[^\W\d_](?:\.[^\W\d_])+")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_SIGNS = "#$€£%§@+-."
_OF_IDENTIFIERS = re.compile(r"[\d._+,#$€£%§]")
_RUN = re.compile(f"[{SPACELESS}]+")
_HAN = re.compile(f"[{HAN}]")
_HANGUL = re.compile(f"[{HANGUL}]+")
_HANGUL_APART = re.compile(f"[{HANGUL}]+|[^{HANGUL}]+")
_CLUSTERS = re.compile(CLUSTER)


class Pieces(NamedTuple):
    """What a token is found by, folded.

    `words` may be inflected; `shown` are the same with the marks that stemmers read. `wholes` are identifiers as
    they are written; with `loose` the words alone mean the same (`co-operate`), as those of `parse_retry_after` do not.
    `grams` are of a script without spaces, and overlap; `singles` are signs by which a text is found, which no query
    asks for beside its grams. `atoms` stand one after the other, as a phrase has them. What is `faint` among words and
    wholes is hardly said by a text: -24 is hardly 24. `closed` are wholes of letters and digits without their hyphens.
    """

    words: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    wholes: tuple[str, ...] = ()
    grams: tuple[str, ...] = ()
    singles: tuple[str, ...] = ()
    atoms: tuple[str, ...] = ()
    loose: bool = False
    length: int = 0
    faint: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


@cache
def _token_pattern(*, ascii_only: bool) -> re.Pattern[str]:
    if ascii_only:
        return re.compile(_PATTERN.replace("PIECE", r"\w+"), re.VERBOSE | re.ASCII)
    pattern = _PATTERN.replace("PIECE", rf"[\w{marks()}]+")
    return re.compile(f"{pattern} | {PICTURE}", re.VERBOSE)


def tokens(text: str) -> list[str]:
    """The tokens of a normalised text, in order."""
    if text.isascii():
        return _token_pattern(ascii_only=True).findall(text)
    return _token_pattern(ascii_only=False).findall(_RUN.sub(r" \g<0> ", text))


@lru_cache(maxsize=2048)
def split(token: str) -> Pieces:
    """What one token is found by."""
    if is_plain(token):
        small = (token.lower(),)
        return Pieces(words=small, shown=small, atoms=small, length=1)
    if _RUN.match(token):
        return _run(token)
    if _HANGUL.search(token):
        return _korean(token)
    if token.isalpha():
        return _word(token)
    return _compound(token)


@lru_cache(maxsize=2048)
def take_apart(token: str) -> Pieces | None:
    """A name and its number, as texts may have them, where the cutter takes them for one word; None for what else."""
    parts = name_and_number(token)
    if not parts or len(split(token).words) > 1 or not whole(token):
        return None
    return _together(list(map(split, parts)), wholes=whole(token))


def has_wholes_within(token: str) -> bool:
    """Whether an identifier is made of others, as 3.5mm and -3.5 are of 3.5, which then say less than it."""
    return len(joined(token)) > 1 or any(made.fullmatch(token) for made in (_QUANTITY, _NEGATIVE))


def is_plain(word: str) -> bool:
    """Whether a word is of plain letters, large ones at its beginning or everywhere: there is nothing to split."""
    return word.isascii() and word.isalpha() and (word.islower() or word.istitle() or word.isupper())


def _word(token: str) -> Pieces:
    """A word of letters alone: itself, and the words of which a CamelCase name is made."""
    parts = _parts_of(token)
    return _plain(parts, wholes=(fold(token),) if len(parts) > 1 else ())


def _compound(token: str) -> Pieces:
    """An identifier, a number, a path: as a whole, and what its joints part."""
    parts = joined(token)
    if len(parts) > 1:
        return _together(list(map(split, parts)), wholes=whole(token))
    if "'" in token:
        return _with_apostrophe(token)
    if "." in token and _INITIALS.fullmatch(token):
        return _plain([token.replace(".", "")])
    if quantity := _QUANTITY.fullmatch(token):
        return _together([split(quantity["number"]), split(quantity["unit"])], wholes=whole(token))
    return _parted(token)


def joined(token: str) -> list[str]:
    """The tokens of which one is made that has joints, and is a whole beside them; itself if it has none."""
    if not _JOINED.search(token) or _INITIALS.fullmatch(token):
        return [token]
    for joints in (_JOINTS, _DOTS):
        parts = list(filter(None, joints.split(token)))
        if len(parts) > 1:
            return parts
    return [token]


def _together(parts: list[Pieces], *, wholes: tuple[str, ...] = ()) -> Pieces:
    """What stands on both sides of a joint, and all of it."""
    words, shown, within, grams, singles, atoms, _, lengths, faint, closed = zip(*parts, strict=True)
    return Pieces(
        words=_flat(words),
        shown=_flat(shown),
        wholes=(*wholes, *_flat(within)),
        grams=_flat(grams),
        singles=_flat(singles),
        atoms=_flat(atoms),
        length=sum(lengths),
        faint=_flat(faint),
        closed=_flat(closed),
    )


def _flat(columns: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(chain.from_iterable(columns))


def _with_apostrophe(token: str) -> Pieces:
    """`don't` is one word, `user's` is the user's, `l'homme` is a man, and `O'Brien` is found by Brien too."""
    if _CONTRACTED.fullmatch(token):
        return _plain([token.replace("'", "")])
    bare = _ELIDED.sub("", _POSSESSIVE.sub("", token))
    return _parted(bare) if "'" in bare else split(bare)


def _parted(token: str) -> Pieces:
    if _SNAKE.fullmatch(token):
        words = tuple(token.split("_"))
        return Pieces(words, words, whole(token), atoms=words, length=len(words))
    pieces = [piece for piece in _CONNECTORS.split(token) if piece]
    cut = list(map(_parts_of, pieces))
    parts = list(chain.from_iterable(cut))
    if len(pieces) > 1 and not _OF_IDENTIFIERS.search(token):
        return _plain(parts, wholes=(fold(re.sub(r"['-]", "", token)),), loose=True)
    if not parts or parts == [token]:
        return _plain(parts)
    names = [fold(piece) for piece, within in zip(pieces, cut, strict=True) if len(within) > 1]
    unsigned = _unsigned(token)
    faint = (*parts, *unsigned) if _NEGATIVE.fullmatch(token) else ()
    found = _plain(parts, wholes=(*whole(token), *unsigned, *names), faint=faint)
    return Pieces(*found[:-1], closed=_closed(token))


def _parts_of(piece: str) -> list[str]:
    """A piece without its signs, or the words of its CamelCase."""
    bare = piece.strip(_SIGNS) or piece
    if bare.islower() and bare.isalpha():
        return [bare]
    camel = _CAMEL.split(bare) if len(bare) <= LONGEST_CAMEL else [bare]
    parts = [part for part in camel if len(part) > 1]
    return parts if len(parts) > 1 else [bare]


def _plain(
    parts: Iterable[str], *, wholes: tuple[str, ...] = (), loose: bool = False, faint: tuple[str, ...] = ()
) -> Pieces:
    kept = [(folded, part.lower()) for part in parts if (folded := fold(part))]
    words = tuple(folded for folded, _ in kept)
    shown = tuple(part for _, part in kept)
    kept_wholes = tuple(dict.fromkeys(whole for whole in wholes if whole and whole not in words))
    return Pieces(words, shown, kept_wholes, atoms=words, loose=loose, length=len(words), faint=faint)


def whole(token: str) -> tuple[str, ...]:
    """The identifier that a token is as a whole; none where it is data."""
    return (fold(token),) if len(token) <= LONGEST_WHOLE else ()


def _closed(token: str) -> tuple[str, ...]:
    """An identifier of letters and digits without its hyphens: PX1098C for PX-1098-C, UTF8 for UTF-8."""
    if len(token) > LONGEST_CLOSED or not _HYPHENED.fullmatch(token) or not _MIXED.match(token):
        return ()
    return (close(fold(token)),)


def close(word: str) -> str:
    """A word without its hyphens."""
    return word.replace("-", "").replace("_", "")


def _unsigned(token: str) -> tuple[str, ...]:
    """What else a number is written as: 1.5 for $1.5, 1.2.3 for v1.2.3, 10000 for 10,000."""
    bare = token.strip(_SIGNS).removeprefix("v")
    if not bare[:1].isdigit():
        return ()
    found = (bare, bare.replace(",", "") if _GROUPED.fullmatch(bare) else bare)
    return tuple(fold(number) for number in found if number != token and _NUMBER.match(number))


def _run(token: str) -> Pieces:
    """A run of a script without spaces: its pairs of signs; two signs count as one word."""
    signs = tuple(_CLUSTERS.findall(fold(token)))
    if len(signs) == 1:
        return Pieces(grams=signs, atoms=signs, length=1)
    singles = tuple(filter(_HAN.match, signs))
    return Pieces(grams=_pairs(signs), singles=singles, atoms=signs, length=(len(signs) + 1) // 2)


def _pairs(signs: Sequence[str]) -> tuple[str, ...]:
    return tuple(first + second for first, second in pairwise(signs))


def _korean(token: str) -> Pieces:
    """A word with its particles, and what of other scripts stands in it."""
    parts = [part.strip("'.+@/\\,&:_-") for part in _HANGUL_APART.findall(token)]
    pieces = [_eojeol(part) if _HANGUL.match(part) else split(part) for part in parts if part]
    return pieces[0] if len(pieces) == 1 else _together(pieces)


def _eojeol(token: str) -> Pieces:
    """A Korean word with its particles: whole, in pairs of syllables, and by the first of two, one a particle."""
    word = fold(token)
    syllables = tuple(word)
    if len(syllables) < 3:
        return Pieces(grams=(word,), singles=syllables[: len(syllables) - 1], atoms=syllables, length=1)
    return Pieces(grams=_pairs(syllables), wholes=(word,), atoms=syllables, loose=True, length=1)
