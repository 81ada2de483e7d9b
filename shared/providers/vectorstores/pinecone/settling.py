"""Owns the waiting until reads see what this process wrote to Pinecone, and the counting of what has come."""

from collections.abc import Mapping

from embedmill.shared.errors import FlowControl
from embedmill.shared.providers.vectorstores.metering import UNIT, MeteredRequests
from embedmill.shared.providers.vectorstores.pinecone import records, units
from embedmill.shared.providers.vectorstores.pinecone.asking import Asking
from embedmill.shared.providers.vectorstores.pinecone.freshness import Unseen
from embedmill.shared.providers.vectorstores.pinecone.limiter import Pause

LATE_SECONDS = 5.0


class Settling:
    """The waiting of one store. Raises FlowControl where the service has not caught up in time."""

    def __init__(self, asking: Asking, unseen: Unseen, *, dimensions: int) -> None:
        self._asking = asking
        self._unseen = unseen
        self._dimensions = dimensions

    def settle(self, space: str) -> None:
        """Wait until reads see what this process wrote; raises FlowControl when that takes too long."""
        position = self._unseen.position(space)
        if position is None:
            return
        pause = Pause(seconds=self._asking.client.address.fresh_seconds)
        with self._asking.metered(units.QUERY) as requests:
            while not self._has_reached(requests, space, position):
                if not pause.wait():
                    self._forget_dropped(space, position)
                    raise _late(space)
        self._unseen.reached(space, position)

    def _forget_dropped(self, space: str, position: int) -> None:
        """Of a namespace that is still not there: the next to ask takes what was written for lost, not for late."""
        if not self._asking.stats(space).namespaces.get(space):
            self._unseen.reached(space, position)

    def _has_reached(self, requests: MeteredRequests, space: str, position: int) -> bool:
        """Whether reads have reached a position: yes when the service tells none, no while it knows no namespace."""
        answer = self._asking.query(requests, space, vector=records.stand_in(self._dimensions).tolist(), top_k=1)
        if answer is None:
            return False
        info = answer.response_info
        reached = info.lsn_reconciled if info else None
        return reached is None or reached >= position

    def count(self, shard: str, space: str, beginnings: Mapping[str, str]) -> dict[str, int]:
        """How many ids have each document's beginning, all that this process wrote among them."""
        expected = {d: self._unseen.expected(space, d, beginning) for d, beginning in beginnings.items()}
        most = sum(units.milliunits_of_list(rows) for rows in expected.values())
        with self._asking.metered(
            units.LIST, (), milliunits=most, number=most // UNIT, documents=beginnings
        ) as requests:
            counts = self._count(requests, space, beginnings)
            pause = Pause(seconds=self._asking.client.address.fresh_seconds)
            while late := {d: beginning for d, beginning in beginnings.items() if counts[d] < expected[d]}:
                if not pause.wait():
                    if self._unseen.tells_positions:
                        break  # not late but lost: the caller sees how many there are
                    raise _late(shard)
                counts |= self._count(requests, space, late)
        self._unseen.counted(space, beginnings.items())
        return counts

    def _count(self, requests: MeteredRequests, space: str, beginnings: Mapping[str, str]) -> dict[str, int]:
        listed = self._asking.all(
            beginnings.values(), lambda beginning: list(self._asking.each_id(requests, space, beginning))
        )
        return {document: len(ids) for document, ids in zip(beginnings, listed, strict=True)}


def _late(shard: str) -> FlowControl:
    message = f"shard {shard}: what was written cannot be read yet"
    return FlowControl(message, reason="rate", retry_after_seconds=LATE_SECONDS)
