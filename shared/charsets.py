"""Owns guessing which encoding bytes of text are in, where nothing says so: statistics, and what speaks against them.

chardet's statistics are right for a page and for most paragraphs. In a sentence they see rare encodings everywhere, so
there the alphabets of languages decide (`latin`), and windows-1252 is left only for evidence. What was measured stands
in decision 0053.
"""

import re
from codecs import lookup
from collections.abc import Iterator

from embedmill.shared.latin import COMMONEST, guess_latin, is_western, reads_clean, speaks_worse, stray

# It has eight signs that windows-1252 has elsewhere, and is written where one of them is needed.
_WESTERN = frozenset({"iso8859-15"})
_TURKISH = frozenset({"cp1254", "iso8859-9", "cp857"})
_MIXED = re.compile(r"[a-zà-ɏ][\u0370-\u06ff\u2500-\u259f]|[\u0370-\u06ff\u2500-\u259f][a-zà-ɏ]", re.IGNORECASE)
_BEYOND_ASCII = re.compile(r"[^\W\d_]*[^\x00-\x7f]\w*")
# Places that an encoding leaves to others' own signs: no text has them, another encoding read as this one does.
_PRIVATE = re.compile("[\ue000-\uf8ff]")
# Letters of scripts other than Latin; words of theirs may read as short ones of ours.
_OTHER_SCRIPT = re.compile(r"[\u0370-\u1dff\u2c00-\ua6ff\ua800-\ufaff]")
MOST_MIXED = 0.25
"""Of the words with letters beyond ASCII."""
# In bytes: so much has letters enough for statistics.
SENTENCE = 60
# In bytes: beyond it, letters of a rarer page are no accident.
PASSAGE = 400
# A text of more than a sentence has more different bytes than this.
FEWEST_BYTES = 5
MOST_BYTES = 200_000
"""As many as chardet looks at."""

# What files are in; the rest of chardet's hundred is rarer than its mistakes.
_CANDIDATES = (
    "ascii utf-8 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp874 iso8859-2 iso8859-5 iso8859-6 "
    "iso8859-7 iso8859-8 iso8859-9 iso8859-13 iso8859-15 koi8-r koi8-u cp437 cp737 cp775 cp850 cp852 cp857 cp862 cp866 "
    "mac-roman mac-latin2 mac-cyrillic gb18030 hz big5 big5hkscs cp932 shift_jis_2004 euc-jp euc_jis_2004 cp949 euc-kr "
    "johab"
).split()
# Written by nobody for decades, and by few before.
_OLD = ("mac", "cp437", "cp737", "cp775", "cp85", "cp862", "cp866")
# Most small letters are the same in both of Cyrillic's; capitals are not, nor is the last letter.
_OF_A_MAC = re.compile(rb"[\x80-\x9f]|[\xe0-\xfe]\xdf")
# A closing quotation mark, a dash between blanks, a first letter: on a Mac capitals within a word, alone, and a dash.
_OF_WINDOWS = re.compile(rb"[a-z%#\xe0-\xff]\x93(?![\w\x80-\xff])|(?<!\S)\x97(?!\S)|(?<!\S)[\xd1\xd3\xd6][\xe0-\xff]")
# Encodings whose bytes all mean the same in a larger one, which writers use under the smaller one's name.
_LARGER = {
    "ascii": COMMONEST, "iso8859-1": COMMONEST, "iso8859-9": "cp1254", "tis-620": "cp874", "iso8859-11": "cp874",
    "euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932",
}  # fmt: skip


def guess_charset(sample: bytes) -> str | None:
    """The likeliest encoding of text that is in none of Unicode's; None when the bytes are no text."""
    import chardet

    if len(sample) > SENTENCE and len(set(sample)) < FEWEST_BYTES:
        return None
    found = chardet.detect(sample[:MOST_BYTES], compat_names=False, include_encodings=_CANDIDATES)["encoding"]
    if found is None:
        return None
    if _mixes_scripts(sample, found):
        found = next((other for other in _others(sample) if not _mixes_scripts(sample, other)), found)
    return larger(_corrected(found, sample))


def _others(sample: bytes) -> Iterator[str]:
    """What else the sample may be in, the likeliest first."""
    import chardet

    some = sample[:MOST_BYTES]
    answers = chardet.detect_all(some, ignore_threshold=True, compat_names=False, include_encodings=_CANDIDATES)
    yield from (answer["encoding"] for answer in answers if answer["encoding"])


def _mixes_scripts(sample: bytes, encoding: str) -> bool:
    """Whether many words would have letters of two scripts, parts of frames between letters, or signs of nobody's."""
    text = sample[:MOST_BYTES].decode(encoding, errors="replace")
    if _PRIVATE.search(text):
        return True
    return len(_MIXED.findall(text)) > MOST_MIXED * len(_BEYOND_ASCII.findall(text))


def larger(encoding: str) -> str:
    """Python's name of the encoding by which browsers read what is said to be in `encoding`; LookupError if unknown."""
    name = lookup(encoding).name
    return _LARGER.get(name, name.replace("-", "_"))


def _corrected(found: str, sample: bytes) -> str:
    """What was found, unless windows-1252 reads as well and is likelier, or the sample is too short for statistics.

    A short text with words of several languages (`naïve niño`) is no evidence for a page that has only letters of
    several, too. Latvian is taken for Turkish where its letters are few.
    """
    is_short = len(sample) <= SENTENCE
    if (is_short or found.startswith(_OLD)) and reads_clean(sample, COMMONEST) and not stray(sample):
        return COMMONEST
    if found.startswith("mac") and not stray(sample):
        return COMMONEST
    is_passage = len(sample) <= PASSAGE or found in _WESTERN
    if is_passage and is_western(sample) and not stray(sample) and _says_less(found, sample, is_short=is_short):
        return COMMONEST
    if found == "mac-cyrillic" and (_OF_WINDOWS.search(sample) or not _OF_A_MAC.search(sample)):
        return "cp1251"
    latin = guess_latin(sample) if is_short or found in _TURKISH else None
    return latin if latin and reads_clean(sample, latin) else found


def _says_less(found: str, sample: bytes, *, is_short: bool) -> bool:
    """Whether more of it would be foreign to the language of what was found, and it is in no other script.

    Of a sentence as much is enough: statistics say little there.
    """
    if found.startswith(_OLD) or found in _WESTERN:
        return True
    if _OTHER_SCRIPT.search(sample.decode(found, errors="replace")):
        return False
    worse = speaks_worse(sample, larger(found))
    return worse >= 0 if is_short else worse > 0
