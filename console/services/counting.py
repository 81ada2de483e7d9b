"""What sources come to, by reading every document that is new or changed; nothing is stored."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from embedmill.console.services.measuring import Measured, Measurer, Outline, Totals
from embedmill.console.services.noticing import Noticed
from embedmill.shared.addresses import document_id, version_id
from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db import documents
from embedmill.shared.errors import DocumentError, ParserCrashed
from embedmill.shared.loading import Loaded, Loading, Located
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.estimates import ValidationLoad

if TYPE_CHECKING:
    from embedmill.producers.sources.base import FileItem, Item, Remark, RowItem
    from embedmill.shared.db.collections import Collection
    from embedmill.workers.chunking import ChunkSet
    from embedmill.workers.parsing.sandbox import Parser

ITEMS = 256


class DocumentCounter:
    """Reads every document that is new or changed, and counts."""

    def __init__(
        self, runtime: Runtime, parser: "Parser", name: str, found: "Collection | None", noticed: Noticed
    ) -> None:
        chosen = runtime.settings
        self.settings = (
            read_collection_settings(found.settings)
            if found is not None
            else CollectionSettings(chosen.embedding, chosen.validator, chosen.validation_policy)
        )
        self.unchanged = self.skipped = 0
        self.problems: list[str] = []
        self._runtime = runtime
        self._name = name
        self._noticed = noticed
        self._known_by = None if found is None else runtime.fingerprint(found)
        self._measurer = Measurer(runtime, self.settings, parser)
        outline = Outline.read(runtime, self.settings, found)
        self._forecast = outline.forecast() if outline.asks else None
        self._totals = Totals()

    def take_all(self, source: "Iterable[Item | Remark]") -> None:
        """Everything in a source."""
        items = iter(source)
        while some := list(islice(items, ITEMS)):
            self._take(some)

    def _take(self, items: "Sequence[Item | Remark]") -> None:
        from embedmill.producers.sources.base import FileItem, Problem, RowItem, Skipped

        for item in items:
            if not isinstance(item, FileItem | RowItem):
                self.skipped += isinstance(item, Skipped | Problem)
                self._noticed.add(item)
        changed = self._changed([item for item in items if isinstance(item, FileItem | RowItem)])
        files = [Located(item.uri, item.origin) for item in changed if isinstance(item, FileItem)]
        loading = Loading(self._runtime, files)
        for document in changed:
            self._count(document, loading)

    def measured(self) -> Measured:
        """What was counted."""
        asked = self._forecast.finish() if self._forecast else ValidationLoad()
        return Measured(self._totals, asked, int(self._totals.documents))

    def _changed(self, items: "Sequence[FileItem | RowItem]") -> "list[FileItem | RowItem]":
        """Without those that are indexed as they are."""
        if self._known_by is None:
            return list(items)
        ids = {item.uri: document_id(self._name, item.uri) for item in items}
        active = self._runtime.database.query(lambda c: documents.find_active_versions(c, list(ids.values())))
        changed = [i for i in items if active.get(ids[i.uri]) != version_id(i.content_hash, self._known_by)]
        self.unchanged += len(items) - len(changed)
        return changed

    def _count(self, item: "FileItem | RowItem", loading: Loading) -> None:
        try:
            chunk_set = self._split(item, loading)
        except (DocumentError, ParserCrashed) as error:
            self._totals += Totals(documents=1, unreadable=1)
            self.problems.append(f"{item.uri}: {error}")
            return
        if self._forecast is not None:
            self._forecast.add(chunk_set, item.uri)
        self._totals += self._measurer.measure(chunk_set)

    def _split(self, item: "FileItem | RowItem", loading: Loading) -> "ChunkSet":
        from embedmill.producers.sources.base import RowItem

        loaded = (
            Loaded("the row", text=item.text)
            if isinstance(item, RowItem)
            else loading.load(Located(item.uri, item.origin))
        )
        return self._measurer.split(loaded, uri=item.uri, title=item.title or "")
