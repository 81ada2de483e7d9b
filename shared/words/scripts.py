"""Owns what is known of scripts: which need no spaces between words, and what of a word is a mark."""

import unicodedata
from functools import lru_cache
from itertools import groupby

HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
KANA = "\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
HANGUL = "\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff"
CLUSTERED = (
    "\u0e00-\u0e3a\u0e40-\u0e4e\u0e80-\u0ebd\u0ec0-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u109f"
    "\u1780-\u17d3\u17d7\u17dc\u17dd\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7f"
)
"""Thai, Lao, Burmese and Khmer but their digits: no spaces between words, several signs in a syllable."""

SPACELESS = f"{HAN}{KANA}{CLUSTERED}"
"""Scripts whose words no space parts."""

_SIGNS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u3099\u309a"
    "\u102b-\u1038\u103a-\u103e\u1056-\u1059\u105e-\u1060\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d"
    "\u109a-\u109d\u17b4-\u17d1\u17d3\u17dd"
)
CLUSTER = f"(?s:.)(?:[{_SIGNS}]|[\u1039\u17d2].)*"
"""A letter with the vowels and tones around it, and the letters that are stacked below it."""

PICTURE = (
    "(?:[\U0001f1e6-\U0001f1ff]{2}"
    "|[\u231a-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff])"
)
"""A picture that is a word, or a flag; the colours of skin are none."""

END_OF_MARKS = 0x1F000
"""Beyond are pictures, and selectors of variants, which are left out of texts."""

_FIRST_OF_SCRIPTS = (
    (0x0041, "latin"),
    (0x0370, "greek"),
    (0x0400, "cyrillic"),
    (0x0530, "armenian"),
    (0x0590, "hebrew"),
    (0x0600, "arabic"),
    (0x0700, ""),
    (0x0900, "devanagari"),
    (0x0980, ""),
    (0x0B80, "tamil"),
    (0x0C00, ""),
    (0x1C80, "cyrillic"),
    (0x1C90, ""),
    (0x1E00, "latin"),
    (0x1F00, "greek"),
    (0x2000, ""),
)


def script_of(word: str) -> str:
    """The script of a word's first letter, where it has languages with stemmers; empty for others."""
    for sign in word:
        if sign.isalpha():
            return _script_of_letter(sign)
    return ""


@lru_cache(maxsize=4096)
def _script_of_letter(letter: str) -> str:
    return next((name for begin, name in reversed(_FIRST_OF_SCRIPTS) if ord(letter) >= begin), "")


def marks() -> str:
    """The combining marks, as the inside of a character class: parts of words, though no letters."""
    codes = (code for code in range(0x300, END_OF_MARKS) if unicodedata.category(chr(code))[0] == "M")
    runs = groupby(enumerate(codes), key=lambda numbered: numbered[1] - numbered[0])
    spans = ([code for _, code in run] for _, run in runs)
    return "".join(f"{chr(span[0])}-{chr(span[-1])}" for span in spans)
