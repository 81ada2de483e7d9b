"""Single flight: what several threads and processes lack at the same moment is asked for by one, and paid once."""

import math
import time
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.presence import is_gone

LOOK_AGAIN_SECONDS = 0.05

AddressT = TypeVar("AddressT", bound=Hashable)
ItemT = TypeVar("ItemT")


class Reservations(Protocol):
    """Who asks for what at this moment; the caches have it."""

    def reserve(self, addresses: Sequence[Any], *, owner: str, seconds: float) -> set[Any]:
        """Those of the addresses that `owner` is to ask for now; it ends when they are stored, or after `seconds`."""

    def find_holders(self, addresses: Sequence[Any]) -> set[str]:
        """Who has reserved any of the addresses."""

    def release(self, owner: str) -> None:
        """Give up what an owner has reserved and not stored."""


@dataclass(frozen=True, slots=True)
class SingleFlight:
    """One thread's part in it: `owner` is its name, `seconds` the longest that it may take for its share."""

    reservations: Reservations
    owner: str
    run_folder: Path
    seconds: float

    def obtain(
        self,
        missing: Mapping[AddressT, ItemT],
        *,
        find_known: Callable[[Sequence[AddressT]], Collection[AddressT]],
        ask: Callable[[dict[AddressT, ItemT]], Mapping[AddressT, EmbedmillError]],
        until: float = math.inf,
    ) -> dict[AddressT, EmbedmillError]:
        """Have everything that is missing stored, by this thread or by others; returns the errors of one's own share.

        `ask` stores its share, all but the errors that it returns. One's own share comes first, so that two never wait
        for each other. What others have not stored `until` then, by the monotonic clock, is not waited for any longer.
        """
        errors: dict[AddressT, EmbedmillError] = {}
        waiting = dict(missing)
        while waiting:
            mine = self.reservations.reserve(list(waiting), owner=self.owner, seconds=self.seconds)
            if mine:
                errors |= self._ask({a: item for a, item in waiting.items() if a in mine}, ask)
            elif time.monotonic() < until:
                self._await_others(list(waiting))
            else:
                break
            left = [address for address in waiting if address not in mine]
            known = find_known(left) if left else ()
            waiting = {address: waiting[address] for address in left if address not in known}
        return errors

    def _ask(
        self,
        share: dict[AddressT, ItemT],
        ask: Callable[[dict[AddressT, ItemT]], Mapping[AddressT, EmbedmillError]],
    ) -> Mapping[AddressT, EmbedmillError]:
        try:
            errors = ask(share)
        except BaseException:
            self.reservations.release(self.owner)
            raise
        if errors:
            self.reservations.release(self.owner)
        return errors

    def _await_others(self, addresses: Sequence[AddressT]) -> None:
        """Wait a moment for whoever holds the addresses; what a dead process held is free."""
        for holder in self.reservations.find_holders(addresses):
            if is_gone(self.run_folder, holder):
                self.reservations.release(holder)
        time.sleep(LOOK_AGAIN_SECONDS)
