"""The broker as the chores and the console see it: send wake-ups, ask how many wait, look after what was given up."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from embedmill.shared.errors import BrokerUnavailable
from embedmill.shared.settings import Settings
from embedmill.workers.messages import BatchMessage

# Of the headers, what says where a message came from; arguments are in the body.
HEADERS = ("task", "id", "lang", "origin", "content_type", "content_encoding", "retries")
MAX_HEADER_CHARS = 200


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that the broker itself gave up, as it lies in a dead-letter queue."""

    queue: str
    body: str
    headers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Health:
    """What `doctor` says of a broker; each warning is something that an operator should change."""

    detail: str
    warnings: tuple[str, ...] = ()


class Broker(ABC):
    """A broker under one set of settings. All but `configure` and `close` may raise BrokerUnavailable.

    `is_local` says that the broker belongs to this home alone, so that it may be purged when nobody else is at work.
    `settled_seconds` is how long after a publication the depth is known to count it. `dead_fetch_seconds` is how
    long a process that died may go on being handed messages, which then come back after many minutes only; None where
    the broker hands them out again by itself, or its queue is soon empty.
    """

    is_local: ClassVar[bool] = False
    settled_seconds: ClassVar[float] = 1.0
    dead_fetch_seconds: ClassVar[float | None] = None
    pool: ClassVar[str] = "threads"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.published = 0

    @classmethod
    def open(cls, settings: Settings) -> "Broker":
        """The broker, not yet connected; raises SettingsError or MissingExtra."""
        return cls(settings)

    @classmethod
    @abstractmethod
    def configure(cls, settings: Settings) -> dict[str, Any]:
        """Celery's settings for this broker; raises SettingsError or MissingExtra."""

    @abstractmethod
    def publish_many(self, messages: Sequence[BatchMessage]) -> None:
        """Send wake-ups, and count them; when it raises, any of them may or may not have left."""

    @abstractmethod
    def depths(self) -> dict[str, int]:
        """Messages by stage that nobody has taken yet."""

    def depth(self) -> int:
        """Messages that nobody has taken yet."""
        return sum(self.depths().values())

    def dead_depths(self) -> dict[str, int]:
        """Messages in the broker's dead-letter queues; empty where it has none."""
        return {}

    def drain_dead(self, handle: Callable[[DeadMessage], object], *, limit: int) -> int:
        """Hand up to `limit` dead messages to `handle`, and remove each after it returned; returns how many."""
        return 0

    @abstractmethod
    def check(self) -> Health:
        """Reach the broker and look at how it is set up."""

    @abstractmethod
    def purge(self) -> None:
        """Drop every message; the dispatcher sends again what is still wanted."""

    @abstractmethod
    def close(self) -> None:
        """Release connections."""


def unavailable(error: BaseException) -> BrokerUnavailable:
    """What a broker's library says, in one line without the credentials of a URL."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    said = re.sub(r"//[^/@\s]*@", "//***@", said)[:300]
    return BrokerUnavailable(f"the broker cannot be reached or refuses: {said}")


def chosen_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Those that are kept of a message that could not be read, as short text."""
    return {name: str(headers[name])[:MAX_HEADER_CHARS] for name in HEADERS if headers.get(name) is not None}
