"""Owns whether all rows of an index were cut by one cutter: what a query's words are for others nobody knows."""

from collections.abc import Callable, Sequence

from embedmill.shared.providers.vectorstores.metering import MeteredRequests
from embedmill.shared.providers.vectorstores.pinecone import records, units
from embedmill.shared.providers.vectorstores.pinecone.asking import Asking
from embedmill.shared.words import cutting

COSINE_INDEX = (
    "the Pinecone index compares by cosine and keeps no words: what is near in meaning is ordered by its words too"
)
SPLIT_INDEX = (
    "the words of some rows were cut by another version of the cutter: what is near in meaning is ordered by its words "
    "too, and `embedmill verify --repair` cuts them anew"
)
NEW_INDEX = "For a search by words name an index in EMBEDMILL_VECTOR_URL that is not there yet, and ingest again"


class Wholeness:
    """What is known of the namespaces of one index; a look costs a query, and there is one for each, once."""

    def __init__(self, *, dimensions: int) -> None:
        self._vector = records.stand_in(dimensions).tolist()
        self._whole: set[str] = set()
        self._split: set[str] = set()

    @property
    def is_split(self) -> bool:
        """Whether rows of another cutter were met."""
        return bool(self._split)

    def look(
        self, asking: Asking, shards: Sequence[str], space_of: Callable[[str], str], *, deadline: float | None
    ) -> dict[str, str]:
        """Find out whether there are rows of another cutter; returns the shards of which nothing was learned, and why.

        Such a one is looked at again at the next search; the others do not suffer by it.
        """
        unknown = {shard: space for shard in shards if (space := space_of(shard)) not in self._whole}
        if cutting.VERSION == records.FIRST_CUTTER or not unknown:
            return {}
        with asking.metered(units.QUERY, number=len(unknown)) as requests:
            told = asking.each(
                list(unknown), lambda shard: self._has_others(asking, requests, unknown[shard]), deadline=deadline
            )
        for shard, has_others in told.found.items():
            (self._split if has_others else self._whole).add(unknown[shard])
        return told.failed

    def mended(self, space: str) -> None:
        """All rows of a namespace were cut anew."""
        self._split.discard(space)

    def _has_others(self, asking: Asking, requests: MeteredRequests, space: str) -> bool:
        answer = asking.query(requests, space, vector=self._vector, top_k=1, filter=records.of_another_cutter())
        return bool(answer and answer.matches)
