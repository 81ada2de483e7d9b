"""An outage of the broker as one process sees it: said once, looked at ever less often, over with the first success."""

import time
from collections.abc import Callable

from embedmill.shared.errors import BrokerUnavailable
from embedmill.shared.logs import get_logger

log = get_logger()

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 10.0
REMIND_SECONDS = 60.0


class Outage:
    """Whether the broker is away, since when, and when to try again."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._since: float | None = None
        self._wait = FIRST_SECONDS
        self._try_at = 0.0
        self._remind_at = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the last try failed."""
        return self._since is not None

    @property
    def is_due(self) -> bool:
        """Whether the broker should be tried (again) now."""
        return self._since is None or self._monotonic() >= self._try_at

    def failed(self, error: BrokerUnavailable) -> None:
        """A try failed; logged at the beginning and once a minute."""
        now = self._monotonic()
        if self._since is None:
            self._since, self._wait, self._remind_at = now, FIRST_SECONDS, now
        self._try_at = now + self._wait
        self._wait = min(2 * self._wait, LONGEST_SECONDS)
        if now >= self._remind_at:
            self._remind_at = now + REMIND_SECONDS
            log.warning("broker.unavailable", error=str(error), seconds=round(now - self._since, 1))

    def succeeded(self) -> None:
        """A try succeeded; the end of an outage is logged."""
        if self._since is not None:
            log.warning("broker.back", seconds=round(self._monotonic() - self._since, 1))
            self._since = None
