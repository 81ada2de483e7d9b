"""What the results of a batch mean: answers for the cache, ends for its items, and what is on the bill."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from embedmill.shared.asking.following import Following, Rules
from embedmill.shared.asking.question import Request
from embedmill.shared.db.bulk_items import BulkItem, ItemEnds
from embedmill.shared.errors import EmbedmillError, FlowControl, InputRefused, may_be_billed
from embedmill.shared.fence import Fence
from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.batches.base import BatchResult
from embedmill.workers.bulk.question import AnyQuestion, complaint_of

PAGE = 500
"""Answers that are stored together."""


@dataclass(slots=True)
class BatchBill:
    """What a batch costs, as far as its answers say so."""

    tokens: Tokens = field(default_factory=Tokens)
    inputs: int = 0
    answers: int = 0
    doubts: int = 0
    """Answers that were billed, and whose vendor does not say, or not in earnest, what they took."""
    doubtful: Tokens = field(default_factory=Tokens)
    """What those take at most."""
    unaccounted: int = 0
    """Answers that were billed, and of which not even the most is known."""

    @property
    def is_unknown(self) -> bool:
        """Whether no more is known than what was reserved."""
        return self.unaccounted > 0 or (self.doubts > 0 and self.tokens == Tokens())

    def count(self, tokens: Tokens | None, *, inputs: int, at_most: Callable[[], Tokens | None]) -> None:
        """Add an answer; `tokens` is None when the vendor did not say what it took.

        Less than a token an input is as good as not said.
        """
        self.answers += 1
        self.inputs += inputs
        if tokens is None or tokens.prompt < max(inputs, 1):
            self.doubt(at_most())
        else:
            self.tokens += tokens

    def doubt(self, at_most: Tokens | None) -> None:
        """Add what an answer takes at most; None when that is not known either."""
        self.doubts += 1
        self.unaccounted += at_most is None
        self.doubtful += at_most or Tokens()


class ResultReader:
    """Reads the results of one batch; `sent` are its items by the number of their request, in their places.

    What results hold is in the cache before anything is written down about them. What a first answer left out is asked
    about once more in a later batch, and what was refused as a whole is asked about one by one there.
    """

    def __init__(self, question: AnyQuestion, sent: Mapping[int, Sequence[BulkItem]]) -> None:
        self._question = question
        self._sent = sent
        self._by_address = {item.address: item for items in sent.values() for item in items}
        self._recalled = question.recall(list(self._by_address.values()))
        self._rules: Rules[Any, Any, Any] = Rules(question, divide=Request.singles)
        self._found: dict[Any, Any] = {}
        self._failed: dict[int, EmbedmillError] = {}
        self._again: dict[int, tuple[str | None, bool]] = {}
        self._returned: set[int] = set()
        self.bill = BatchBill()

    def read(self, results: Iterator[tuple[int, BatchResult]]) -> None:
        """Read all results, each with the number of its request."""
        for number, result in results:
            self._read_one(self._sent.get(number, ()), result)
        blame = self._rules.blame(whole_requests=True)
        self._keep(self._rules.finish(blame))
        self._flush()
        self._failed |= {self._by_address[item.address].id: error for item, error in self._rules.errors.items()}
        if blame is not None:
            self._failed |= dict.fromkeys(self._again, blame)
            self._again.clear()

    def ends(self, seen: Collection[int], *, were_lost: bool) -> ItemEnds:
        """How every item of the batch ended.

        What had no result at all is asked again; where results `were_lost`, it was most likely answered and paid, and
        is asked for at once: whatever loses results would lose those of another batch.
        """
        missing = {item.id for number, items in self._sent.items() if number not in seen for item in items}
        if were_lost:
            return ItemEnds(self._failed, self._again, self._returned, missing)
        return ItemEnds(self._failed, self._again, self._returned | missing)

    def _read_one(self, items: Sequence[BulkItem], result: BatchResult) -> None:
        request = self._request(items)
        # Without its text no answer can be checked; whoever waits is asked what became of it.
        self._returned |= {item.id for item in items if item.address not in self._recalled}
        is_whole = len(request.items) == len(items)
        at_most = partial(self._question.most_tokens, request) if is_whole else _unknown
        if result.body is None:
            if result.error is not None and may_be_billed(result.error):
                self.bill.doubt(at_most())
            self._note_unanswered(request, result.error)
            return
        try:
            answer = self._question.parse(result.body)
        except EmbedmillError as error:
            self.bill.doubt(at_most())
            self._fail(request, error)
            return
        # It is on the bill whether anybody waits for it or not.
        self.bill.count(answer.tokens, inputs=len(items), at_most=at_most)
        self._follow(request, self._rules.answered(request, answer))

    def _request(self, items: Sequence[BulkItem]) -> Request[Any]:
        """The request as it was sent, without items whose text is gone."""
        there = [item for item in items if item.address in self._recalled]
        return Request(
            tuple(self._recalled[item.address] for item in there),
            Fence((items[0].token if items else None) or ""),
            complaint=complaint_of(items[0]) if items else "",
            places=tuple(item.place or 0 for item in there),
        )

    def _note_unanswered(self, request: Request[Any], error: EmbedmillError | None) -> None:
        """A request that nobody answered: asked again if nobody is to blame, and failed otherwise."""
        match error:
            case None | FlowControl():
                self._returned |= {self._by_address[item.address].id for item in request.items}
            case InputRefused():
                self._follow(request, self._rules.refused(request, error))
            case _:
                self._fail(request, error)

    def _fail(self, request: Request[Any], error: EmbedmillError) -> None:
        self._failed |= {self._by_address[item.address].id: error for item in request.items}

    def _follow(self, request: Request[Any], following: Following[Any, Any]) -> None:
        self._keep(following.found)
        for later in following.requests:
            is_divided = later.complaint == request.complaint
            for some in later.items:
                item = self._by_address[some.address]
                self._again[item.id] = later.complaint or None, is_divided or item.alone

    def _keep(self, found: Mapping[Any, Any]) -> None:
        self._found |= found
        if len(self._found) >= PAGE:
            self._flush()

    def _flush(self) -> None:
        if self._found:
            self._question.keep(self._found)
        self._found = {}


def _unknown() -> None:
    """Of a request whose texts are gone nobody knows any more what it was reserved for."""
