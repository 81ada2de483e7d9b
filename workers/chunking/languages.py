"""Owns which language a text is in, as far as sentences end otherwise there: by script, and by function words."""

import re
from functools import cache

ENGLISH = "en"
SAMPLE = 1_200
"""Characters at a text's beginning that are looked at."""
LEAST_SHARE = 0.06
"""So many of the words are function words of a language, or it is taken for English."""

_SCRIPTS = {
    "ja": "\u3040-\u30ff", "zh": "\u4e00-\u9fff", "ko": "\uac00-\ud7af", "ar": "\u0600-\u06ff", "he": "\u0590-\u05ff",
    "hi": "\u0900-\u097f", "bn": "\u0980-\u09ff", "ta": "\u0b80-\u0bff", "th": "\u0e00-\u0e7f", "el": "\u0370-\u03ff",
    "hy": "\u0530-\u058f", "my": "\u1000-\u109f", "ru": "\u0400-\u04ff",
}  # fmt: skip
"""The letters of each language. Kana before Han: a Japanese text has both."""
_OTHERS = "\u0370-\u1fff\u2e80-\uffff"
_LEAST_OF_SCRIPT = 0.2
_KANA = 0.05

_FUNCTION_WORDS = {
    "en": "the of and to in is that for it with as was on be by this are at from or an not have which",
    "de": "der die und das den von zu mit sich des auf für ist im dem nicht ein eine als auch es werden oder wird bei",
    "fr": "le la les de des et du un une est que dans pour qui par sur avec plus ne pas au ce il sont ou",
    "es": "el la los las de y que en un una es se del por con para no su al lo como más o sus",
    "it": "il di che la e un una per è in non con del le si da della sono dei i come alla più gli",
    "pt": "o a os as de e que do da em um uma para com não por dos se na no mais como ao é",
    "nl": "de het een van en in is dat op te zijn voor met die niet aan er om ook als bij door",
    "pl": "i w na z do się nie jest to że o za od po dla jak przez oraz lub tym był były są ze który która przy pod",
}
_LANE_BITS = 12
"""Of the votes for one language, of which a sample has fewer than it has characters."""
_LANES = {language: _LANE_BITS * place for place, language in enumerate(_FUNCTION_WORDS)}
_VOTES = {
    word: sum(1 << _LANES[language] for language, words in _FUNCTION_WORDS.items() if word in words.split())
    for words in _FUNCTION_WORDS.values()
    for word in words.split()
}
"""The languages of each function word as a number with a lane for each, so that one sum counts them all."""


def language_of(text: str) -> str:
    """An ISO 639-1 code; English where nothing speaks for another language."""
    sample = text[:SAMPLE]
    if _others(sample) > _KANA * len(sample) and (script := _by_script(sample)):
        return script
    return _by_words(sample.casefold().split())


def _others(sample: str) -> int:
    """Characters of other scripts than Latin."""
    beyond = len(sample) - len(sample.encode("ascii", "ignore"))
    return _count(sample, _OTHERS) if beyond > _KANA * len(sample) else 0


def _by_script(sample: str) -> str:
    letters = max(sum(map(str.isalpha, sample)), 1)
    for language, script in _SCRIPTS.items():
        least = _KANA if language == "ja" else _LEAST_OF_SCRIPT
        if _count(sample, script) >= least * letters:
            return language
    return ""


def _count(sample: str, letters: str) -> int:
    return len(_any_of(letters).findall(sample))


@cache
def _any_of(letters: str) -> re.Pattern[str]:
    """Made when it is asked for: that takes a millisecond of every start, and most texts are in Latin letters."""
    return re.compile(f"[{letters}]")


def _by_words(words: list[str]) -> str:
    votes = sum(filter(None, map(_VOTES.get, words)))
    counts = {language: votes >> lane & (1 << _LANE_BITS) - 1 for language, lane in _LANES.items()}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] >= LEAST_SHARE * len(words) else ENGLISH
