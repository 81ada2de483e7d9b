"""The vector store interface: a shard is an index and namespace; every method works on one shard.

A row is visible to readers only while its edition, the version under the generation that wrote it, is its document's
active one in the tracking database, so a store may hold rows that are being written or deleted. `generation` grows with
every submission of a document and is part of a row's id: nobody's late write or delete can touch another's rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.editions import Edition
from embedmill.shared.errors import StorageFailed
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.metering import FreeMeter, Meter
from embedmill.shared.providers.blobs.base import BlobStore
from embedmill.shared.providers.vectorstores.places import Owner
from embedmill.shared.providers.vectorstores.rows import (
    EVERYTHING,
    Counted,
    Found,
    Selection,
    VectorRow,
)
from embedmill.shared.sealing.ring import PLAIN, KeyRing
from embedmill.shared.words.weighing import WordCounts, Wording


@dataclass(frozen=True, slots=True)
class ShardDescription:
    """What a shard says of itself."""

    shard: str
    vectors: int
    documents: int
    dimensions: int
    size_bytes: int


CountWords = Callable[[Sequence[int]], WordCounts]
"""How many rows and words an index version has, and how many rows hold each of some terms."""


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """What a store is opened with beside its URL.

    `home` is the home folder; `spills` opens where a store puts what is too large for its service, and without it such
    rows are refused; `meter` keeps the books of a service that bills its requests; `owner` says who opens it, so that
    two installations do not write to one place, and without it nobody asks; `count_words` counts for a store whose
    service cannot, and without it such a store reads all of its rows.
    """

    home: Path
    collection_key: str
    dimensions: int
    spills: Callable[[], BlobStore] | None = None
    meter: Meter = field(default_factory=FreeMeter)
    owner: Owner | None = None
    count_words: CountWords | None = None
    ring: KeyRing = PLAIN
    """The collection's keys, for what the store writes."""


