"""Requests, what is read from their answers, and the questions that know how: the nouns of asking."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.fence import NO_FENCE, Fence
from embedmill.shared.ledger import Tokens, Usage
from embedmill.shared.metering import Reservation

ItemT = TypeVar("ItemT", bound=Hashable)
FoundT = TypeVar("FoundT")
AnswerT = TypeVar("AnswerT", bound="PricedAnswer")


class PricedAnswer(Protocol):
    """What every answer says of its price."""

    @property
    def tokens(self) -> Tokens | None:
        """What it took; None when the provider does not say."""

    @property
    def request_id(self) -> str | None:
        """The provider's own name of the request."""

    @property
    def limits(self) -> Mapping[str, str]:
        """The response headers that tell how much of a rate limit is left."""


@dataclass(frozen=True, slots=True)
class Request(Generic[ItemT]):
    """Items that are asked about together.

    `shares_start` says that other requests begin with the same words, which a provider may keep; `complaint` what was
    wrong with an earlier answer: this is the second chance then, and the last. `places` are those that items had in the
    request when it was sent, where some of its items are gone by now.
    """

    items: tuple[ItemT, ...]
    fence: Fence = NO_FENCE
    shares_start: bool = False
    complaint: str = ""
    places: tuple[int, ...] | None = None

    @property
    def by_id(self) -> dict[str, ItemT]:
        """Items by the short ids that an answer uses; a document cannot guess the id of another's text."""
        suffix = self.fence.token[:4]
        places = range(len(self.items)) if self.places is None else self.places
        return {f"c{place + 1}-{suffix}": item for place, item in zip(places, self.items, strict=True)}

    def only(self, items: Iterable[ItemT]) -> "Request[ItemT]":
        """The same request about some of its items."""
        return replace(self, items=tuple(items), places=None)

    def again(self, items: Iterable[ItemT], complaint: str) -> "Request[ItemT]":
        """The second chance of some of its items."""
        return replace(self, items=tuple(items), complaint=complaint, places=None)

    def halves(self) -> list["Request[ItemT]"]:
        """Two requests in the place of one that failed as a whole."""
        middle = len(self.items) // 2
        return [self.only(self.items[:middle]), self.only(self.items[middle:])]

    def singles(self) -> list["Request[ItemT]"]:
        """A request for each item, where every round takes long."""
        return [self.only([item]) for item in self.items]


@dataclass(frozen=True, slots=True)
class ReadAnswer(Generic[ItemT, FoundT]):
    """What an answer says: what was found by item, and the items that nothing usable is said of, with what was wrong.

    `problem` is worded so that it may be sent back. `errors` are of items that are not asked about again.
    """

    found: Mapping[ItemT, FoundT]
    left: Sequence[ItemT] = ()
    problem: str = ""
    errors: Mapping[ItemT, EmbedmillError] = field(default_factory=dict)
    is_refusal: bool = False
    """Whether the model would not answer at all."""


class Question(ABC, Generic[ItemT, FoundT, AnswerT]):
    """How answers are read and kept, whether they came at once or in a batch."""

    name: str
    """Who is asked, for messages."""
    noun: str = "text"
    """What it is asked about."""
    most_refused: int = 16
    """So many refused one by one, none accepted: then it is the provider, and not they."""
    most_declined: float = math.inf
    """So many declined by the model one by one, none answered: then it is what is asked of them, and not they."""

    @abstractmethod
    def read(self, request: Request[ItemT], answer: AnswerT) -> ReadAnswer[ItemT, FoundT]:
        """What an answer says; raises nothing, whatever the answer is."""

    @abstractmethod
    def keep(self, found: Mapping[ItemT, FoundT]) -> None:
        """Store what was found; it is called before the request is settled."""

    def fall_back(self, item: ItemT, reason: str, error: EmbedmillError) -> FoundT:
        """What stands for an answer that is not to be had; raises the error where nothing does."""
        del item, reason
        raise error


class LiveQuestion(Question[ItemT, FoundT, AnswerT]):
    """A question that is sent at once."""

    @abstractmethod
    def send(self, request: Request[ItemT]) -> AnswerT:
        """Carry out one request; raises what providers raise about it as a whole."""

    def send_aloud(self, request: Request[ItemT], tell: Callable[[str], None]) -> AnswerT:
        """The same, for a question that is answered piece by piece: each piece is told as it comes."""
        del tell
        return self.send(request)

    def hear(self, request: Request[ItemT], piece: str) -> None:
        """A piece of the answer to a request came in; called in the thread of whoever asks."""

    @abstractmethod
    def usage(self, request: Request[ItemT]) -> Usage:
        """The most that a request may take."""

    def settle(self, reservation: Reservation, request: Request[ItemT], answer: AnswerT) -> None:
        """End the reservation of a request by what its answer took, which is tokens unless something else is billed."""
        del request
        reservation.settle(answer.tokens, request_id=answer.request_id, headers=answer.limits)
