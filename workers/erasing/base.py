"""What the steps of an erasure share: its documents by collection, and how a step says what it did or waits for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

from embedmill.shared.db import erasures
from embedmill.shared.db.collections import Collection, find_collection_by_id, list_index_versions
from embedmill.shared.db.erasures import ErasedDocument, Erasure
from embedmill.shared.errors import NotYetErased
from embedmill.shared.paging import walk
from embedmill.shared.runtime import Runtime

PAGE = 500
"""Documents that are erased together."""


@dataclass(frozen=True, slots=True)
class Left:
    """What may hold something of a document afterwards, which nobody here can reach, and how long."""

    where: str
    until: str


@dataclass(frozen=True, slots=True)
class Done:
    """What a step did: numbers by what they count, and what is left. When it was over, later steps may want to know.

    `at` is by the database's clock.
    """

    did: Mapping[str, int] = field(default_factory=dict)
    left: Sequence[Left] = ()
    at: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """As the receipt has it."""
        return {
            "did": {name: count for name, count in self.did.items() if count},
            "left": [{"where": left.where, "until": left.until} for left in self.left],
        }


@dataclass(frozen=True, slots=True)
class Some:
    """Some documents of one collection; None when that is gone, and its documents and vectors with it."""

    collection_id: int
    collection: Collection | None
    documents: Sequence[ErasedDocument]

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return [document.document_id for document in self.documents]

    def known(self, name: str) -> list[Any]:
        """What their work referred to, all together."""
        return sorted({value for document in self.documents for value in (document.known or {}).get(name, ())})


@dataclass(frozen=True, slots=True)
class ErasureRun:
    """An erasure that this process carries out."""

    runtime: Runtime
    erasure: Erasure

    def walk(self) -> Iterator[Some]:
        """All documents, a page at a time, those of a collection together."""
        database = self.runtime.database

        def find(after: str) -> list[ErasedDocument]:
            return database.query(partial(erasures.list_erased, id=self.erasure.id, after=after, limit=PAGE))

        for page in walk(find, key=lambda document: document.document_id):
            by_collection = sorted(page, key=lambda document: document.collection_id)
            for collection_id, some in groupby(by_collection, key=lambda document: document.collection_id):
                collection = database.query(find_collection_by_id, collection_id)
                yield Some(collection_id, collection, list(some))

    def versions(self, collection: Collection) -> list[Collection]:
        """A collection as each of its index versions has it."""
        return self.runtime.database.query(list_index_versions, collection)

    def ended_at(self, step: str) -> float:
        """When an earlier step was over, by the database's clock."""
        return float(self.erasure.progress[f"{step} ended"])


def require(condition: bool, waits_for: str) -> None:  # noqa: FBT001 - it reads as an assertion
    """Raise NotYetErased unless something is so."""
    if not condition:
        raise NotYetErased(waits_for)