class VectorStore(ABC):
    """All shards of one collection.

    Methods raise our errors, never a vendor's: StorageFailed for the machine's own disk, ProviderUnavailable for an
    answer that may be this request's fault, and FlowControl when a service refuses for now, does not answer, or has
    not caught up with what was written: that work waits, and uses up no attempt.
    """

    provider: str = ""
    """The vendor whose key the store needs; empty for one that needs none."""

    @property
    def lacks_words(self) -> str:
        """Why the store does not search by words, which then only order what is near in meaning; empty when it does."""
        return ""

    @classmethod
    @abstractmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        """One collection's store; raises SettingsError for a URL that makes no sense."""

    @property
    def key_hash(self) -> str:
        """Tells the key that requests use from others; empty without any."""
        return ""

    @property
    def endpoint(self) -> str:
        """Who answers in the place of the service that it is; empty for that, and for what is no service."""
        return ""

    @abstractmethod
    def upsert(self, shard: str, rows: Sequence[VectorRow]) -> None:
        """Write rows, all or none; what this generation wrote before is replaced, what others wrote stays."""

    @abstractmethod
    def delete_stale(self, shard: str, generations: Mapping[str, int]) -> int:
        """Delete rows of each document whose generation is below the given one; return how many went."""

    @abstractmethod
    def delete_ids(self, shard: str, ids: Sequence[str]) -> int:
        """Delete rows by id (repair of orphans); return how many went."""

    @abstractmethod
    def count_versions(self, shard: str, documents: Mapping[str, str]) -> dict[str, int]:
        """Rows held for each document in the version named for it, by whatever generation; 0 where none."""

    @abstractmethod
    def count_editions(self, shard: str, documents: Mapping[str, tuple[str, int]]) -> dict[str, int]:
        """Rows that a (version, generation) has written of each document, 0 where none: the check before a switch."""

    def score(self, shard: str, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, float]:
        """Cosine of the given rows, on the scale of `search_vectors`'s scores; unknown ids are absent.

        Fusion needs both scores of a candidate that one side alone found. Stores that can score by themselves override
        this, which fetches the vectors.
        """
        from embedmill.shared.providers.vectorstores import exact

        rows = self.fetch(shard, ids, with_vectors=True)
        return {id: exact.cosine(row, vector) for id, row in rows.items()}

    # One pass over all shards of an index version. A store with an engine of its own overrides these, and finds the
    # same rows with the same scores: they depend on what was indexed, not on the shards, the store or the depth. A
    # shard that fails or is late (`deadline`, on the monotonic clock) is named in the answer, and the others answer.

    def search_vectors(
        self,
        shards: Sequence[str],
        vector: NDArray[np.float32],
        *,
        top_k: int,
        selection: Selection = EVERYTHING,
        deadline: float | None = None,
    ) -> Found:
        """The nearest rows by cosine."""
        from embedmill.shared.providers.vectorstores import exact

        def scored(row: VectorRow) -> float:
            return exact.cosine(row, vector)

        return exact.search(shards, self._all_rows, scored, top_k=top_k, selection=selection, deadline=deadline)

    def search_words(
        self,
        shards: Sequence[str],
        wording: Wording,
        *,
        top_k: int,
        selection: Selection = EVERYTHING,
        deadline: float | None = None,
    ) -> Found:
        """The best rows by BM25, of those that hold any of the words."""
        from embedmill.shared.providers.vectorstores import exact

        def scored(row: VectorRow) -> float | None:
            return exact.word_score(row, wording)

        return exact.search(shards, self._all_rows, scored, top_k=top_k, selection=selection, deadline=deadline)

    def count_words(
        self,
        shards: Sequence[str],
        terms: Sequence[int],
        *,
        deadline: float | None = None,
        within: Condition | None = None,
    ) -> Counted:
        """How many rows there are, how many words they have, and how many of them hold each term.

        `within`: of the rows that meet it, as if there were no others.
        """
        from embedmill.shared.providers.vectorstores import exact

        return exact.count(shards, self._all_rows, terms, deadline=deadline, within=within)

    def score_words(self, shard: str, ids: Sequence[str], wording: Wording) -> dict[str, float]:
        """BM25 of the given rows, as `search_words` has it; rows without any of the words are absent."""
        from embedmill.shared.providers.vectorstores import exact

        scores = {id: exact.word_score(row, wording) for id, row in self.fetch(shard, ids).items()}
        return {id: score for id, score in scores.items() if score is not None}

    def find_terms(self, shard: str, ids: Sequence[str], terms: Sequence[int]) -> dict[str, frozenset[int]]:
        """Which of some terms each row holds; rows of which that is not known without their texts are absent."""
        del shard, ids, terms
        return {}

    def _all_rows(self, shard: str) -> Iterator[VectorRow]:
        return self.list_rows(shard, with_vectors=True)

    @abstractmethod
    def fetch(self, shard: str, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, VectorRow]:
        """Rows by id; unknown ids are absent; without vectors `vector` is empty."""

    @abstractmethod
    def fetch_documents(
        self, shard: str, documents: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, VectorRow]:
        """Every row of these documents, in every version, by id: what a move to another shard copies."""

    @abstractmethod
    def list_rows(
        self, shard: str, *, with_vectors: bool = False, page: int = 500, selection: Selection = EVERYTHING
    ) -> Iterator[VectorRow]:
        """Every row of the shard that is selected, ordered by id, streamed from one consistent view per page."""

    @abstractmethod
    def list_editions(self, shard: str) -> Iterator[tuple[str, Edition, int]]:
        """(document, edition, rows) for every edition held, by document: what `verify` compares with the tracker."""

    @abstractmethod
    def find_editions(self, shard: str, documents: Sequence[str]) -> list[tuple[str, Edition, int]]:
        """The same of some documents."""

    @abstractmethod
    def count(self, shard: str) -> int:
        """Rows in the shard."""

    @abstractmethod
    def describe(self, shard: str) -> ShardDescription:
        """Size and shape of a shard; zeros when nothing was written yet."""

    def examine(self, shard: str) -> None:
        """Read as much of a shard as tells whether it is whole; raises ShardDamaged, or what reading raises."""
        self.count(shard)

    def set_aside(self, shard: str) -> str:
        """Put a damaged shard where nobody reads it, so that it can be written anew; returns where it is kept.

        Raises StorageFailed where that is not possible.
        """
        raise StorageFailed(f"shard {shard} cannot be put aside", hint="Mend it in the vector store itself.")

    def cut_anew(self, shard: str, *, deadline: float | None = None) -> int:
        """Cut the words of rows anew that another version of the cutter cut, as far as there is time; returns how many.

        Stores that do so by themselves when words are wanted, or keep nothing of it, have nothing to do.
        """
        del shard, deadline
        return 0

    def reseal(self, shard: str) -> None:
        """Write anew, under the current key or plain, whatever a shard holds under another; nobody else writes to it.

        A store that encrypts nothing has nothing to do.
        """
        del shard

    def expunge(self, shard: str) -> str:
        """Remove from the disk whatever deleted rows left there, texts, words and fields; it may read all of the shard.

        Where a service keeps the rows, what becomes of deleted ones is the service's affair. Returns what this could
        not reach, in words; empty where there is nothing.
        """
        del shard
        return ""

    def copy(self, shard: str, folder: Path) -> list[str]:
        """Copy a shard's files as they are at one moment; returns their names, none where a service keeps the rows."""
        del shard, folder
        return []

    @abstractmethod
    def drop(self, shard: str) -> None:
        """Remove the shard and all it holds; no error when absent."""

    def check(self) -> str:
        """One line for `doctor` about the service behind the store; raises what the service raises."""
        return "in the home folder"

    def with_meter(self, meter: Meter) -> "VectorStore":
        """The same store, whose requests are accounted for by another meter; itself where nothing is billed."""
        return self

    def close(self) -> None:  # noqa: B027 - a store without files or connections has nothing to release
        """Release files and connections; the store is not used afterwards."""
