"""Which documents a user means: named, or those of a query; by pages, because there may be very many."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from embedmill.console.services.document_names import document_names
from embedmill.console.services.documents import DocumentQuery, want_documents
from embedmill.shared.addresses import document_id
from embedmill.shared.db import catalogue, named
from embedmill.shared.db.catalogue import DocumentFilter, DocumentSummary
from embedmill.shared.db.collections import list_collections
from embedmill.shared.errors import UsageError
from embedmill.shared.runtime import Runtime
from embedmill.shared.spellings import one_spelling

PAGE = 2000


@dataclass(frozen=True, slots=True)
class Called:
    """Documents that were named: id and URI of each, and by name the URI of those that are spelled otherwise."""

    documents: Mapping[str, str]
    spelled: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which documents are meant; `spelled` as of those that are named."""

    wanted: DocumentFilter
    spelled: Mapping[str, str] = field(default_factory=dict)


def choose(runtime: Runtime, names: Sequence[str], query: DocumentQuery) -> Choice:
    """The documents by id, URI or path, or those of a query; raises UsageError for both or neither, NotFound."""
    if bool(names) == (not query.is_everything):
        raise UsageError("name documents, or give --where; not both, and not neither")

    if not names:
        return Choice(runtime.database.query(partial(want_documents, runtime, query=query)))
    called = find_called(runtime, names, query)
    return Choice(DocumentFilter(ids=list(called.documents)), called.spelled)


def walk_documents(runtime: Runtime, wanted: DocumentFilter) -> Iterator[list[DocumentSummary]]:
    """Their pages."""
    after: str | None = None
    while True:
        page = runtime.database.query(partial(catalogue.list_documents, wanted=wanted, limit=PAGE, after=after))
        yield page.documents
        if (after := page.next) is None:
            return


def find_called(runtime: Runtime, names: Sequence[str], query: DocumentQuery) -> Called:
    """Those that are named, also one that left the index and of which rows are kept; raises NotFound, UserError."""
    names_of = [document_names(runtime, name) for name in names]
    find = partial(named.find_documents, named=names_of, collection=query.collection)
    rows = [row for row, _ in runtime.database.query(find)]
    pairs = zip(names_of, rows, strict=True)
    spelled = {each[0]: row.uri for each, row in pairs if not {row.id, row.uri} & set(each)}
    return Called({row.id: row.uri for row in rows}, spelled)


def name_ids(runtime: Runtime, names: Sequence[str], *, collection: str | None) -> list[str]:
    """The ids that documents of these names have, or had, in every collection or in one."""
    known = [c.name for c in runtime.database.query(list_collections) if collection in (None, c.name)]
    spelled = [spelling for name in names for spelling in document_names(runtime, name)]
    named = dict.fromkeys([*spelled, *map(one_spelling, spelled)])
    return [*spelled, *(document_id(place, name) for place in known for name in named)]
