"""`rules`, the offline validator: it rejects chunks that hold no language, by counting characters, and no more.

These are heuristics, not a model's opinion: a chunk that passes may still be incoherent.
"""

import re

from embedmill.shared.mojibake import share_of_pairs

# Counting a sample keeps a long chunk cheap and judges it as well. In characters.
SAMPLE = 2000
# Below this, a chunk is judged by nothing but whether it has any letter or digit.
SHORT = 40
FEWEST_WORD_CHARACTERS = 0.15
MOST_DAMAGED = 0.2
# Of what no person wrote: a chunk that is half of it tells nothing.
MOST_GARBAGE = 0.5

_NOT_WORD = re.compile(r"[\W_]+")
# What encoding errors leave behind: the replacement character and private use.
_NOT_DAMAGED = re.compile("[^\ufffd\ue000-\uf8ff]+")
# Marks that combine with a letter count as part of it: scripts of India and Arabic vowels are full of them.
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0dff\u0e31-\u0e4e]")

_GLYPHS = re.compile(r"\(cid:\d+\)|(?:/[A-Zgc][A-Za-z]?\d{1,5}(?![A-Za-z])){2,}")
LINE_OF_BASE64 = 60
_ASCII = list(map(chr, range(0x80)))
_NOT_WORD_BYTES = "".join(filter(_NOT_WORD.match, _ASCII)).encode()
_WHITE_BYTES = "".join(filter(str.isspace, _ASCII)).encode()
_SHAPE = bytes(ord(" " if code in _WHITE_BYTES else "x") for code in range(0x100))
"""Bytes are looked through some ten times as fast as an expression looks for one of many characters."""
_LONG_LINE = b"x" * LINE_OF_BASE64
_SHORTEST_GLYPH = re.compile(rb"/[A-Zgc][A-Za-z]?\d")
# A line of base64 is long and has letters of both cases and digits, which words, hashes and sequences have not.
_BASE64 = re.compile(r"(?<![\w+/])(?=[a-z0-9+/]*[A-Z])(?=[A-Z0-9+/]*[a-z])(?=[A-Za-z+/]*\d)[\w+/]{60,}={0,2}", re.ASCII)


def judge(text: str) -> str | None:
    """Why a chunk should not be indexed, or None to keep it."""
    return None if _is_plain(text[:SAMPLE]) else _judge(text)


def _is_plain(text: str) -> bool:
    """Whether what there is of ASCII shows that it passes, as in most texts that are written in Latin letters."""
    known = text.encode("ascii", "ignore")
    sample = known.translate(None, _WHITE_BYTES)
    words = len(sample.translate(None, _NOT_WORD_BYTES))
    return (
        words > FEWEST_WORD_CHARACTERS * len(text)
        and len(text) - len(known) < MOST_DAMAGED * words
        and _LONG_LINE not in known.translate(_SHAPE)
        and b"(cid:" not in sample
        and not (b"/" in sample and _SHORTEST_GLYPH.search(sample))
    )


def _judge(text: str) -> str | None:
    pieces = text[:SAMPLE].split()
    sample = "".join(pieces)
    words = len(_NOT_WORD.sub("", sample))
    if not words and not any(character.isalnum() for character in text[SAMPLE:]):
        return "it holds no letter and no digit"
    if len(sample) < SHORT:
        return None
    if not sample.isascii():
        if len(_NOT_DAMAGED.sub("", sample)) > MOST_DAMAGED * len(sample):
            return "more than a fifth of its characters are damaged by a wrong encoding"
        if share_of_pairs(sample) > MOST_DAMAGED:
            return "more than a fifth of its characters were encoded twice"
    if ("/" in sample or "(cid:" in sample) and _share(_GLYPHS, sample) > MOST_GARBAGE:
        return "most of it are numbers of glyphs, as a PDF without a table of its letters leaves them"
    if max(map(len, pieces)) >= LINE_OF_BASE64 and _share(_BASE64, text[:SAMPLE]) > MOST_GARBAGE:
        return "most of it is data in base64"
    if words < FEWEST_WORD_CHARACTERS * len(sample) and words + len(_MARKS.findall(sample)) < (
        FEWEST_WORD_CHARACTERS * len(sample)
    ):
        return "fewer than 15 in 100 of its characters are letters or digits"
    return None


def _share(pattern: re.Pattern[str], sample: str) -> float:
    return sum(len(match[0]) for match in pattern.finditer(sample)) / len(sample)
