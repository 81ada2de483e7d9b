"""What was erased stays out when a source still has it: who finds that out, and how a job says so."""

from collections.abc import Mapping, Sequence
from typing import Any

from embedmill.producers.sources.base import Document
from embedmill.shared.db.collections import Collection as DocumentCollection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.submission import Submission
from embedmill.shared.db.tombstones import SHOWN_CHARACTERS, Barred, NamedDocument, find_barred
from embedmill.shared.erasing import explain
from embedmill.shared.privacy.document_seals import DocumentSeals
from embedmill.shared.runtime import Runtime


def find_erased(
    connection: Connection, submissions: Sequence[Submission], *, runtime: Runtime, collection: DocumentCollection
) -> Mapping[str, Barred]:
    """Why some submissions stay out, given by their documents' ids."""
    coming = [NamedDocument(s.document_id, collection.name, s.content_hash, s.uri) for s in submissions]
    return find_barred(connection, runtime.marker, coming)


def find_items(runtime: Runtime, collection: DocumentCollection, items: Mapping[str, Document]) -> Mapping[str, Barred]:
    """The same of what a source has, given by id."""
    seals = DocumentSeals(runtime.vault, collection.id)
    coming = [
        NamedDocument(id, collection.name, seals.content_hash(item.content_hash), item.uri)
        for id, item in items.items()
    ]
    return runtime.database.query(find_barred, runtime.marker, coming)


def note(barred: Barred) -> dict[str, Any]:
    """A job's note of a document that stays out. It names the mark: the document's own name was erased, too."""
    shown = barred.mark[:SHOWN_CHARACTERS]
    reason = explain(barred.kind, barred.since)
    return {"kind": "skipped", "uri": f"erased:{shown}", "line": None, "reason": reason}
