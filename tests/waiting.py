"""Waits for what other processes do by looking at it, never by sleeping for as long as it might take."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.02
DEADLINE_SECONDS = 60.0


def wait_until(
    condition: Callable[[], object],
    description: str,
    *,
    seconds: float = DEADLINE_SECONDS,
    every: float = POLL_SECONDS,
) -> None:
    """Return as soon as `condition` holds; fail with `description` when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:g} s still waiting until {description}")
        time.sleep(every)
