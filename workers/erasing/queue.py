"""The first step: nobody has a document in hand any more, and what its work referred to is written down."""

from collections.abc import Sequence
from functools import partial

from embedmill.shared.db import erasures, withdrawing
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.erasures import ErasedDocument
from embedmill.workers.erasing.base import Done, ErasureRun, require


def withdraw(run: ErasureRun) -> Done:
    """Take documents out of the queue, and wait for those whose batches are under way; raises NotYetErased."""
    transact = run.runtime.database.transact
    left = sum(transact(partial(_take, erasure_id=run.erasure.id, documents=some.documents)) for some in run.walk())
    require(not left, f"{left} documents are in workers' hands")
    return Done()


def _take(connection: Connection, erasure_id: str, documents: Sequence[ErasedDocument]) -> int:
    ids = [document.document_id for document in documents]
    found = withdrawing.gather(connection, ids)
    known = {d.document_id: withdrawing.merged(d.known, found[d.document_id]) for d in documents}
    erasures.know(connection, erasure_id, known)
    return withdrawing.take_work(connection, ids)
