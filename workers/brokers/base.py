"""The broker as the chores and the console see it: send wake-ups, ask how many wait, look after what was given up."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from embedmill.shared.settings import Settings
from embedmill.workers.messages import BatchMessage


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
