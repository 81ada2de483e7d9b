"""Doubts about a verdict: signs, found by code, that it should not be acted upon before a person has looked at it.

A model may be wrong, or may obey a chunk that gives it orders. Neither can be ruled out from the answer alone, but some
verdicts contradict themselves or the text that they are about.
"""

import re
import unicodedata
from collections.abc import Iterator

from embedmill.workers.validation.verdict import Verdict

# Tokens from which on it is unlikely that nothing in a chunk is of use.
LONG_TOKENS = 200
VERY_LOW, HIGH = 1, 5
CONTEXT_WORDS = 80
"""The prompt asks for at most sixty."""
LARGEST_CUT = 0.5
FEWEST_KNOWN_WORDS = 0.6
"""Of the longer words of the context, so many must occur in the document: the rest is grammar, or invented."""
OBEYED = "addresses the reader's model"

_WORD = re.compile(r"\w{4,}")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
# Cyrillic and Greek letters that are drawn like Latin ones, which is what attackers write words with.
_LOOKALIKES = str.maketrans("аеіорсухѕјһԁɡοαερι", "aeiopcyxsjhdgoaepi")
_ORDERS = re.compile(
    r"ignore\W+(?:all\W+|any\W+|the\W+|these\W+|your\W+)*(?:previous|prior|above|earlier|other)?\W*instructions"
    r"|(?:disregard|forget|override)\W+(?:all\W+|the\W+|your\W+)*(?:previous|prior|above|rubric|instructions|rules)"
    r"|(?:rate|score|mark|judge|grade)\W+(?:this|it|every|all|each)\b.{0,40}(?:\b[0-9]\b|highest|perfect|valid|relevant)"
    r"|always\W+(?:answer|reply|respond|output|rate)\b"
    r"|you\W+are\W+now\b"
    r"|\b(?:system|assistant|ai|llm)\s*:\s*\w"
    r"|<\W*/?\W*(?:instructions?|system|document|chunk|untrusted)\b"
    r"|[\"']?(?:score|relevance|faithful|verdicts?)[\"']?\s*:\s*(?:[\[\"0-9]|true)"
    r"|<\|\w+\|>|\[/?INST\]"
    r"|call\W+the\W+(?:tool|function)\b"
    r"|(?:reply|answer|respond|output)\W+(?:only|exactly|with)\b",
    re.IGNORECASE | re.DOTALL,
)


def find_doubts(verdict: Verdict, body: str, *, tokens: int, known: str) -> list[str]:
    """Why a verdict should be looked at first; `known` is all text that its context may have come from."""
    if verdict.source == "rules":
        return [f"no usable answer: {verdict.fallback}"]
    return [*_self_contradictions(verdict, tokens), *_repairs(verdict, body, known), *_obedience(verdict, body)]


def gives_orders(text: str) -> bool:
    """Whether a text seems to speak to a model; written for recall, since the only price is a look by a person."""
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_LOOKALIKES)
    return _ORDERS.search(plain) is not None


def _self_contradictions(verdict: Verdict, tokens: int) -> Iterator[str]:
    if verdict.score <= VERY_LOW and tokens >= LONG_TOKENS:
        yield "a long chunk with a very low score"
    if verdict.score >= HIGH and verdict.missing_context:
        yield "a high score that speaks of missing context"


def _repairs(verdict: Verdict, body: str, known: str) -> Iterator[str]:
    context = verdict.missing_context
    if len(context.split()) > CONTEXT_WORDS:
        yield "a context that is longer than it may be"
    if context and _known_share(context, known) < FEWEST_KNOWN_WORDS:
        yield "a context that the document does not support"
    if context and gives_orders(context):
        yield "a context that speaks to a model"
    if sum(len(cut) * body.count(cut) for cut in verdict.cuts) > LARGEST_CUT * len(body):
        yield "most of the chunk would be cut"


def _obedience(verdict: Verdict, body: str) -> Iterator[str]:
    """A chunk that gives orders, and a verdict that does not mention it: it may have followed them."""
    remarked = any(OBEYED in caveat.lower().replace("’", "'") for caveat in verdict.caveats)
    left = body
    for cut in verdict.cuts:
        left = left.replace(cut, " ")
    if not remarked and gives_orders(left):
        yield "the chunk speaks to a model and the verdict does not say so"


def _known_share(context: str, known: str) -> float:
    words = {word.casefold() for word in _WORD.findall(context)}
    if not words:
        return 1.0
    found = {word.casefold() for word in _WORD.findall(known)}
    return len(words & found) / len(words)
