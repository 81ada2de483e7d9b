"""What is at a vendor: batches that hold a document's text are stopped, collected as far as they came, and deleted."""

from collections.abc import Sequence
from contextlib import closing
from functools import partial

from embedmill.shared.db import bulk_batches, bulk_items, vendors
from embedmill.shared.db.engine import Connection
from embedmill.workers.bulk.client import BatchClient
from embedmill.workers.bulk.collecting import Collector
from embedmill.workers.erasing.base import Done, ErasureRun, Left, require

ELSEWHERE = "as its terms say: what it keeps for its own purposes has no API that deletes it"
UNTIL = {"anthropic": f"{ELSEWHERE}; results of batches are deleted", "openai": f"{ELSEWHERE}; files are deleted"}


def recall(run: ErasureRun) -> Done:
    """Delete batches; raises NotYetErased while a vendor has one.

    Others whose texts were in such a batch keep what was answered of them, and are asked about again as far as not:
    what was not answered was not billed.
    """
    open_ = [batch for some in run.walk() for batch in _stop(run, some.ids)]
    if open_:
        with closing(BatchClient(run.runtime)) as client:
            Collector(client, may_act=lambda: True).step_all()
    left = run.runtime.database.query(vendors.count_open, open_)
    require(not left, f"{left} batches at vendors are not deleted yet")
    for some in run.walk():
        run.runtime.database.transact(partial(_forget_items, ids=some.ids))
    asked = sorted({name for some in run.walk() for name in _find_vendors(run, some.known("jobs"))})
    return Done({"batches": len(open_)}, [Left(name, UNTIL.get(name, ELSEWHERE)) for name in asked])


def _stop(run: ErasureRun, ids: Sequence[str]) -> list[int]:
    def stop(connection: Connection) -> list[int]:
        found = vendors.find_open_batches(connection, ids)
        bulk_batches.note_unwanted(connection, found)
        return found

    return run.runtime.database.transact(stop)


def _forget_items(connection: Connection, ids: Sequence[str]) -> None:
    """Whoever waits for the same text asks anew."""
    items = vendors.find_items(connection, ids)
    vendors.reopen(connection, items)
    bulk_items.drop_lost(connection, items)


def _find_vendors(run: ErasureRun, jobs: Sequence[int]) -> set[str]:
    """Those that were sent texts; a vector store is asked by another step."""
    store = run.runtime.settings.vector_url.partition(":")[0]
    return run.runtime.database.query(vendors.find_asked, jobs) - {store}
