"""What the batch lane asks: how waiting items become the requests of a batch."""

from abc import abstractmethod
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol, TypeVar

from embedmill.shared.asking.following import MODEL_REFUSED
from embedmill.shared.asking.question import AnswerT, FoundT, Question, Request
from embedmill.shared.db.bulk_items import BulkItem
from embedmill.shared.ledger import Tokens

NO_COMPLAINTS = frozenset({MODEL_REFUSED, "the provider refused the chunk"})
"""What earlier releases wrote down of items that were refused together: they have had no answer yet."""


class Addressed(Hashable, Protocol):
    """Whatever is asked about is known by its content address."""

    @property
    def address(self) -> str: ...


AddressedT = TypeVar("AddressedT", bound=Addressed)


class BatchQuestion(Question[AddressedT, FoundT, AnswerT]):
    """A kind of question to one model, asked in batches."""

    kind: str
    operation: str
    provider: str
    model_name: str
    key: str = ""
    """The hash of the credentials."""
    items_per_request: int = 1

    @abstractmethod
    def find_known(self, addresses: Sequence[str]) -> Collection[str]:
        """Which of the addresses the cache answers meanwhile."""

    @abstractmethod
    def load(self, items: Sequence[BulkItem]) -> Mapping[str, AddressedT]:
        """What requests are made of, by address; without what is not any more where it was asked for."""

    @abstractmethod
    def recall(self, items: Sequence[BulkItem]) -> Mapping[str, AddressedT]:
        """What answers about items are read with, by address."""

    @abstractmethod
    def pack(self, loaded: Sequence[AddressedT]) -> list[Request[AddressedT]]:
        """Requests about all of them."""

    @abstractmethod
    def body(self, request: Request[AddressedT]) -> Mapping[str, Any]:
        """What a call at once would send."""

    @abstractmethod
    def most_tokens(self, request: Request[AddressedT]) -> Tokens | None:
        """What a request costs at most; None when that is not known any more."""

    @abstractmethod
    def parse(self, body: Any) -> AnswerT:
        """The answer in a result; raises the error of one that makes no sense."""


AnyQuestion = BatchQuestion[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class DraftedRequest:
    """A request to be: whom it is about, its body, what it costs at most, and the token of its fence."""

    items: tuple[BulkItem, ...]
    body: Mapping[str, Any]
    tokens: Tokens
    token: str | None = None


@dataclass(slots=True)
class BatchDraft:
    """Requests, items that the cache answers meanwhile, and those whose text is not where it was."""

    requests: list[DraftedRequest] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)


def draft_requests(question: AnyQuestion, items: Sequence[BulkItem]) -> BatchDraft:
    """Requests about items, in their order."""
    known = question.find_known([item.address for item in items])
    asked = {item.address: item for item in items if item.address not in known}
    loaded = question.load(list(asked.values()))
    return BatchDraft(
        [
            DraftedRequest(
                tuple(asked[some.address] for some in request.items),
                question.body(request),
                question.most_tokens(request) or Tokens(),
                request.fence.token or None,
            )
            for request in _plan(question, [item for item in asked.values() if item.address in loaded], loaded)
        ],
        [item.id for item in items if item.address in known],
        [item.id for item in asked.values() if item.address not in loaded],
    )


def _plan(question: AnyQuestion, items: Sequence[BulkItem], loaded: Mapping[str, Any]) -> Iterator[Request[Any]]:
    """Requests with what was wrong before; what was refused together is alone."""
    for item in items:
        if item.alone:
            yield from _pack(question, [loaded[item.address]], complaint_of(item))
    together = sorted((item for item in items if not item.alone), key=complaint_of)
    for complaint, group in groupby(together, key=complaint_of):
        yield from _pack(question, [loaded[item.address] for item in group], complaint)


def _pack(question: AnyQuestion, loaded: Sequence[Any], complaint: str) -> Iterator[Request[Any]]:
    for request in question.pack(loaded):
        yield request.again(request.items, complaint)


def complaint_of(item: BulkItem) -> str:
    """What was wrong with the first answer about an item; empty when there was none."""
    return "" if item.complaint is None or item.complaint in NO_COMPLAINTS else item.complaint
