"""Owns the cheap test: whether a question may ask several things at once, so that a model is worth its money."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from embedmill.retrieval.expansion.units import is_code
from embedmill.shared.words.folding import fold, normalise
from embedmill.shared.words.languages import guess
from embedmill.shared.words.queries import parse_text
from embedmill.shared.words.signs import parts_of
from embedmill.shared.words.splitting import split, tokens

LONGEST = 2_000
"""Characters of a question; what is longer was pasted."""
LEAST_JOINED = 6
"""Words of a question that an "and" may part: `salt and pepper` is one thing."""
LONG = 14
"""So many words may ask several things whatever they are."""
NAMES_ONE = "it names one thing, or things to the letter"
ASKS_ONE = "it asks one thing"
PASTED = f"it is longer than {LONGEST:,} characters"

_QUESTION_MARKS = re.compile(r"[?？؟;]+(?:\s|$)|？")


@dataclass(frozen=True, slots=True)
class Markers:
    """Words of a language by which questions are told, without accents."""

    asking: frozenset[str]
    joining: frozenset[str]
    comparing: frozenset[str]


def _markers(asking: str, joining: str, comparing: str) -> Markers:
    return Markers(*(frozenset(words.split()) for words in (asking, joining, comparing)))


MARKERS: Mapping[str, Markers] = {
    "en": _markers(
        "what how why when where which who whom whose",
        "and or",
        "compare compared comparison versus vs difference differences differ differs unlike",
    ),
    "de": _markers(
        "was wie warum weshalb wann wo woher wohin welche welcher welches welchen welchem wer wem wen wozu wieviel",
        "und oder sowie",
        "vergleiche vergleich versus vs unterschied unterschiede unterscheiden unterscheidet gegenuber",
    ),
    "fr": _markers(
        "quoi quel quelle quels quelles comment pourquoi quand ou combien",
        "et ou",
        "compare comparer comparaison versus vs difference differences",
    ),
    "es": _markers(
        "cual cuales como cuando donde cuanto cuanta cuantos quien quienes",
        "y o e",
        "compara comparar comparacion versus vs diferencia diferencias",
    ),
    "it": _markers(
        "cosa come perche quando dove quale quali chi quanto quanta",
        "e o ed",
        "confronta confronto versus vs differenza differenze",
    ),
    "pt": _markers(
        "qual quais como quando onde quanto quem", "e ou", "compare comparar comparacao versus vs diferenca diferencas"
    ),
    "nl": _markers(
        "wat hoe waarom wanneer waar welke welk wie hoeveel", "en of", "vergelijk vergelijking versus vs verschil"
    ),
}
_ANY = MARKERS["en"]


def why_plain(query: str) -> str:
    """Why a query is not worth asking a model about, whatever it may be asked; empty where it may be."""
    if len(query) > LONGEST:
        return PASTED
    _, said = _free_words(query)
    return "" if _count_telling(said, _spoken(said)) > 1 else NAMES_ONE


def why_whole(query: str) -> str:
    """Why a query is looked for as a whole without asking a model; empty where it may ask several things."""
    if why := why_plain(query):
        return why
    text, said = _free_words(query)
    spoken = _spoken(said)
    return "" if _may_be_compound(text, [fold(token) for token in said], spoken) else ASKS_ONE


def _free_words(query: str) -> tuple[str, list[str]]:
    """What is neither quoted nor excluded, and its words without codes."""
    text = " ".join(part.text for part in parts_of(query) if not part.is_phrase and not part.is_excluded)
    return text, [token for token in tokens(normalise(text)) if not is_code(token)]


def _may_be_compound(text: str, said: list[str], markers: Markers) -> bool:
    length = sum(split(token).length for token in said)
    return (
        len(_QUESTION_MARKS.findall(text)) > 1
        or sum(word in markers.asking for word in said) > 1
        or not markers.comparing.isdisjoint(said)
        or (length >= LEAST_JOINED and not markers.joining.isdisjoint(said))
        or length > LONG
    )


def _count_telling(said: Iterable[str], markers: Markers) -> int:
    """The words that name something: no function words, and none that only join or compare."""
    small = markers.asking | markers.joining | markers.comparing
    words = parse_text(" ".join(said)).words
    return sum(not word.functional and not word.part_of and word.text not in small for word in words)


def _spoken(said: Iterable[str]) -> Markers:
    """The markers of the language that the words seem to be in, and of English where there are none for it."""
    return next((MARKERS[code] for code in guess(token.lower() for token in said) if code in MARKERS), _ANY)
