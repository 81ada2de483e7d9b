"""Owns what an answer is, and what is believed of one: claims whose quotes the cited passages hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from embedmill.retrieval.answering.numbers import numbers_of
from embedmill.retrieval.answering.tongues import is_in_another
from embedmill.retrieval.passages import Passage, Quote
from embedmill.retrieval.quotes import QuoteKind, check_quote

UNSUPPORTED_NUMBER = "unsupported_number"
NO_QUOTE = "no_quote"


@dataclass(frozen=True, slots=True)
class Cited:
    """A quote and the passage that holds it."""

    passage: Passage
    quote: Quote


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer, with what bears it."""

    text: str
    quotes: tuple[Cited, ...]
    in_another: bool = False
    """Whether it is in another language than the question."""


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence as a model said it: with passages by the ids of the call, and the words that it claims of each."""

    text: str
    quotes: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Answer:
    """What is left of an answer after the check; `removed` counts sentences, `faults` says why, by kind.

    `cut` says that the model was cut off: there may have been more.
    """

    claims: list[Claim] = field(default_factory=list)
    removed: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    cut: bool = False

    @property
    def text(self) -> str:
        """The sentences, one after the other."""
        return " ".join(claim.text for claim in self.claims)

    @property
    def answered(self) -> bool:
        """Whether anything is said."""
        return bool(self.claims)

    @property
    def in_another(self) -> int:
        """How many sentences are in another language than the question."""
        return sum(claim.in_another for claim in self.claims)


def check_answer(
    question: str, said: Iterable[Said], passages: Mapping[str, Passage], *, prompt: str = "", cut: bool = False
) -> Answer:
    """Keep the sentences that their quotes bear; the others are removed and counted."""
    answer = Answer(cut=cut)
    for sentence in said:
        claim, faults = check_claim(question, sentence, passages, prompt=prompt)
        for fault in faults:
            answer.faults[fault] = answer.faults.get(fault, 0) + 1
        if claim is None:
            answer.removed += 1
        elif claim.text not in {known.text for known in answer.claims}:
            answer.claims.append(claim)
    return answer


def check_claim(
    question: str, said: Said, passages: Mapping[str, Passage], *, prompt: str = ""
) -> tuple[Claim | None, Sequence[str]]:
    """The sentence with the quotes that are held, None where nothing bears it; and what was wrong."""
    faults: list[str] = []
    cited: dict[Cited, None] = {}
    for id, words in said.quotes:
        found = _cite(id, words, passages, f"{prompt}\n{question}")
        if isinstance(found, Cited):
            cited[found] = None
        else:
            faults.append(found)
    text = " ".join(said.text.split())
    if not text or not cited:
        return None, faults or [NO_QUOTE]
    known = numbers_of(question).union(*(numbers_of(one.passage.text) for one in cited))
    if not numbers_of(text) <= known:
        return None, [*faults, UNSUPPORTED_NUMBER]
    return Claim(text, tuple(cited), is_in_another(text, question)), faults


def _cite(id: str, words: str, passages: Mapping[str, Passage], ours: str) -> Cited | QuoteKind:
    passage = passages.get(id)
    if passage is None:
        return QuoteKind.OTHER_DOCUMENT
    others = [other.text for other in passages.values() if other.id != passage.id]
    checked = check_quote(words, passage.text, others=others, prompt=ours)
    if checked.start is None or checked.end is None:
        return checked.kind
    return Cited(passage, Quote(passage.text[checked.start : checked.end], checked.start, checked.end))
