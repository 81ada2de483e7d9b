"""What a batch is about: how its requests are drafted from entries, and what its results mean for them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from embedmill.shared.db.bulk_lane import Ends, Entry
from embedmill.shared.errors import EmbedmillError, FlowControl, InputRefused, InputTooLong
from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.batches.base import Result


@dataclass(frozen=True, slots=True)
class Drafted:
    """A request to be: its body, whom it is about, the token of its fence, and what it costs at most."""

    entries: tuple[Entry, ...]
    body: Mapping[str, Any]
    tokens: Tokens
    token: str | None = None


@dataclass(slots=True)
class Draft:
    """Requests, entries that the cache answers meanwhile, and those whose text is not where it was."""

    requests: list[Drafted] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)

    def add(
        self, entries: Sequence[Entry], body: Mapping[str, Any], tokens: Tokens, *, token: str | None = None
    ) -> None:
        """Add a request."""
        self.requests.append(Drafted(tuple(entries), body, tokens, token))


@dataclass(slots=True)
class Harvest:
    """What came of a batch: how entries ended, what is on the bill, and counts of requests."""

    failed: dict[int, tuple[str, str]] = field(default_factory=dict)
    again: dict[int, tuple[str | None, bool]] = field(default_factory=dict)
    returned: set[int] = field(default_factory=set)
    left: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    """Refused alone: address, text and why, by entry."""
    tokens: Tokens = field(default_factory=Tokens)
    inputs: int = 0
    succeeded: int = 0
    doubts: int = 0
    """Answers that were billed, and whose vendor does not say, or not in earnest, what they took."""
    doubtful: Tokens = field(default_factory=Tokens)
    """What those take at most."""
    unaccounted: int = 0
    """Answers that were billed, and of which not even the most is known."""
    refused: int = 0
    last_refusal: str = ""

    @property
    def is_unknown(self) -> bool:
        """Whether no more is known of the bill than what was reserved for it."""
        return self.unaccounted > 0 or (self.doubts > 0 and self.tokens == Tokens())

    def count(self, tokens: Tokens | None, *, inputs: int, at_most: Callable[[], Tokens | None]) -> None:
        """Add an answer; `tokens` is None when the vendor did not say what it took."""
        self.succeeded += 1
        self.inputs += inputs
        if tokens is None:
            self.doubt(at_most())
        else:
            self.tokens += tokens

    def doubt(self, at_most: Tokens | None) -> None:
        """Add to the bill what an answer takes at most; None when that is not known either."""
        self.doubts += 1
        self.unaccounted += at_most is None
        self.doubtful += at_most or Tokens()

    def note_without_answer(self, entries: Sequence[Entry], result: Result) -> None:
        """A request that nobody answered: asked again if nobody is to blame, and failed otherwise."""
        if result.error is None or isinstance(result.error, FlowControl):
            self.returned |= {entry.id for entry in entries}
            return
        # What is too long is no sign of a wrong setting, however often it happens.
        if isinstance(result.error, InputRefused) and not isinstance(result.error, InputTooLong):
            self.refused += 1
            self.last_refusal = str(result.error)
        self.fail(entries, result.error)

    def note_unreadable(self, entries: Sequence[Entry], error: EmbedmillError, *, at_most: Tokens | None) -> None:
        """An answer that makes no sense."""
        self.doubt(at_most)
        self.fail(entries, error)

    def fail(self, entries: Sequence[Entry], error: EmbedmillError) -> None:
        """Entries whose documents are told."""
        self.failed |= {entry.id: (type(error).__name__, str(error)) for entry in entries}

    def blame(self, error: EmbedmillError) -> None:
        """It was the account or the settings: whatever was refused failed for that."""
        told = type(error).__name__, str(error)
        self.failed |= dict.fromkeys([*self.failed, *self.again, *self.left], told)
        self.again.clear()

    def ends(self, sent: Mapping[int, Sequence[Entry]], seen: Collection[int], *, were_lost: bool) -> Ends:
        """How every entry of the batch ended.

        What had no result at all is asked again; where results `were_lost`, it was most likely answered and paid, and
        is asked for at once: whatever loses results would lose those of another batch.
        """
        missing = {e.id for number, entries in sent.items() if number not in seen for e in entries}
        if were_lost:
            return Ends(self.failed, self.again, self.returned, missing)
        return Ends(self.failed, self.again, self.returned | missing)


class Errand(ABC):
    """One kind of question to one model."""

    kind: str
    operation: str
    provider: str
    model: str
    key: str = ""
    entries_per_request: int = 1

    @abstractmethod
    def draft(self, entries: Sequence[Entry]) -> Draft:
        """Requests about entries, in their order."""

    @abstractmethod
    def read(self, sent: Mapping[int, Sequence[Entry]], results: Iterator[tuple[int, Result]]) -> Harvest:
        """Store what results hold in the cache, by request number, before anything is written down about them."""
