"""Owns judging how a one-byte encoding of Latin script reads: by the letters of languages, and where signs stand.

Statistics of letters need a paragraph of text; the alphabet of a language says enough about a sentence. `nińo` and
`pińas` have a letter of Polish, but `mańana comerá` is no Polish, and in windows-1252 all of it is Spanish.
"""
# ruff: noqa: RUF001 - these are the very letters and signs that are told apart

import re
from itertools import pairwise
from string import ascii_letters

# As many words with letters beyond ASCII as are looked at.
WORDS = 1000
# Up to these shares of what is beyond ASCII: letters of another language, as names and quotations have them, and what
# no language has where it is.
MOST_FOREIGN, MOST_MISPLACED = 0.5, 0.15
MOST_BEYOND_ASCII = 2
LONGEST_RUN = 3
# A letter of another language that the encoding is made for is less odd than one of none.
OF_A_NEIGHBOUR = 0.5
# An encoding that is not the first has to be this much better.
OF_A_RARER_ENCODING = 0.5

COMMONEST = "cp1252"
# Encodings in the order of how common they are, and the letters beyond ASCII of their languages.
_LANGUAGES = {
    "cp1252": "àâæçéèêëîïôœùûüÿ áéíóúüñªº áâãàçéêíóôõúüªº äöüßé àèéìíîòóùú åäöé æøåéòôó éëïöüèêáó àçèéíïòóúü",
    "cp1250": "ąćęłńóśźż áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž áéíóöőúüű ăâîşţ čćđšž äöüß",
    "cp1254": "çğıöşüâîû",
    "cp1257": "ąčęėįšųūž āčēģīķļņšūžō äõöüšž",
    "iso8859_2": "ąćęłńóśźż áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž áéíóöőúüű ăâîşţ čćđšž",
    "cp850": "àâæçéèêëîïôùûüÿ áéíóúüñªº áâãàçéêíóôõúü äöüß àèéìíîòóùú åäöé æøå",
    "mac_roman": "àâæçéèêëîïôœùûüÿ áéíóúüñªº áâãàçéêíóôõúü äöüß àèéìíîòóùú åäöé æøå",
}
_ALPHABETS = {name: [frozenset(letters) for letters in words.split()] for name, words in _LANGUAGES.items()}
# So rare by now that they have to fit without a fault.
_RARE = frozenset({"cp850", "mac_roman"})
_FAMILIES = {name: frozenset().union(*alphabets) for name, alphabets in _ALPHABETS.items()}
# Encodings whose letters stand in the same places.
_TWINS = {"iso8859_13": "cp1257", "iso8859_9": "cp1254", "iso8859_15": "cp1252"}
# Turkish has its circumflexes seldom and its dotless i everywhere; Latvian has long vowels in their place.
_TURKISH, _DOTLESS, _CIRCUMFLEXES = "cp1254", "ı", frozenset("âîû")
# Its letters stand for common ones of Turkish: few write it, so it is taken when nothing else fits.
_ICELANDIC, _IS_ICELANDIC = frozenset("áðéíóúýþæö"), 1.0

_ASCII_LETTERS, _BEYOND_ASCII = ascii_letters.encode(), bytes(range(128, 256))
_WORD = re.compile(rb"[^\s]{0,40}[\x80-\xff][^\s]{0,40}")
_LETTER = r"[^\W\d_]"
_JOINERS, _OPENERS, _SIGNS = "’‘–—…·\xad\xa0", "«»“”„‘’‚‹›¿¡–—…•·§©®™°\xa0", "£€¥¢$±×÷²³¹ªºµ½¼¾†‡‰¶"
_ODD = (
    re.compile(rf"(?<={_LETTER})(?:[^\x00-\x7f{_JOINERS}\w]|[²³¹¼½¾])(?={_LETTER})"),
    re.compile(rf"(?<![\w’'])(?:[^\x00-\x7f{_OPENERS}\w]|[²³¹])(?={_LETTER})"),
    re.compile(rf"(?<={_LETTER})[„‚¿¡](?!{_LETTER})"),
    re.compile(r"[–—…·][^\s\w.,;:!?)«»“”„‘’\"'-]"),
    re.compile(rf"(?=[^\x00-\x7f\w])[^{_OPENERS}{_JOINERS}{_SIGNS}]"),
)
_STRAY = (
    re.compile(r"[^\x00-\x7f\w“”„’‘‚–—…•«»€£°§·©®™×½¼²³ºª¿¡´\xa0]"),
    re.compile(rf"(?<={_LETTER})[‚„‘“¿¡«]|[”»](?={_LETTER})|ƒ|[ÞþÐð]"),
    re.compile(r"[a-zß-öø-ÿšœž][À-ÖØ-ÞŠŒŽŸ]"),
)
_CONTROL = re.compile("[\x80-\x9f\ufffd]")
_RUN = re.compile(rf"(?:(?![a-zA-Z]){_LETTER}){{{LONGEST_RUN + 1},}}")


