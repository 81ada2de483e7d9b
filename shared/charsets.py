"""Owns guessing which encoding bytes of text are in, where nothing says so: statistics, and what speaks against them.

chardet's statistics are right for a page and for most paragraphs. In a sentence they see rare encodings everywhere, so
there the alphabets of languages decide (`latin`), and windows-1252 is left only for evidence. What was measured stands
in decision 0053.
"""

import re
from codecs import lookup

from embedmill.shared.latin import COMMONEST, guess_latin, reads_clean, stray

# In bytes: so much has letters enough for statistics.
SENTENCE = 60
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
    return larger(_corrected(found, sample))


def larger(encoding: str) -> str:
    """Python's name of the encoding by which browsers read what is said to be in `encoding`; LookupError if unknown."""
    name = lookup(encoding).name
    return _LARGER.get(name, name.replace("-", "_"))


def _corrected(found: str, sample: bytes) -> str:
    """What was found, unless windows-1252 reads as well and is likelier, or the sample is too short for statistics."""
    is_short = len(sample) <= SENTENCE
    if (is_short or found.startswith(_OLD)) and reads_clean(sample, COMMONEST) and not stray(sample):
        return COMMONEST
    if found.startswith("mac") and not stray(sample):
        return COMMONEST
    if found == "mac-cyrillic" and (_OF_WINDOWS.search(sample) or not _OF_A_MAC.search(sample)):
        return "cp1251"
    latin = guess_latin(sample) if is_short else None
    return latin if latin and reads_clean(sample, latin) else found
