"""A random walk over files, rows, objects, scans, workers and operators, held against a simple model of the index.

Everything is the product's own but the processes: scans are stepped batch by batch, so that any number of them is
between two transactions at a time, and stages are stood for by what they write to the database. The model knows only
the disk, when it changed, and what scans have made durable. It is asked where it must be right: after all work is done,
about files that have not changed since a scan met them, and, after every source was read once more, about everything.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import select, update

from embedmill.producers.departing import close_source, delete_documents
from embedmill.producers.reading import Reading
from embedmill.producers.scanning import SourceScan, end_departed
from embedmill.producers.sources.base import Source
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import gather_options
from embedmill.producers.submission import Submitted, Submitter, ensure_collection
from embedmill.shared.addresses import document_id
from embedmill.shared.configuration import load_settings
from embedmill.shared.db import jobs, leases, rescues
from embedmill.shared.db.engine import Database
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.schema import chore, claim, document, job, source
from embedmill.shared.db.schema import work as work_table
from embedmill.shared.errors import ScanStopped, UserError
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import JobState, State
from tests.producers.memory_bucket import MemoryBucket
from tests.producers.walked import BUCKET, FILES, OBJECTS, PREFIX, ROWS, TABLE, WalkedPlaces
from tests.producers.worked import WalkedWork

COMMANDS = (
    ("docs",),
    ("docs", "one.jsonl"),
    ("docs/sub",),
    ("docs", "docs/sub"),
    ("docs/a.txt",),
    ("docs/sub/c.txt", "docs/a.txt"),
    ("one.jsonl",),
    ("two.jsonl",),
    ("one.jsonl", "two.jsonl"),
    (TABLE,),
    ("one.jsonl", TABLE),
    (BUCKET,),
    (PREFIX,),
    (PREFIX, BUCKET, "docs"),
)
ALL = ("docs", "docs/sub", "one.jsonl", "two.jsonl", TABLE, BUCKET, PREFIX)
PROCESSES = 4


@dataclass
class Reader:
    """A process that reads sources; `steps` are its transactions."""

    submitted: Submitted
    steps: Iterator[None]


@dataclass(frozen=True)
class Met:
    """A file that a scan met and made durable, and whether readers saw a version of it at that moment."""

    uri: str
    version: str
    at: int
    job_id: int
    visible: bool


@dataclass
class Walk(WalkedPlaces, WalkedWork):
    """The world, and what is at work in it."""

    database: Database
    folder: Path
    random: Random
    now: int = 0
    changed_at: dict[str, int] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    held: list[Lease] = field(default_factory=list)
    met: list[Met] = field(default_factory=list)
    # When a document was deleted, or one of its sources closed: from then on what a scan said before does not hold.
    meddled_at: dict[str, int] = field(default_factory=dict)
    bucket: MemoryBucket = field(default_factory=MemoryBucket)

    def __post_init__(self) -> None:
        settings = load_settings(home=self.folder / "home", database_url=self.database.url, embedding="hash")
        self.runtimes = [Runtime(settings, process_id=f"process-{n}") for n in range(PROCESSES)]
        for runtime in self.runtimes:
            runtime.__dict__["database"] = self.database
        self.collection = ensure_collection(self.runtimes[0], "default")
        self.settings_hash = self.runtimes[0].fingerprint(self.collection)
        for name in ALL[:2]:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for name in FILES:
            self.write(name)
        for name in ("one", "two"):
            self.write_rows(name)
        self.write_table()
        for name in OBJECTS:
            self.write_object(name)

    def go(self, steps: int, *, settle_every: int) -> None:
        """Walk; every so often all work is done and the index is held against the model."""
        acts: list[tuple[float, Callable[[], object]]] = [
            (8, self.change),
            (10, self.begin),
            (50, self.step),
            (2, self.freeze),
            (24, self.do_work),
            (3, self.lose_lease),
            (1, self.cancel),
            (2, self.pause_or_resume),
            (1, self.delete),
            (0.3, self.close),
        ]
        for self.now in range(1, steps + 1):
            act = self.random.choices([a for _, a in acts], [weight for weight, _ in acts])[0]
            act()
            if self.now % settle_every == 0:
                self.settle()

    # Scans

    def begin(self, names: tuple[str, ...] | None = None) -> Reader | None:
        """Start a command, or take up the job that the same command left."""
        names = names or self.random.choice(COMMANDS)
        runtime = self.random.choice(self.runtimes)
        try:
            opened = self.open(*names)
            submitter = Submitter(runtime)
            submitted = submitter.open(opened, self.collection, options={})
        except UserError:
            return None  # a named file is not there, or the job is paused
        if not submitted.to_scan:
            return None
        steps = self.reading(submitter, runtime, submitted, opened)
        reader = Reader(submitted, steps)
        self.readers.append(reader)
        return reader

    def open(self, *names: str) -> list[Source]:
        arguments = [self.argument(name) for name in names]
        table = {"table": "some", "text": ("body",)} if TABLE in names else {}
        return open_sources(arguments, options=gather_options(table), stdin=io.BytesIO())

    def argument(self, name: str) -> str:
        if name.startswith(BUCKET):
            return name
        return f"sqlite:///{self.folder / name}" if name == TABLE else str(self.folder / name)

    def reading(
        self, submitter: Submitter, runtime: Runtime, submitted: Submitted, opened: list[Source]
    ) -> Iterator[None]:
        """As Submitter.enumerate, one transaction a step."""
        reading = Reading(
            runtime,
            self.collection,
            submitted.scans,
            allow_deletes=True,
            on_batch=lambda _seen, _queued: None,
            renew=submitter.renew,
        )
        read = [SourceScan(reading, scan, source) for scan, source in zip(submitted.scans, opened, strict=True)]
        for one in read:
            for batch in one.batches(1):
                at = self.now
                yield
                one.record(batch)
                shown = self.visible()
                self.met += [
                    Met(s.uri, s.version, at, submitted.job_id, s.uri in shown)
                    for s in batch.submissions.values()
                    if s.origin["kind"] == "file"
                ]
        yield
        end_departed(reading, read)
        yield
        submitter.end(submitted, held=0)

    def step(self) -> None:
        """One transaction of a command, frozen ones included: those wake up when they like."""
        if self.readers:
            self.advance(self.random.choice(self.readers))

    def advance(self, reader: Reader) -> bool:
        try:
            next(reader.steps)
        except (StopIteration, ScanStopped):
            self.readers.remove(reader)
            return False
        return True

    def freeze(self) -> None:
        """A command stands still for longer than its lease: the next like it takes its job over."""
        if self.readers:
            reader = self.random.choice(self.readers)
            with self.database.write() as connection:
                lease = f"enumerate-{reader.submitted.job_id}"
                connection.execute(update(chore).where(chore.c.name == lease).values(lease_until=0))

    # Workers

    def do_work(self) -> None:
        """Claim some work, or end what is held."""
        if self.held and self.random.random() < 0.6:
            self.finish(self.held.pop(self.random.randrange(len(self.held))))
            return
        running = [j for j in self.open_jobs() if j.state == JobState.RUNNING]
        if running:
            self.claim(self.random.choice(running).id, limit=self.random.randrange(1, 4))

    def lose_lease(self) -> None:
        """The rescuer takes work from a worker that comes back, or does not."""
        if self.held:
            lost = self.random.choice(self.held)
            with self.database.write() as connection:
                rescues.rescue_silent(connection, lost.token)
            if self.random.random() < 0.5:
                self.held.remove(lost)

    # Operators

    def open_jobs(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(job).where(job.c.finished_at.is_(None)).order_by(job.c.id)))

    def cancel(self) -> None:
        if found := self.open_jobs():
            self.control(jobs.cancel_job, self.random.choice(found).id)

    def pause_or_resume(self) -> None:
        if found := self.open_jobs():
            chosen = self.random.choice(found)
            self.control(jobs.resume_job if chosen.state == JobState.PAUSED else jobs.pause_job, chosen.id)

    def control(self, function: Callable[..., object], job_id: int) -> None:
        with self.database.write() as connection:
            function(connection, job_id)

    def delete(self) -> None:
        """Delete a document by its id; its source brings it back when it is read."""
        uri = self.random.choice(
            [self.uri(name) for name in FILES]
            + list(ROWS)
            + [self.table_uri(r) for r in ROWS]
            + [BUCKET + name for name in OBJECTS]
        )
        delete_documents(self.runtimes[0], self.collection.id, [document_id("default", uri)])
        self.meddled_at[uri] = self.now

    def close(self) -> None:
        with self.database.read() as connection:
            ids = list(connection.execute(select(source.c.id)).scalars())
        if ids:
            close_source(self.runtimes[0], self.random.choice(ids))
            self.meddled_at = dict.fromkeys(map(self.uri, FILES), self.now)

    # What must be true

    def settle(self) -> None:
        """Do all work, hold the index against the model, then read everything once more and do it again."""
        self.drain()
        self.require_what_was_met()
        self.stop_everything()
        for name in ALL:
            reader = self.begin((name,))
            assert reader is not None, f"{name} could not be read"
            while self.advance(reader):
                pass
        self.drain()
        self.require_all()
        self.met.clear()
        self.meddled_at.clear()

    def drain(self) -> None:
        for found in self.open_jobs():
            if found.state == JobState.PAUSED:
                self.control(jobs.resume_job, found.id)
        while True:
            while self.held:
                self.finish(self.held.pop())
            with self.database.write() as connection:
                for lease in leases.find_leases(connection):
                    rescues.rescue_silent(connection, lease.token)
                connection.execute(update(work_table).where(work_table.c.state == State.WAITING).values(available_at=0))
            claimed = [self.claim(found.id, limit=50) for found in self.open_jobs()]
            if not any(claimed):
                break
        with self.database.write() as connection:
            jobs.complete_jobs(connection)

    def stop_everything(self) -> None:
        """Commands that are not done are killed, and their jobs are cancelled."""
        self.readers.clear()
        with self.database.write() as connection:
            connection.execute(update(chore).values(lease_until=0))
        for found in self.open_jobs():
            self.control(jobs.cancel_job, found.id)

    def visible(self) -> dict[str, str]:
        with self.database.read() as connection:
            query = select(document.c.uri, document.c.active_version).where(document.c.active_version.is_not(None))
            return {row.uri: row.active_version for row in connection.execute(query)}

    def require_what_was_met(self) -> None:
        """A file that has not changed since a scan met it is in the index, whatever other scans did since.

        If the scan's job was cancelled, it is there if it was there then. No ended job has work that is not done.
        """
        shown = self.visible()
        with self.database.read() as connection:
            ended = select(job.c.id).where(job.c.state == JobState.CANCELLED)
            cancelled = set(connection.execute(ended).scalars())
            newest = (work_table.c.document_id == document.c.id) & (work_table.c.generation == document.c.generation)
            buried = select(document.c.uri).join(work_table, newest)
            dead = set(connection.execute(buried.where(work_table.c.state == State.DEAD)).scalars())
            left = select(work_table.c.id).join(job).where(job.c.finished_at.is_not(None), ~in_end(work_table))
            assert not connection.execute(left).all(), "an ended job has work that nobody will do"
        for met in self.met:
            unchanged = max(self.changed_at[met.uri], self.meddled_at.get(met.uri, -1)) < met.at
            if not unchanged or met.uri in dead or self.version_on_disk(met.uri) != met.version:
                continue
            if met.job_id not in cancelled:
                assert shown.get(met.uri) == met.version, f"{met} is not in the index"
            elif met.visible:
                assert met.uri in shown, f"{met} is no longer in the index"

    def require_all(self) -> None:
        """The index holds what the sources hold, and nothing else; every document of it is claimed, and no other."""
        shown = self.visible()
        on_disk = {uri: version for uri in map(self.uri, FILES) if (version := self.version_on_disk(uri)) is not None}
        indexed = {uri: version for uri, version in shown.items() if uri.startswith("file:")}
        assert indexed == on_disk, f"step {self.now}: {sorted(indexed.items() ^ on_disk.items())}"
        rows = {row for name in ("one", "two", TABLE) for row in self.rows_of(name)}
        assert {uri for uri in shown if not uri.startswith(("file:", "s3:"))} == rows
        objects = {BUCKET + key: self.version_of(data) for key, (data, _) in self.bucket.objects.items()}
        assert {uri: version for uri, version in shown.items() if uri.startswith("s3:")} == objects
        with self.database.read() as connection:
            claimed = set(connection.execute(select(document.c.uri).join(claim).where(~claim.c.leaving)).scalars())
        assert claimed == set(shown)


def in_end(table: Any) -> Any:
    """Work that is done, one way or another."""
    return table.c.finished_at.is_not(None)
