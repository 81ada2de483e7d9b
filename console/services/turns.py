"""Whose turn it is to make an answer: of several who ask the same at the same moment one pays, and the others wait.

The turn is a lease in the tracking database. Nobody waits for a process of this home that is gone, nor for anybody
longer than a question may take; without the database each makes its own.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from embedmill.retrieval.stage_settings import PROMPTS
from embedmill.shared.asking.single_flight import LOOK_AGAIN_SECONDS
from embedmill.shared.db.kept_answers import begin_making, end_making, find_maker
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.presence import is_gone, thread_name
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings


@contextmanager
def take_turn(runtime: Runtime, address: str) -> Iterator[bool]:
    """Have nobody else make what will be kept at an address; True after a wait.

    Whoever made it meanwhile may have kept it, have failed, or be gone.
    """
    turn = _Turn(runtime, address, thread_name(runtime.process_id, secrets.randbits(32)))
    waited = turn.wait()
    try:
        yield waited
    finally:
        turn.end()


@dataclass(frozen=True, slots=True)
class _Turn:
    runtime: Runtime
    address: str
    holder: str

    def wait(self) -> bool:
        """Until nobody else makes it; whether there was somebody."""
        ends, waited = time.monotonic() + longest_seconds(self.runtime.settings), False
        with suppress(EmbedmillError):
            while not self._begin() and time.monotonic() < ends:
                waited = True
                while self._is_taken() and time.monotonic() < ends:
                    time.sleep(LOOK_AGAIN_SECONDS)
        return waited

    def end(self) -> None:
        with suppress(EmbedmillError), self.runtime.database.impatient():
            self.runtime.database.transact(partial(end_making, address=self.address, holder=self.holder))

    def _begin(self) -> bool:
        seconds = longest_seconds(self.runtime.settings)
        begin = partial(begin_making, address=self.address, holder=self.holder, seconds=seconds, is_gone=self._is_gone)
        with self.runtime.database.impatient():
            return self.runtime.database.transact(begin)

    def _is_taken(self) -> bool:
        maker = self.runtime.database.query(find_maker, self.address)
        return maker is not None and not self._is_gone(maker)

    def _is_gone(self, maker: str) -> bool | None:
        return is_gone(self.runtime.run_folder, maker)


def longest_seconds(settings: Settings) -> float:
    """The longest that a question may take: the search, and each stage that asks a model."""
    return settings.search_seconds + len(PROMPTS) * settings.rank_seconds
