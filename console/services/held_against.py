"""Sources held against the index, without anything being recorded: which of their documents are as readers see them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from embedmill.producers.submission import called
from embedmill.shared.access.labels import labelled
from embedmill.shared.addresses import document_id, version_id
from embedmill.shared.db import claims, documents, scans
from embedmill.shared.runtime import Runtime

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Document, Item, ReadContext, Remark, Source
    from embedmill.shared.db.collections import Collection


class CollectionIndex:
    """What a collection has, which may not be there yet."""

    def __init__(self, runtime: Runtime, name: str, found: "Collection | None") -> None:
        self._runtime = runtime
        self._name = name
        self._found = found
        self._known_by = "" if found is None else runtime.fingerprint(found)

    def id_of(self, uri: str) -> str:
        """The document's id."""
        return document_id(self._name, uri)

    def find_source(self, source: "Source") -> int | None:
        """The number of a source that was read before."""
        if (found := self._found) is None:
            return None
        return self._runtime.database.query(
            lambda c: scans.find_source_id(c, found.id, source.identity, former=source.former_identity)
        )

    def called(self, sources: "Sequence[Source]") -> "list[Source]":
        """The sources as they are called beside those that the collection has."""
        return called(self._runtime.database, self._found.id, sources) if self._found else list(sources)

    def context(self, source: "Source", limit: int | None) -> "ReadContext":
        """With what the source has kept, if it was read before; what it would keep now is forgotten."""
        from embedmill.producers.memory import StoredMemory
        from embedmill.producers.sources.base import ReadContext
        from embedmill.producers.sources.memory import Memory
        from embedmill.producers.trying import TrialMemory
        from embedmill.producers.turns import SharedTurns

        known = self.find_source(source)
        context = partial(ReadContext, settings=self._runtime.settings, turns=SharedTurns(self._runtime.database))
        if not known:
            return context(TrialMemory(Memory()), limit)
        memory = TrialMemory(StoredMemory(self._runtime.database, known, self._runtime.vault))
        return context(memory, limit, self._settled_in(known))

    def _settled_in(self, source_id: int) -> Callable[[Sequence[str]], frozenset[str]]:
        def find(uris: Sequence[str]) -> frozenset[str]:
            ids = {self.id_of(uri): uri for uri in uris}
            found = self._runtime.database.query(
                lambda c: claims.find_settled(c, source_id, list(ids), settings_hash=self._known_by)
            )
            return frozenset(ids[id_] for id_ in found)

        return find

    def resolve(self, items: "Sequence[Item | Remark]", source_id: int | None) -> "list[Item | Remark]":
        """The same with what a source has and cannot read, and does not claim, as what is skipped."""
        from embedmill.producers.sources.base import Kept, as_missing

        kept = [self.id_of(item.uri) for item in items if isinstance(item, Kept) and item.skipped_if_new]
        if not kept:
            return list(items)
        claimed = set()
        if source_id is not None:
            found = self._runtime.database.query(lambda c: claims.find_claimed(c, source_id, kept))
            claimed = set(found)
        return [
            as_missing(item)
            if isinstance(item, Kept) and item.skipped_if_new and self.id_of(item.uri) not in claimed
            else item
            for item in items
        ]

    def find_read(self, items: "Sequence[Document]") -> dict[str, documents.ReadVersion]:
        """What readers see of each document, by its id; nothing of those that they do not see."""
        ids = [self.id_of(item.uri) for item in items]
        if self._found is None:
            return {}
        return self._runtime.database.query(lambda c: documents.find_read_versions(c, ids))

    def is_as(self, item: "Document", read: documents.ReadVersion) -> bool:
        """Whether readers see a document as a source has it."""
        content = read.content_of(item.content_hash, getattr(item, "state", ""))
        return read.version == version_id(content, labelled(self._known_by, read.labels))
