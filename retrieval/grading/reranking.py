"""Owns the vendor's reranker in the place of the model that sifts: how near it holds each passage, and in which order.

What a reranker says compares within one query and means nothing beside another. So it puts passages in order, and no
passage is out for what it says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from embedmill.retrieval.grading.questions import AskedQuestion
from embedmill.retrieval.passages import HIGHEST, LOWEST, Passage
from embedmill.retrieval.steps import Running
from embedmill.shared.addresses import digest
from embedmill.shared.asking.packing import ItemSize, Room, pack_in_order
from embedmill.shared.asking.question import LiveQuestion, ReadAnswer, Request
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import NO_TOKENS, Usage
from embedmill.shared.metering import Meter, Reservation
from embedmill.shared.providers.rerankers.base import Reranked, Reranker
from embedmill.shared.tokenizer import count_tokens

RERANK = "rerank"
"""What a call of a reranker is called in the price file; its units are search units."""
ROOM = Room(50, 30_000)
TEXT_TOKENS = 400
"""The longest beginning of a passage that is shown: beyond 510 with the query, vendors bill a text as several."""
UNIT_TEXTS, UNIT_TOKENS = 100, 510
MILLI = 1000


@dataclass(frozen=True, slots=True)
class VendorJudge:
    """A reranker that may be asked, who keeps its books, and how long it is waited for."""

    model: Reranker
    meter: Meter
    seconds: float = 20.0


class Reranking(LiveQuestion[Passage, float, Reranked]):
    """Asks how relevant passages are; what is found stands in `found`, from 0 to 1, and what was wrong in `flaws`."""

    noun = "passage"
    most_refused = 8

    def __init__(self, reranker: Reranker, asked: AskedQuestion) -> None:
        self.name = reranker.name
        self._reranker = reranker
        self._asked = asked
        self.found: dict[Passage, float] = {}
        self.flaws: dict[str, int] = {}

    def pack(self, passages: Sequence[Passage]) -> list[Request[Passage]]:
        """Requests for the passages, in an order that follows from the question and not from their ranks."""
        shuffled = sorted(passages, key=lambda passage: digest(self._asked.question, passage.id))
        sizes = [ItemSize(min(count_tokens(passage.text), TEXT_TOKENS)) for passage in shuffled]
        return [Request(tuple(shuffled[place] for place in places)) for places in pack_in_order(sizes, ROOM)]

    def send(self, request: Request[Passage]) -> Reranked:
        return self._reranker.rerank(self._asked.question, self._shown(request))

    def usage(self, request: Request[Passage]) -> Usage:
        reranker = self._reranker
        return Usage(
            reranker.provider,
            reranker.model,
            RERANK,
            inputs=len(request.items),
            milliunits=MILLI * self._most_units(request),
            documents=tuple(sorted({passage.document for passage in request.items})),
            key=reranker.key_hash,
            endpoint=reranker.endpoint,
            purpose="filter",
        )

    def settle(self, reservation: Reservation, request: Request[Passage], answer: Reranked) -> None:
        units = self._most_units(request) if answer.units is None else answer.units
        reservation.settle(
            NO_TOKENS, milliunits=MILLI * units, inputs=len(request.items), request_id=answer.request_id or None
        )

    def read(self, request: Request[Passage], answer: Reranked) -> ReadAnswer[Passage, float]:
        for flaw, count in answer.flaws.items():
            self.flaws[flaw] = self.flaws.get(flaw, 0) + count
        found = {request.items[place]: relevance for place, relevance in answer.relevance.items()}
        left = [passage for passage in request.items if passage not in found]
        return ReadAnswer(found, left, f"{len(left)} had no usable answer" if left else "")

    def keep(self, found: Mapping[Passage, float]) -> None:
        self.found |= found

    def _shown(self, request: Request[Passage]) -> list[str]:
        return [_beginning("\n".join(filter(None, (p.title, p.section, p.text)))) for p in request.items]

    def _most_units(self, request: Request[Passage]) -> int:
        """The most that is billed: a text that is too long with the query counts as several."""
        asked = count_tokens(self._asked.question)
        pieces = sum(-(-(asked + count_tokens(text)) // UNIT_TOKENS) for text in self._shown(request))
        return -(-pieces // UNIT_TEXTS)


def rerank(
    judge: VendorJudge, asked: AskedQuestion, passages: Sequence[Passage], step: Running
) -> tuple[Mapping[Passage, float], Mapping[Passage, EmbedmillError]]:
    """The relevance of the passages, and the errors of those of which nothing usable is said."""
    question = Reranking(judge.model, asked)
    step.model = judge.model.name
    pace = Pacing(apart=True, seconds=judge.seconds, all_seconds=judge.seconds)
    try:
        errors = ask_all(question, question.pack(passages), meter=judge.meter, pace=pace)
    except EmbedmillError as error:
        errors = dict.fromkeys((p for p in passages if p not in question.found), error)
    step.out = len(question.found)
    return question.found, errors


def by_relevance(passages: Sequence[Passage], relevance: Mapping[Passage, float]) -> list[Passage]:
    """The passages, the most relevant first; one of which nothing is known is as good as half of the others."""
    middle = median(relevance.values()) if relevance else 0.0
    return sorted(passages, key=lambda passage: -relevance.get(passage, middle))


def as_score(relevance: float) -> float:
    """A relevance on the scale of grades."""
    return LOWEST + (HIGHEST - LOWEST) * relevance


def _beginning(text: str) -> str:
    tokens = count_tokens(text)
    return text if tokens <= TEXT_TOKENS else text[: len(text) * TEXT_TOKENS // tokens]
