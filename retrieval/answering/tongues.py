"""Owns whether a sentence is in another language than a question: by script, and by function words.

It says so only where both tell: short texts, names and numbers are of any language. What a sentence quotes says nothing
of its own language.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from embedmill.shared.words.languages import count_votes

LATIN = "LATIN"
LEAST_LATIN, LEAST_OTHERS = 12, 4
"""So many letters tell that a text is written in a script, if most are: names in Latin letters stand in any text."""
MOST_OF_LETTERS = 0.6
LEAST_VOTES, LEAD = 2, 2
"""So many function words of a language tell, and so many more than of any that the question may be in."""
NEAR = 1
"""A question may be in each language that has so many function words fewer than the one with most."""
SHORT_TEXT = 8
"""Of a question of up to so many words one function word tells."""
KANA = frozenset({"HIRAGANA", "KATAKANA"})
_FAMILIES = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "KATAKANA-HIRAGANA": "CJK"}
_WORD = re.compile(r"[^\W\d_]+")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|»[^«]*«|「[^」]*」|`[^`]*`")


def is_in_another(sentence: str, question: str) -> bool:
    """Whether a sentence is certainly in another language than a question."""
    own = _QUOTED.sub(" ", sentence)
    said, asked = _script(own), _script(question)
    if not said or not asked:
        return False
    return said != asked or _is_in_another_of_script(own, question, said)


def _is_in_another_of_script(sentence: str, question: str, script: str) -> bool:
    if script == "CJK":
        return _has_kana(sentence) != _has_kana(question)
    said, asked = _votes(sentence), _spoken(question)
    most = max(said.values(), default=0)
    return bool(asked) and most >= LEAST_VOTES and most - max(said.get(code, 0) for code in asked) >= LEAD


def _spoken(question: str) -> list[str]:
    """The languages that a question may be in; none where it does not tell."""
    votes = _votes(question)
    most = max(votes.values(), default=0)
    enough = 1 if len(_WORD.findall(question)) <= SHORT_TEXT else LEAST_VOTES
    return [code for code, count in votes.items() if count >= most - NEAR] if most >= enough else []


def _votes(text: str) -> Mapping[str, float]:
    return count_votes({word.lower() for word in _WORD.findall(text)}, text.lower())


def _script(text: str) -> str:
    """The script of most letters; empty where there are too few to tell."""
    counts = Counter(_FAMILIES.get(script, script) for script in map(_script_of, filter(str.isalpha, text)))
    if not counts:
        return ""
    script, count = counts.most_common(1)[0]
    least = LEAST_LATIN if script == LATIN else LEAST_OTHERS
    return script if count >= least and count >= MOST_OF_LETTERS * counts.total() else ""


def _has_kana(text: str) -> bool:
    return not KANA.isdisjoint(map(_script_of, text))


@lru_cache(maxsize=4096)
def _script_of(letter: str) -> str:
    """The first word of the letter's name in Unicode."""
    return unicodedata.name(letter, "").partition(" ")[0]
