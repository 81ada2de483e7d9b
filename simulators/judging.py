"""What the simulated models make of a question about texts: by the words that they share with it, as no model would.

A text is graded by the share of the question's words that one of its sentences holds, and that sentence is the quote.
It rehearses calls, money and failures; what a real model thinks has to be scripted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from embedmill.shared.sentences import sentences_of

QUESTION = re.compile(r"<question\b[^<>]*>\s*(.*?)\s*</question\b", re.DOTALL)
TERMS = re.compile(r"<terms\b[^<>]*>\n(.*?)\n?</terms\b", re.DOTALL)
TAGGED = re.compile(r"\A<[^<>]*>\n(.*?)(?:\n</[^<>]*>.*)?\Z", re.DOTALL)
WORD = re.compile(r"\w+")
PARTED = re.compile(r"[?;,]\s+(?:and\s+)?|\s+(?:and|vs\.?|versus)\s+|[?]\s*$")
LEAST_WORDS, MOST_PARTS = 2, 4
SHORT = 4
"""Words of so many letters at most say nothing."""
SHARES = ((0.75, 5), (0.5, 4), (0.34, 3), (0.1, 2))
"""From which share on a text has which grade; below all of them it has 1."""
ANSWERS_FROM, MOST_SENTENCES = 0.5, 3


@dataclass(frozen=True, slots=True)
class ScriptedOpinion:
    """What is thought of one text."""

    score: int
    quote: str
    share: float


def terms_of(prompt: str) -> list[str] | None:
    """The lines of a tag named terms, where a prompt has one."""
    found = TERMS.search(prompt)
    return found[1].splitlines() if found else None


def question_of(prompt: str) -> str | None:
    """What a prompt asks, where it says so in a tag named question."""
    found = QUESTION.search(prompt)
    return found[1] if found else None


def opinion(question: str, tagged: str) -> ScriptedOpinion:
    """What is thought of a text between tags."""
    wanted = _words(question)
    inner = TAGGED.match(tagged)
    text = inner[1] if inner else tagged
    sentences = [text[start:end].strip() for start, end in sentences_of(text)]
    shares = [(len(wanted & _words(sentence)) / max(len(wanted), 1), sentence) for sentence in sentences if sentence]
    share, quote = max(shares, key=lambda pair: pair[0], default=(0.0, ""))
    score = next((grade for least, grade in SHARES if share >= least), 1)
    return ScriptedOpinion(score, quote if score > 2 else "", share)


def best(question: str, texts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """(id, sentence) of the texts that answer, the best first; none where nothing does."""
    opinions = sorted(((opinion(question, text), id) for id, text in texts), key=lambda pair: -pair[0].share)
    return [(id, found.quote) for found, id in opinions if found.share >= ANSWERS_FROM][:MOST_SENTENCES]


def divide(question: str) -> list[str]:
    """The questions in a question, where it is parted by marks, "and" or "vs" into several of some words; else none."""
    parts = [part.strip() for part in PARTED.split(question)]
    asked = [part for part in parts if len(part.split()) >= LEAST_WORDS]
    return asked[:MOST_PARTS] if len(asked) > 1 else []


def reword(question: str, terms: Sequence[str]) -> str:
    """The question with the term of each line in the place of its other names; empty where it has none of these."""
    worded = question
    for line in terms:
        term, _, others = line.partition("; also: ")
        for other in filter(None, others.split(", ")):
            escaped = term.replace("\\", r"\\")
            worded = re.sub(rf"\b{re.escape(other)}\b", escaped, worded, flags=re.IGNORECASE)
    return "" if worded == question else worded


def _words(text: str) -> set[str]:
    return {word for word in WORD.findall(text.casefold()) if len(word) > SHORT or not word.isalpha()}
