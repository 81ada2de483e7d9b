"""What others call a collection's documents: by id, by URI, or by the end of a URI that is theirs alone."""

from collections.abc import Collection as Ids
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

from embedmill.shared.db import catalogue
from embedmill.shared.db.catalogue import DocumentFilter, DocumentSummary
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import DocumentState

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Named:
    """The documents' ids by the names that were given; `ambiguous` are names of several documents."""

    ids: dict[str, str]
    ambiguous: frozenset[str]


def resolve(runtime: Runtime, names: Ids[str], collection: str) -> Named:
    """The indexed documents that names stand for; raises NotFound for a collection that there is not.

    A name is a document's id, its URI, the path of a `file://` URI, what stands behind the `#` of one (the id of a
    row), or its last part (the name of a file). What comes first in this order is meant.
    """
    found: dict[str, dict[int, set[str]]] = {}
    for document in _indexed(runtime, collection):
        for rank, alias in enumerate(_aliases(document)):
            if alias in names:
                found.setdefault(alias, {}).setdefault(rank, set()).add(document.id)
    meant = {name: ranks[min(ranks)] for name, ranks in found.items()}
    ids = {name: next(iter(documents)) for name, documents in meant.items() if len(documents) == 1}
    return Named(ids, frozenset(name for name in meant if name not in ids))


def _aliases(document: DocumentSummary) -> Iterator[str]:
    path = unquote(document.uri.removeprefix("file://"))
    before, _, fragment = path.rpartition("#")
    yield from (document.id, document.uri, path, fragment if before else path, path.rsplit("/", 1)[-1])


def _indexed(runtime: Runtime, collection: str) -> Iterator[DocumentSummary]:
    wanted, after = DocumentFilter(collection=collection), None
    while True:
        page = runtime.database.query(partial(catalogue.list_documents, wanted=wanted, limit=PAGE, after=after))
        yield from (found for found in page.documents if found.state is DocumentState.INDEXED)
        if (after := page.next) is None:
            return
