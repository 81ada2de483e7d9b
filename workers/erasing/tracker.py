"""The tracking database: rows of a document, what others say of it in passing, and the pages where both were."""

from collections import Counter

from embedmill.shared.db import traces
from embedmill.shared.db.traces import Doomed
from embedmill.shared.db.wiping import empty_log, wipe
from embedmill.shared.runtime import Runtime
from embedmill.workers.erasing.base import Done, ErasureRun, Left, require

WIPED = (
    "attempt bulk_entry claim dead_letter document erased_document feedback job kept_answer query_record review "
    "document_redaction document_subject sample scan scan_note source source_memory term usage verdict word_delta "
    "word_edition work"
).split()
"""Tables that are written anew on a server."""


AUDIT = Left(
    "the audit: who read, changed or erased documents, by their ids, which are hashes of their names; no text",
    "EMBEDMILL_AUDIT_KEEP_DAYS, where it is set",
)


def remove(run: ErasureRun) -> Done:
    """Remove every row about the documents; raises NotYetErased when one has come back meanwhile."""
    counts: Counter[str] = Counter()
    for some in run.walk():
        doomed = Doomed(some.collection_id, some.ids, some.known("jobs"))
        counts.update(run.runtime.database.transact(traces.remove_traces, doomed))
    known = sum(len(run.runtime.database.query(traces.find_uris, some.ids)) for some in run.walk())
    require(not known, f"{known} documents are known again")
    return Done(counts, [AUDIT] if run.runtime.settings.audit != "off" else [])


def clean(run: ErasureRun) -> Done:
    """See that the database's files hold nothing of deleted rows; raises StorageFailed while others are in the way."""
    left = wipe(run.runtime.database, WIPED)
    return Done({}, [Left("the tracking database", left)] if left else [])


def clean_up(runtime: Runtime) -> None:
    """The same of what an erasure knew itself, which is gone by then; raises StorageFailed."""
    empty_log(runtime.database, ("erasure", "erased_document"))
