"""What sources come to, by reading every document that is new or changed; nothing is stored.

Of documents that would have to be fetched to be read, and of which the source only told a state, some are read where
there are many.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from embedmill.console.services.held_against import CollectionIndex
from embedmill.console.services.measures import MeasuredDocuments, Measurer, Outline, Totals
from embedmill.console.services.measuring import ListedDocuments
from embedmill.console.services.noticing import Noticed
from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db.sizes import SizedDocument
from embedmill.shared.errors import DocumentError, ParserCrashed
from embedmill.shared.loading.loaders import Loaded, Loading, Located, name_by_type
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.estimates import ValidationLoad

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Document, Item, Remark, Source
    from embedmill.shared.db.collections import Collection
    from embedmill.workers.chunking import ChunkSet
    from embedmill.workers.parsing.sandbox import Parser

ITEMS = 256
EACH_FETCHED = 100
"""So many documents of a bucket are all read."""


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
        self._noticed = noticed
        self._index = CollectionIndex(runtime, name, found)
        self._measurer = Measurer(runtime, self.settings, parser, found)
        self._outline = Outline.read(runtime, self.settings, found)
        self._forecast = self._outline.forecast() if self._outline.asks else None
        self._totals = Totals()
        self._fetched = ListedDocuments()

    def take_all(self, sources: "Sequence[Source]", *, limit: int | None = None) -> None:
        """Everything in some sources, or so many documents of each."""
        for source in self._index.called(sources):
            items = source.scan(self._index.context(source, limit))
            source_id = self._index.find_source(source)
            while some := list(islice(items, ITEMS)):
                self._take(self._index.resolve(some, source_id))

    def _take(self, items: "Sequence[Item | Remark]") -> None:
        from embedmill.producers.sources.base import FileItem, HeldItem, Kept, Problem, RowItem, Skipped

        for item in items:
            if isinstance(item, FileItem | RowItem | HeldItem):
                continue
            self.unchanged += isinstance(item, Kept)
            self.skipped += isinstance(item, Skipped | Problem)
            if item.reason:
                self._noticed.add(item)
        changed = self._changed([item for item in items if isinstance(item, FileItem | RowItem | HeldItem)])
        here: list[Document] = []
        for item in changed:
            if isinstance(item, FileItem) and not item.content_hash:
                sized = SizedDocument(item.uri, item.title or "", max(1, item.size), item.origin, is_split=False)
                self._fetched.add(sized)
            else:
                here.append(item)
        loading = Loading(
            self._runtime, [Located(item.uri, item.origin) for item in here if isinstance(item, FileItem)]
        )
        for document in here:
            self._count(document.uri, partial(self._split, document, loading))

    def measured(self) -> MeasuredDocuments:
        """What was counted, and what the documents come to that were only listed."""
        sampled = MeasuredDocuments(Totals(), ValidationLoad(), 0)
        if self._fetched.documents > EACH_FETCHED:
            sampled = self._fetched.measure(self._measurer, self._outline)
        else:
            for one in self._fetched.some:
                self._count(one.uri, partial(self._measurer.split_listed, one))
        read = int(self._totals.documents) + sampled.read
        asked = (self._forecast.finish() if self._forecast else ValidationLoad()) + sampled.asked
        return MeasuredDocuments(self._totals + sampled.totals, asked, read)

    def _changed(self, items: "Sequence[Document]") -> "list[Document]":
        """Without those that are indexed as they are."""
        read = self._index.find_read(items)
        known = {item.uri: read.get(self._index.id_of(item.uri)) for item in items}
        changed = [item for item in items if not ((v := known[item.uri]) and self._index.is_as(item, v))]
        self.unchanged += len(items) - len(changed)
        return changed

    def _count(self, uri: str, split: "Callable[[], ChunkSet]") -> None:
        try:
            chunk_set = split()
        except (DocumentError, ParserCrashed) as error:
            self._totals += Totals(documents=1, unreadable=1)
            self.problems.append(f"{uri}: {error}")
            return
        if self._forecast is not None:
            self._forecast.add(chunk_set, uri)
        self._totals += self._measurer.measure(chunk_set)

    def _split(self, item: "Document", loading: Loading) -> "ChunkSet":
        from embedmill.producers.sources.base import HeldItem, RowItem

        match item:
            case RowItem():
                loaded = Loaded("the row", text=item.text)
            case HeldItem():
                loaded = Loaded("the source", item.data, name=name_by_type(item.uri, item.media_type))
            case _:
                loaded = loading.load(Located(item.uri, item.origin))
        return self._measurer.split(loaded, uri=item.uri, title=item.title or "")
