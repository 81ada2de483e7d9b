"""Owns whether all rows of an index were cut by one cutter: what a query's words are for others nobody knows."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from embedmill.shared.addresses import digest
from embedmill.shared.providers.vectorstores.metering import MeteredRequests
from embedmill.shared.providers.vectorstores.pinecone import records, units
from embedmill.shared.providers.vectorstores.pinecone.asking import Asking
from embedmill.shared.sqlite_files import is_writable
from embedmill.shared.words import cutting

COSINE_INDEX = (
    "the Pinecone index compares by cosine and keeps no words: what is near in meaning is ordered by its words too"
)
SPLIT_INDEX = (
    "the words of some rows were cut by another version of the cutter: what is near in meaning is ordered by its words "
    "too, and `embedmill verify --repair` cuts them anew"
)
FOLDER = "pinecone"
BELIEVED_SECONDS = 86_400.0
NEW_INDEX = "For a search by words name an index in EMBEDMILL_VECTOR_URL that is not there yet, and ingest again"


class KnownWhole:
    """Which namespaces a home knows to be whole: a file for each, with the version of the cutter, for other processes.

    `index` tells the index from all others that there are. It is believed for a day: a fleet may have workers of an
    older release, which write rows of their own cutter.
    """

    def __init__(self, home: Path | None, index: str) -> None:
        self._folder = home / FOLDER if home else None
        self._index = index

    def has(self, space: str) -> bool:
        """Whether all rows were of today's cutter within the last day."""
        try:
            file = self._file(space)
            return file is not None and 0 <= time.time() - file.stat().st_mtime < BELIEVED_SECONDS and _says(file)
        except OSError:
            return False

    def keep(self, space: str) -> None:
        """Note that they are, where the home can be written."""
        if (file := self._file(space)) is not None and is_writable(file.parent.parent):
            with suppress(OSError):
                file.parent.mkdir(exist_ok=True)
                file.write_text(str(cutting.VERSION))

    def forget(self, space: str) -> None:
        """Note that they are not."""
        if (file := self._file(space)) is not None:
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def _file(self, space: str) -> Path | None:
        return self._folder and self._folder / digest("whole", self._index, space)


def _says(file: Path) -> bool:
    return file.read_text() == str(cutting.VERSION)


class Wholeness:
    """What is known of the namespaces of one index. A look costs a query: there is one for each, once."""

    def __init__(self, *, dimensions: int, kept: KnownWhole) -> None:
        self._vector = records.stand_in(dimensions).tolist()
        self._kept = kept
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
        if cutting.VERSION == records.FIRST_CUTTER:
            return {}
        unknown = {shard: space for shard in shards if not self._is_whole(space := space_of(shard))}
        if not unknown:
            return {}
        with asking.metered(units.QUERY, number=len(unknown)) as requests:
            told = asking.each(
                list(unknown), lambda shard: self._has_others(asking, requests, unknown[shard]), deadline=deadline
            )
        for shard, has_others in told.found.items():
            (self._note_split if has_others else self._note_whole)(unknown[shard])
        return told.failed

    def met(self, space: str, found: Iterable[Any]) -> None:
        """Rows came along with an answer: any of another cutter tells."""
        if cutting.VERSION != records.FIRST_CUTTER and any(map(records.is_of_another_cutter, found)):
            self._note_split(space)

    def mended(self, space: str) -> None:
        """All rows of a namespace were cut anew."""
        self._split.discard(space)

    def _is_whole(self, space: str) -> bool:
        if space not in self._whole and space not in self._split and self._kept.has(space):
            self._whole.add(space)
        return space in self._whole

    def _note_whole(self, space: str) -> None:
        self._whole.add(space)
        self._kept.keep(space)

    def _note_split(self, space: str) -> None:
        self._split.add(space)
        self._whole.discard(space)
        self._kept.forget(space)

    def _has_others(self, asking: Asking, requests: MeteredRequests, space: str) -> bool:
        answer = asking.query(requests, space, vector=self._vector, top_k=1, filter=records.of_another_cutter())
        return bool(answer and answer.matches)
