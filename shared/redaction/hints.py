"""Words that say what a number is, looked for right before it; where no check digits tell, they decide."""

import re
from collections.abc import Iterable
from operator import itemgetter

from embedmill.shared.redaction.folding import fold_words

REACH = 48
"""Characters that are looked at."""
HEAD = 4
"""Characters by which words are sifted."""

_NEAR = r"(?:[^0-9\n]{0,24}|[^0-9.\n]{0,20}\r?\n[^0-9.\n]{0,12})"
"""What may stand between a word and its number: no digit, and no sentence that ends with its line."""
_WORDS = re.compile("[a-z]+|[^\x00-\x7f]")
_TOO_SHORT = re.compile(rf"[a-z]{{1,{HEAD - 1}}}\*")
_HEADS = re.compile(f"([a-z]{{1,{HEAD}}}|[^\x00-\x7f])(?:(?<=[a-z])[a-z]*+)?")
_HEAD = itemgetter(slice(HEAD))
_LETTERS = "".join(chr(code) if chr(code).islower() else " " for code in range(128))
"""Of ASCII, letters stay and all else is a blank."""


class Before:
    """What stands before a place of a folded text in small letters; asked by many hints, so its words are read once."""

    __slots__ = ("heads", "text")

    def __init__(self, lowered: str, place: int) -> None:
        self.text = lowered[max(0, place - REACH) : place]
        self.heads: list[str] = _heads(self.text)


def _heads(text: str) -> list[str]:
    """The heads of its words, in order."""
    if text.isascii():
        return list(map(_HEAD, text.translate(_LETTERS).split()))
    found: list[str] = _HEADS.findall(text)
    return found


NOTHING = Before("", 0)


class Hint:
    """Words, by their heads, that may stand before a value, with a gap; a pattern is made when it is first met."""

    __slots__ = ("_gap", "_patterns", "_words", "heads")

    def __init__(self, words: Iterable[str], gap: str) -> None:
        self._words: dict[str, list[str]] = {}
        for word in words:
            head = _WORDS.findall(word)[0][:HEAD]
            assert not _TOO_SHORT.fullmatch(word), "longer words have other heads"
            self._words.setdefault(head, []).append(word)
        self.heads = frozenset(self._words)
        self._gap = gap
        self._patterns: dict[str, re.Pattern[str]] = {}

    def precedes(self, before: Before) -> bool:
        """Whether one of them stands there."""
        met = self.heads.intersection(before.heads)
        return any(self._pattern(head).search(before.text) is not None for head in met)

    def _pattern(self, head: str) -> re.Pattern[str]:
        """Of the words with a head, which is looked for first."""
        found = self._patterns.get(head)
        if found is None:
            begun = re.escape(head)
            rest = "|".join(_rest(word, head) for word in self._words[head])
            found = re.compile(rf"{begun}(?<![a-z0-9]{begun})(?:{rest})(?![a-z]){self._gap}\Z")
            self._patterns[head] = found
        return found


def hint(*words: str, gap: str = _NEAR) -> Hint:
    """Words with blanks, each with a `*` for any ending if its head is whole; no digit stands between."""
    return Hint(map(fold_words, words), gap)


def _rest(word: str, head: str) -> str:
    pattern = re.escape(word.removeprefix(head).rstrip("*")).replace(r"\ ", "[ ._-]{0,2}")
    return f"{pattern}[a-z]{{0,20}}" if word.endswith("*") else pattern


NO_VALUE = hint(
    *"ticket tickets order orders part parts sku form forms model models serial s/n invoice invoices".split(),
    *"article articles art batch lot lots case cases bug bugs issue issues tracking isbn issn doi".split(),
    *"oid patent patents item items ref refs reference bestell* artikel* rechnung* pedido factura".split(),
    *"facture commande ordine fattura akte aktenzeichen".split(),
    gap=r"(?:[\s:.#=(+]| no| nr| number| id| is){0,6}",
)
"""Numbers behind these are names of things, whatever they look like."""

VERSION = hint(
    *"v ver version versions release releases section sec chapter clause paragraph oid kernel build".split(),
    *"firmware revision rev update figure table appendix abschnitt kapitel".split(),
    gap=r"[\s:.=]{0,3}",
)
"""Four numbers with dots behind these are no address."""

SECTION = hint(
    *"see cf vgl siehe voir vea vedi § §§ sections clauses chapters paragraphs versions releases".split(),
    *"linux ubuntu debian windows android chrome firefox safari openssl java jdk".split(),
    gap=r"[\s:.=/]{0,3}(?:[0-9][0-9.]{2,11}(?:[ ,;&-]{1,2}|and |or |to |und |et |y |e ){1,4}){0,2}",
)
"""Four small numbers with dots behind these, or behind another such number behind these, are no address."""

MACHINE = hint(
    *"ip ips ipv4 ipaddr* dns nameserver* resolver* gateway*".split(),
    gap=r"(?:[ -]?(?:address|adress|addr|adresse|server|is|ist|es|est)){0,2}[\s:=\"'#>\[(]{0,4}",
)
"""Four numbers with dots behind these are an address, however small they are."""
