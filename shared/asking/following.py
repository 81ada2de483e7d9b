"""What follows from an answer or a refusal, and from nothing else: the rules that all ways of asking share.

An answer that leaves items out, or says something of them that cannot be used, is followed by a request about those
alone that says what was wrong, once. What is refused as a whole is divided until the culprit is alone. What was refused
alone, or had its second chance, takes what the question falls back on; it is blamed on the provider instead when that
has refused many and answered nothing. Where a model declines one item after the other, it may be what is asked of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic

from embedmill.shared.asking.question import AnswerT, FoundT, ItemT, Question, Request
from embedmill.shared.errors import EmbedmillError, InputRefused, InputTooLong, ProviderRefused, ProviderUnavailable

MODEL_REFUSED = "the model refused"
NO_ANSWER = "no answer was given"


@dataclass(slots=True)
class Following(Generic[ItemT, FoundT]):
    """What is to be kept, and what is to be asked next."""

    found: dict[ItemT, FoundT] = field(default_factory=dict)
    requests: Sequence[Request[ItemT]] = ()


class Rules(Generic[ItemT, FoundT, AnswerT]):
    """The rules over one run of requests; `errors` are of items that ended without an answer."""

    def __init__(
        self,
        question: Question[ItemT, FoundT, AnswerT],
        *,
        divide: Callable[[Request[ItemT]], list[Request[ItemT]]] = Request.halves,
    ) -> None:
        self._question = question
        self._divide = divide
        self.errors: dict[ItemT, EmbedmillError] = {}
        self.answers = 0
        self._declined: list[int] | None = []
        """How many items a model was asked about each time that it declined; None once it has answered something."""
        self._alone: dict[ItemT, InputRefused] = {}
        self._refusals: list[InputRefused] = []

    def answered(self, request: Request[ItemT], answer: AnswerT) -> Following[ItemT, FoundT]:
        """A request was answered, usefully or not."""
        self.answers += 1
        reading = self._question.read(request, answer)
        found = self._end_refused()
        if not reading.is_refusal:
            self._declined = None
        elif self._declined is not None:
            self._declined.append(len(request.items))
        if reading.is_refusal:
            return self._narrow(request, InputRefused(MODEL_REFUSED), MODEL_REFUSED, found)
        self.errors |= reading.errors
        found |= reading.found
        if not reading.left:
            return Following(found)
        problem = reading.problem or NO_ANSWER
        if not request.complaint:
            return Following(found, [request.again(reading.left, problem)])
        error = ProviderUnavailable(f"{self._question.name}: {problem}")
        return Following(found | self._fall_back(reading.left, problem, error))

    def refused(self, request: Request[ItemT], error: InputRefused) -> Following[ItemT, FoundT]:
        """The provider does not take a request."""
        # What is too long is no sign of a wrong setting, however often it happens: it comes back in parts.
        if not isinstance(error, InputTooLong):
            self._refusals.append(error)
            if len(request.items) == 1 and not self.answers:
                self._alone[request.items[0]] = error
                return Following()
        return self._narrow(request, error, self._reason, {})

    @property
    def is_doubted(self) -> bool:
        """Whether it may be the provider that refuses everything, or the model that declines it."""
        return (bool(self._refusals) and not self.answers) or bool(self._declined)

    def blame(self, *, whole_requests: bool = False) -> ProviderRefused | None:
        """What the provider is to blame for, once it has answered nothing and refused too many items alone.

        `whole_requests` counts refusals of several items too, where each round takes long.
        """
        if self._declined is not None and self._declined.count(1) >= self._question.most_declined:
            return ProviderRefused(f"{self._question.name} declines every {self._question.noun}")
        count = len(self._refusals) if whole_requests else len(self._alone)
        if self.answers or count < self._question.most_refused:
            return None
        return ProviderRefused(f"{self._question.name} refuses every {self._question.noun}: {self._refusals[-1]}")

    def finish(self, blame: ProviderRefused | None) -> dict[ItemT, FoundT]:
        """What the last refusals come to: the items' own fault, or the provider's."""
        if blame is None:
            return self._end_refused()
        self.errors |= dict.fromkeys(self._alone, blame)
        return {}

    @property
    def _reason(self) -> str:
        return f"the provider refused the {self._question.noun}"

    def _narrow(
        self, request: Request[ItemT], error: InputRefused, reason: str, found: dict[ItemT, FoundT]
    ) -> Following[ItemT, FoundT]:
        if len(request.items) > 1:
            return Following(found, self._divide(request))
        return Following(found | self._fall_back(request.items, reason, error))

    def _end_refused(self) -> dict[ItemT, FoundT]:
        """The provider has answered something: what it refused alone is the items' own fault."""
        found: dict[ItemT, FoundT] = {}
        for item, error in self._alone.items():
            found |= self._fall_back([item], self._reason, error)
        self._alone.clear()
        return found

    def _fall_back(self, items: Iterable[ItemT], reason: str, error: EmbedmillError) -> dict[ItemT, FoundT]:
        found: dict[ItemT, FoundT] = {}
        for item in items:
            try:
                found[item] = self._question.fall_back(item, reason, error)
            except EmbedmillError as raised:
                self.errors[item] = raised
        return found