def guess_latin(sample: bytes) -> str | None:
    """The encoding under which words read as if of one language; None when there is none, or most is not ASCII."""
    if _count(sample, _BEYOND_ASCII) > MOST_BEYOND_ASCII * _count(sample, _ASCII_LETTERS):
        return None
    words = _words(sample)
    readings = {name: words.decode(name, errors="replace") for name in _ALPHABETS}
    odd = {name: (_count_foreign(text, name), _count_misplaced(text)) for name, text in readings.items()}
    best = min(odd, key=lambda name: sum(odd[name]) + (0.0 if name == COMMONEST else OF_A_RARER_ENCODING))
    foreign, misplaced = odd[best]
    if best in _RARE:
        return None if foreign or misplaced else best
    beyond = _count(words, _BEYOND_ASCII)
    return best if foreign <= MOST_FOREIGN * beyond and misplaced <= MOST_MISPLACED * beyond else None


def reads_clean(sample: bytes, encoding: str) -> bool:
    """Whether every letter is one of a single language of the encoding's, and nothing is where no language has it."""
    text = _words(sample).decode(encoding, errors="replace")
    return not _count_misplaced(text) and not _count_foreign(text, encoding)


def is_western(sample: bytes) -> bool:
    """Whether, read as windows-1252, every letter is one of some language of its own, and nothing is out of place."""
    text = _words(sample).decode(COMMONEST, errors="replace")
    letters = {letter for letter in text.lower() if letter > "\x7f" and letter.isalpha()}
    return letters <= _FAMILIES[COMMONEST] and not _count_misplaced(text)


def speaks_worse(sample: bytes, encoding: str) -> float:
    """How many letters more are foreign to one language of an encoding's than to one of windows-1252's.

    Of an encoding whose languages are not known here all are.
    """
    words = _words(sample)
    known = _TWINS.get(encoding, encoding)
    usual = _count_foreign(words.decode(COMMONEST, errors="replace"), COMMONEST)
    if known not in _ALPHABETS:
        return _count(words, _BEYOND_ASCII) - usual
    return _count_foreign(words.decode(known, errors="replace"), known) - usual


def stray(sample: bytes) -> bool:
    """Whether, read as windows-1252, a sign is where no writer puts it, as the letters of other encodings become."""
    text = sample.decode(COMMONEST, errors="replace")
    return any(pattern.search(text) for pattern in _STRAY)


def _words(sample: bytes) -> bytes:
    return b"\n".join(match[0] for match, _ in zip(_WORD.finditer(sample), range(WORDS), strict=False))


def _count(data: bytes, some: bytes) -> int:
    return len(data) - len(data.translate(None, some))


def _count_misplaced(text: str) -> float:
    """How many characters are where no language would have them."""
    runs = sum(len(run) - LONGEST_RUN for run in _RUN.findall(text))
    capitals = sum(a.islower() and b.isupper() for a, b in pairwise(text) if b > "\x7f")
    return capitals + sum(len(pattern.findall(text)) for pattern in _ODD) + runs + 3 * len(_CONTROL.findall(text))


def _count_foreign(text: str, encoding: str) -> float:
    """How many letters the encoding's most fitting language does not have."""
    letters = [letter for letter in text.lower() if letter > "\x7f" and letter.isalpha()]
    family = _FAMILIES[encoding]

    def count(alphabet: frozenset[str]) -> float:
        outside = [letter for letter in letters if letter not in alphabet]
        return sum(OF_A_NEIGHBOUR if letter in family else 1.0 for letter in outside)

    found = min(count(alphabet) for alphabet in _ALPHABETS[encoding])
    if encoding == _TURKISH and _DOTLESS not in letters:
        found += sum(letter in _CIRCUMFLEXES for letter in letters)
    return min(found, count(_ICELANDIC) + _IS_ICELANDIC) if encoding == COMMONEST else found
