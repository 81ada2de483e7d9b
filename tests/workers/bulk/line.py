"""A worker and a scheduler in this process: documents go through the real stages, batches through the real batcher."""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from embedmill.shared.db import jobs
from embedmill.shared.db.bulk_batches import BulkBatch, list_batches
from embedmill.shared.db.schema import bulk_entry, bulk_wait, usage
from embedmill.shared.ledger import Lane
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.states import FINAL
from embedmill.simulators.base import Simulator
from embedmill.workers.chores.batcher import Batcher
from embedmill.workers.chores.dispatcher import dispatch
from embedmill.workers.executor import execute
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.chunk import chunk
from embedmill.workers.stages.embed import embed
from embedmill.workers.stages.index import index
from embedmill.workers.stages.validate import validate
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until

STAGES = {"chunk": chunk, "validate": validate, "embed": embed, "index": index}
DAY_SECONDS = 86_400.0

S = TypeVar("S", bound=Simulator)


class Line(Generic[S]):
    """`vendor` is the simulated one, whose clock it moves."""

    def __init__(self, runtime: WorkerRuntime, tracker: Tracker, vendor: S) -> None:
        self.runtime = runtime
        self.tracker = tracker
        self.vendor = vendor
        self.batcher = Batcher(runtime)

    def submit(self, folder: Path, texts: Mapping[str, str], *, job: int | None = None) -> None:
        """A document for each text."""
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name}.txt").write_text(text)
        self.tracker.submit([(folder / f"{name}.txt").as_uri() for name in texts], job=job)
        self.tracker.end_scan(job)

    def work(self) -> None:
        """Run stages until nothing is ready."""
        while messages := deque(dispatch(self.runtime.database, self.runtime.settings)):
            while messages:
                message = messages.popleft()
                execute(self.runtime, message, STAGES[message.stage], messages.append)

    def worked(self) -> bool:
        """Work, as a condition to wait for."""
        self.work()
        return True

    def park(self) -> None:
        """Work until everything waits, and see that it does for batches."""
        self.work()
        assert self.reasons() == {"bulk"}, self.tracker.rows()

    def round(self) -> int:
        """What the batcher does at its next turn, with everything due."""
        return self.batcher.run_round()

    def finish(self, *, seconds: float = 3600.0, rounds: int = 60) -> None:
        """Work and let batches end until every document has."""
        for _ in range(rounds):
            self.work()
            if not self.unfinished():
                return
            self.round()
            self.vendor.clock.advance(seconds)
        raise AssertionError(f"{self.unfinished()} is not finished: {self.batches()}")

    def settle(self) -> None:
        """Let what is left of batches be cleared away."""
        known = {batch.id for batch in self.batches()}

        def have_ended() -> bool:
            self.round()
            return all(batch.ended_at is not None for batch in self.batches() if batch.id in known)

        wait_until(have_ended, "all batches have ended")

    def unfinished(self) -> list[dict[str, Any]]:
        return [row for row in self.tracker.rows() if row["state"] not in FINAL]

    def reasons(self) -> set[str]:
        return {str(row["wait_reason"] or row["state"]) for row in self.unfinished()}

    def batches(self) -> list[BulkBatch]:
        """All batches, the first first."""
        with self.runtime.database.read() as connection:
            return list_batches(connection)[::-1]

    def states(self) -> list[str]:
        return [str(batch.state) for batch in self.batches()]

    def entries(self) -> list[dict[str, Any]]:
        return self.tracker.rows(bulk_entry)

    def waits(self) -> list[dict[str, Any]]:
        return self.tracker.rows(bulk_wait)

    def ledger(self, *states: str) -> list[dict[str, Any]]:
        """Rows of the ledger that are, or were to be, for money."""
        rows = [r for r in self.tracker.rows(usage) if r["price"] != "free" or r["state"] == "released"]
        return [row for row in rows if not states or row["state"] in states]

    def paid(self, column: str = "tokens_in") -> int:
        return sum(row[column] for row in self.ledger("settled"))

    def change(self, **settings: Any) -> None:
        """Change settings of this process."""
        self.runtime.settings = self.runtime.settings.model_copy(update=settings)
        self.batcher._client = None

    def set_lane(self, lane: Lane) -> None:
        with self.runtime.database.write() as connection:
            jobs.update_job(connection, self.tracker.job, lane=lane)

    def stored(self) -> dict[str, VectorRow]:
        """What the store holds, by file name and chunk."""
        rows = self.runtime.store(self.runtime.collection(1)).list_rows("v1-000", with_vectors=True)
        return {f"{Path(row.uri).stem}/{row.ordinal}": row for row in rows}

    def outcomes(self) -> dict[str, str]:
        """How each document ended, by file name."""
        from embedmill.shared.db.schema import document

        uris = {row["id"]: Path(row["uri"]).stem for row in self.tracker.rows(document)}
        return {uris[row["document_id"]]: row["result"] or row["state"] for row in self.tracker.rows()}

    def close(self) -> None:
        self.batcher.close(seconds=5.0)
