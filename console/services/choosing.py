"""Which documents a user means: named, or those of a query; by pages, because there may be very many."""

from collections.abc import Iterator, Sequence
from functools import partial

from embedmill.console.services.document_names import document_names
from embedmill.console.services.documents import DocumentQuery, want_documents
from embedmill.shared.addresses import document_id
from embedmill.shared.db import catalogue, histories
from embedmill.shared.db.catalogue import DocumentFilter, DocumentSummary
from embedmill.shared.db.collections import list_collections
from embedmill.shared.db.engine import Connection
from embedmill.shared.errors import UsageError
from embedmill.shared.runtime import Runtime
from embedmill.shared.spellings import one_spelling

PAGE = 2000


def choose(runtime: Runtime, names: Sequence[str], query: DocumentQuery) -> DocumentFilter:
    """The documents by id, URI or path, or those of a query; raises UsageError for both or neither, NotFound."""
    if bool(names) == (not query.is_everything):
        raise UsageError("name documents, or give --where; not both, and not neither")

    named = [document_names(runtime, name) for name in names]

    def find(connection: Connection) -> DocumentFilter:
        if not names:
            return want_documents(runtime, connection, query)
        found = [histories.find_document(connection, each, collection=query.collection)[0] for each in named]
        return DocumentFilter(ids=list(dict.fromkeys(row.id for row in found)))

    return runtime.database.query(find)


def walk_documents(runtime: Runtime, wanted: DocumentFilter) -> Iterator[list[DocumentSummary]]:
    """Their pages."""
    after: str | None = None
    while True:
        page = runtime.database.query(partial(catalogue.list_documents, wanted=wanted, limit=PAGE, after=after))
        yield page.documents
        if (after := page.next) is None:
            return


def choose_documents(runtime: Runtime, names: Sequence[str], query: DocumentQuery) -> Iterator[tuple[str, str]]:
    """Id and URI of each; of those that are named, also of one that left the index and of which rows are kept."""
    if names:
        named = [document_names(runtime, name) for name in names]

        def find(connection: Connection) -> dict[str, str]:
            rows = [histories.find_document(connection, each, collection=query.collection)[0] for each in named]
            return {row.id: row.uri for row in rows}

        yield from runtime.database.query(find).items()
        return
    for page in walk_documents(runtime, choose(runtime, names, query)):
        yield from ((listed.id, listed.uri) for listed in page)


def name_ids(runtime: Runtime, names: Sequence[str], *, collection: str | None) -> list[str]:
    """The ids that documents of these names have, or had, in every collection or in one."""
    known = [c.name for c in runtime.database.query(list_collections) if collection in (None, c.name)]
    spelled = [spelling for name in names for spelling in document_names(runtime, name)]
    named = dict.fromkeys([*spelled, *map(one_spelling, spelled)])
    return [*spelled, *(document_id(place, name) for place in known for name in named)]
