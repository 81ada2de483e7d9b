"""A question about numbers, with answers that a test says; nothing is sent anywhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from embedmill.shared.asking.question import LiveQuestion, ReadAnswer, Request
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import Tokens, Usage


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: what is said of each number."""

    numbers: Mapping[int, str]
    is_refusal: bool = False
    tokens: Tokens | None = None
    request_id: str | None = None
    limits: Mapping[str, str] = field(default_factory=dict)


Answers = Callable[[Request[int]], Said]


def say_all(request: Request[int]) -> Said:
    """An answer about every number."""
    return Said({number: f"number {number}" for number in request.items})


class Numbers(LiveQuestion[int, str, Said]):
    """Asks what numbers are; `falls_back` says something in the place of an answer that is not to be had."""

    name = "somebody"
    noun = "number"
    most_refused = 4

    def __init__(self, answers: Answers = say_all, *, falls_back: bool = True) -> None:
        self.kept: dict[int, str] = {}
        self.asked: list[tuple[int, ...]] = []
        self.complaints: list[str] = []
        self._answers = answers
        self._falls_back = falls_back

    def send(self, request: Request[int]) -> Said:
        self.asked.append(request.items)
        self.complaints.append(request.complaint)
        return self._answers(request)

    def usage(self, request: Request[int]) -> Usage:
        return Usage("somebody", "model", "message", inputs=len(request.items))

    def read(self, request: Request[int], answer: Said) -> ReadAnswer[int, str]:
        left = [number for number in request.items if number not in answer.numbers]
        return ReadAnswer(answer.numbers, left, "something was left out", is_refusal=answer.is_refusal)

    def keep(self, found: Mapping[int, str]) -> None:
        assert not self.kept.keys() & found.keys(), "paid for twice"
        self.kept |= found

    def fall_back(self, item: int, reason: str, error: EmbedmillError) -> str:
        return f"unknown: {reason}" if self._falls_back else super().fall_back(item, reason, error)
