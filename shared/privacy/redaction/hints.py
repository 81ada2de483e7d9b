"""Words that say what a number is, looked for right before it; where no check digits tell, they decide."""

import re
from dataclasses import dataclass

from embedmill.shared.privacy.redaction.folding import fold_words

REACH = 48
"""Characters that are looked at."""
HEAD = 3
"""Characters by which words are sifted."""

_NEAR = r"(?:[^0-9\n]{0,24}|[^0-9.\n]{0,20}\r?\n[^0-9.\n]{0,12})"
"""What may stand between a word and its number: no digit, and no sentence that ends with its line."""
_WORDS = re.compile("[a-z]+|[^\x00-\x7f]")


class Before:
    """What stands before a place of a folded text in small letters; asked by many hints, so its words are read once."""

    __slots__ = ("heads", "text")

    def __init__(self, lowered: str, place: int) -> None:
        self.text = lowered[max(0, place - REACH) : place]
        self.heads = frozenset([word[:HEAD] for word in _WORDS.findall(self.text)])


NOTHING = Before("", 0)


@dataclass(frozen=True, slots=True)
class Hint:
    """A pattern that ends where the value begins; a word with one of the `heads` is in whatever it matches."""

    pattern: re.Pattern[str]
    heads: frozenset[str]

    def precedes(self, before: Before) -> bool:
        """Whether it stands there."""
        return not self.heads.isdisjoint(before.heads) and self.pattern.search(before.text) is not None


def hint(*words: str, gap: str = _NEAR) -> Hint:
    """Words with blanks, each with a `*` for any ending; between them and the value stands no digit."""
    folded = [fold_words(word) for word in words]
    listed = "|".join(map(_pattern, folded))
    heads = frozenset(_WORDS.findall(word)[0][:HEAD] for word in folded)
    return Hint(re.compile(rf"(?<![a-z0-9])(?:{listed})(?![a-z]){gap}\Z"), heads)


def _pattern(word: str) -> str:
    pattern = re.escape(word.rstrip("*")).replace(r"\ ", "[ ._-]{0,2}")
    return f"{pattern}[a-z]{{0,20}}" if word.endswith("*") else pattern


NO_VALUE = hint(
    *"ticket tickets order orders part parts sku form forms model models serial s/n invoice invoices".split(),
    *"article articles art batch lot lots case cases bug bugs issue issues tracking isbn issn doi".split(),
    *"oid patent patents item items ref refs reference bestell* artikel* rechnung* pedido factura".split(),
    *"facture commande ordine fattura".split(),
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
