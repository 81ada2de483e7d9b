"""Keeps apart those who write stored objects anew, as an erasure and a new encryption do: each would undo the other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from embedmill.shared.db import presence
from embedmill.shared.db.engine import Connection
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.presence import is_gone
from embedmill.shared.runtime import Runtime

LEASE_SECONDS = 1800.0
"""Longer than any step; whoever is known to be gone is not waited for."""


@contextmanager
def alone(runtime: Runtime, refusal: EmbedmillError) -> Iterator[Callable[[], None]]:
    """Be the only one meanwhile; yields what says between two steps that it goes on. Raises `refusal`."""

    def seize(connection: Connection) -> bool:
        gone = partial(is_gone, runtime.run_folder)
        holder = runtime.process_id
        return presence.seize_chore(connection, presence.REWRITING, holder=holder, seconds=LEASE_SECONDS, is_gone=gone)

    def hold() -> None:
        if not runtime.database.transact(seize):
            raise refusal

    hold()
    try:
        yield hold
    finally:
        runtime.database.transact(partial(presence.free_chore, name=presence.REWRITING, holder=runtime.process_id))
