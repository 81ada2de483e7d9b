"""Owns which stops end no sentence: those of abbreviations, of initials, and of numbers that are said as ordinals."""

import re
from functools import cached_property
from itertools import accumulate

from embedmill.shared.words.languages import DEFAULTS, Language, guess, languages
from embedmill.shared.words.scripts import script_of

ORDINALS = frozenset(("da", "cs", "de", "fi", "hu", "no", "pl", "sr", "tr"))
"""Languages that write an ordinal number with a stop; what is taken for Czech may be Slovak, Croatian or Slovenian."""
YEARS_TOO = frozenset(("hu",))
LONGER = frozenset(("approx",))
"""Words that are abbreviations before a number though they are longer than most."""
SHORT = 5
"""Letters of a word that is taken for an abbreviation before a number."""
FAR = 12
"""Characters before a stop that are looked at."""
_STOPPED = re.compile(r"(?<![\w.])(?:(?P<number>\d{1,4}|[IVX]{2,5})|(?P<word>[^\W\d_]{1,8}))\.\Z")
_INITIALS = re.compile(r"[^\W\d_]\.[^\W\d_]\.\Z")
_NEXT = re.compile(r"[^\W_]+")


class Stops:
    """The stops of one text, in its language."""

    def __init__(self, text: str) -> None:
        self._text = text

    def goes_on(self, stop: int, after: int) -> bool:
        """Whether a sentence goes on behind a stop that ends at one place, with what begins at another."""
        following = _NEXT.match(self._text, after)
        if following is None:
            return False
        word = following[0]
        if word[0].islower():
            return True
        before = self._text[max(stop - FAR, 0) : stop]
        if found := _STOPPED.search(before):
            if found["number"]:
                return self._is_ordinal(found["number"], word)
            return self._is_short(found["word"], word) or self._is_known(stop, after)
        return bool(_INITIALS.search(before)) and self._is_known(stop, after)

    def _is_ordinal(self, number: str, following: str) -> bool:
        code = self._language.code
        most = 4 if code in YEARS_TOO else 2
        return code in ORDINALS and (number.isalpha() or len(number) <= most) and not self._holds_others(following)

    def _is_short(self, word: str, following: str) -> bool:
        if following[0].isdecimal():
            return len(word) == 1 or word.lower() in LONGER or (len(word) <= SHORT and not self._holds_others(word))
        return len(word) == 1 and not self._holds_others(following)

    def _holds_others(self, word: str) -> bool:
        """Whether it is a function word, which is no abbreviation, and begins a sentence."""
        return word.lower() in self._language.words

    def _is_known(self, stop: int, after: int) -> bool:
        """Whether rules of the language, or English ones, say that no sentence ends there."""
        return not all(any(stop <= end <= after for end in ends) for ends in self._ends)

    @cached_property
    def _language(self) -> Language:
        letters = [script_of(sign) for sign in self._text[:1200] if sign.isalpha()]
        script = max(DEFAULTS, key=letters.count)
        spoken = dict(zip(DEFAULTS, guess(_NEXT.findall(self._text.lower()), self._text), strict=True))
        return languages()[spoken[script]]

    @cached_property
    def _ends(self) -> list[list[int]]:
        from sentencex import segment

        text = self._text
        ends = (list(accumulate(map(len, segment(code, text)))) for code in dict.fromkeys((self._language.code, "en")))
        return [found for found in ends if found[-1:] == [len(text)]]
