"""Submission: enumerates sources into the tracking database, in batches, so that a job can be taken up at any point."""

import os
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import orjson
import structlog

from producers.sources.base import FileItem, Item, Problem, Remark, RemarkKind, RowItem, Skipped, Source, describe_item
from shared.addresses import digest, document_id, version_id
from shared.collections import PIPELINE_VERSION, CollectionSettings, read_collection_settings
from shared.db import collections, documents, jobs, presence
from shared.db.collections import Collection
from shared.db.documents import Submission
from shared.db.engine import Database
from shared.errors import SettingsError, UsageError, UserError
from shared.presence import is_gone
from shared.providers.embeddings.table import embedder_class, most_chunk_tokens
from shared.runtime import Runtime
from shared.states import JobState
from shared.uris import path_to_uri

log = structlog.get_logger()

BATCH_ITEMS = 256
# A server takes a batch in one statement, whose price it pays for less often.
BATCH_ITEMS_OF_A_SERVER = 2000
BATCH_BYTES = 8 * 1024 * 1024
# A rough bound for text of every kind; the chunker counts exactly.
BYTES_PER_TOKEN = 4
# The larger share of a source that may vanish before a flag is asked for.
LARGEST_DEPARTURE = 0.2
LEASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that was created or taken up; `to_scan` unless another process is scanning its sources."""

    job_id: int
    resumed: bool
    to_scan: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """A batch that is durable: documents in it, and those that got work."""

    seen: int
    queued: int


class Submitter:
    """Submits sources as one job. `on_batch` is told how many documents were seen and how many queued so far."""

    def __init__(
        self, runtime: Runtime, *, on_batch: Callable[[int, int], object] = lambda _seen, _queued: None
    ) -> None:
        self._runtime = runtime
        self._database: Database = runtime.database
        self._on_batch = on_batch
        self._seen = 0
        self._queued = 0
        self._renewed = 0.0

    def open(self, sources: Sequence[Source], collection: Collection, *, options: dict[str, Any]) -> Submitted:
        """Create the job, or take up the unfinished one of the same sources; raises UserError when that is paused.

        A job that is taken up is scanned again, so that what came since is in it too.
        """
        identity = digest("job", *sorted(source.identity for source in sources))

        def find_or_create(connection: Any) -> Submitted:
            found = jobs.find_open_job(connection, collection_id=collection.id, identity=identity)
            if found is None:
                job_id = jobs.create_job(
                    connection,
                    collection_id=collection.id,
                    identity=identity,
                    sources=[source.spec for source in sources],
                    options=options,
                )
            elif found.state is JobState.PAUSED:
                hint = f"embedmill jobs resume {found.id}"
                raise UserError(f"job {found.id} of the same sources is paused", hint=hint)
            else:
                job_id = found.id
            return Submitted(job_id, resumed=found is not None, to_scan=self._take(connection, job_id))

        return self._database.transact(find_or_create)

    def enumerate(self, job_id: int, sources: Sequence[Source], collection: Collection, *, allow_deletes: bool) -> None:
        """Scan every source; afterwards the job ends when its work does."""
        self._database.transact(lambda connection: jobs.begin_enumeration(connection, job_id))
        self._warn_of_another_endpoint(collection)
        held = sum(self._enumerate_source(job_id, s, collection, allow_deletes=allow_deletes) for s in sources)

        def end(connection: Any) -> None:
            jobs.end_enumeration(connection, job_id, held_deletions=held)
            presence.free_chore(connection, _lease(job_id), holder=self._runtime.process_id)

        self._database.transact(end)

    def _warn_of_another_endpoint(self, collection: Collection) -> None:
        """Say that documents which the vendor embedded are embedded again where requests go now, at a cost."""
        by_vendor = read_collection_settings(collection.settings).fingerprint(model=collection.model)
        if self._runtime.fingerprint(collection) == by_vendor:
            return
        if self._database.query(lambda connection: documents.has_settings(connection, collection.id, by_vendor)):
            log.warning(
                "collection.embedded_elsewhere",
                collection=collection.name,
                message="Its documents were embedded by the vendor, or by an older release that did not know where. "
                "They are embedded again at the address that is set now. A gateway that only passes requests on "
                "can be named in EMBEDMILL_VENDOR_GATEWAYS: then nothing is paid for again.",
            )

    def is_abandoned(self, job_id: int) -> bool:
        """Whether nobody scans a job's sources any more."""
        holder = self._database.query(lambda connection: presence.find_chore_holder(connection, _lease(job_id)))
        return holder is None or bool(is_gone(self._runtime.run_folder, holder))

    def _take(self, connection: Any, job_id: int) -> bool:
        holder = presence.find_chore_holder(connection, _lease(job_id))
        if holder is not None and is_gone(self._runtime.run_folder, holder):
            presence.free_chore(connection, _lease(job_id), holder=holder)
        self._renewed = time.monotonic()
        return presence.take_chore(connection, _lease(job_id), holder=self._runtime.process_id, seconds=LEASE_SECONDS)

    def _enumerate_source(self, job_id: int, source: Source, collection: Collection, *, allow_deletes: bool) -> int:
        """Scan one source; returns how many removals were held back for want of a flag."""
        source_id = self._database.transact(
            lambda connection: jobs.ensure_source(
                connection, collection_id=collection.id, identity=source.identity, spec=source.spec
            )
        )
        complete = True
        most = BATCH_ITEMS if self._database.is_sqlite else BATCH_ITEMS_OF_A_SERVER
        # The database takes one batch while the next is read: half of the work is on each side.
        with ThreadPoolExecutor(1, thread_name_prefix="submission") as recorder:
            recording: Future[Recorded] | None = None
            for batch in _batches(self._without_home(source), most):
                notes = [
                    _note(item, allow_deletes=allow_deletes)
                    for item in batch
                    if isinstance(item, Skipped | Problem | Remark)
                ]
                complete = complete and not any(isinstance(item, Problem) for item in batch)
                described = self._describe(collection, [i for i in batch if isinstance(i, FileItem | RowItem)])
                if recording is not None:
                    self._report(recording.result())
                recording = recorder.submit(self._record, job_id, source_id, collection, described, notes)
            if recording is not None:
                self._report(recording.result())
        if not complete or not source.detects_deletions:
            return 0
        return self._remove_departed(job_id, source_id, allow_deletes=allow_deletes)

    def _without_home(self, source: Source) -> Iterator[Item | Remark]:
        """A source may contain the home folder; what Embedmill writes there is no document."""
        home = path_to_uri(os.path.realpath(os.fsencode(self._runtime.home)))
        return (item for item in source.scan() if isinstance(item, Remark) or not _is_within(item.uri, home))

    def _record(
        self,
        job_id: int,
        source_id: int,
        collection: Collection,
        submissions: Sequence[Submission],
        notes: Sequence[dict[str, Any]],
    ) -> Recorded:
        def record(connection: Any) -> int:
            jobs.note_scan(connection, job_id, notes)
            if time.monotonic() - self._renewed > LEASE_SECONDS / 3:
                self._take(connection, job_id)
            if not submissions:
                return 0
            return documents.submit_batch(
                connection,
                submissions,
                job_id=job_id,
                collection_id=collection.id,
                source_id=source_id,
                max_attempts=self._runtime.settings.max_attempts,
            ).queued

        return Recorded(len(submissions), self._database.transact(record))

    def _report(self, recorded: Recorded) -> None:
        self._seen += recorded.seen
        self._queued += recorded.queued
        self._on_batch(self._seen, self._queued)

    def _describe(self, collection: Collection, items: Sequence[FileItem | RowItem]) -> list[Submission]:
        settings_hash = self._runtime.fingerprint(collection)
        described = [_describe_item(collection.name, settings_hash, item) for item in items]
        rows = [(d, i) for d, i in zip(described, items, strict=True) if isinstance(i, RowItem)]
        return self._store_rows(rows) if rows else described

    def _store_rows(self, rows: Sequence[tuple[Submission, RowItem]]) -> list[Submission]:
        """Keep the text of rows that need work: a row has no place of its own to be read from later."""
        ids = [d.document_id for d, _ in rows]
        active = self._database.query(lambda connection: documents.find_active_versions(connection, ids))
        changed = [(d, row) for d, row in rows if active.get(d.document_id) != d.version]
        parts = [orjson.dumps({"text": row.text}, option=orjson.OPT_NON_STR_KEYS) for _, row in changed]
        references = dict(zip((d.document_id for d, _ in changed), self._runtime.blobs.put_pack(parts), strict=True))
        return [_with_origin(d, row, references.get(d.document_id)) for d, row in rows]

    def _remove_departed(self, job_id: int, source_id: int, *, allow_deletes: bool) -> int:
        def remove(connection: Any) -> int:
            departures = documents.count_departures(connection, job_id=job_id, source_id=source_id)
            if departures.gone > departures.total * LARGEST_DEPARTURE and not allow_deletes:
                return departures.gone
            if departures.gone:
                documents.submit_departures(
                    connection,
                    job_id=job_id,
                    source_id=source_id,
                    max_attempts=self._runtime.settings.max_attempts,
                )
            return 0

        return self._database.transact(remove)


def _is_within(uri: str, home: str) -> bool:
    return uri.startswith(home) and uri[len(home) : len(home) + 1] in ("", "/")


def _lease(job_id: int) -> str:
    return f"enumerate-{job_id}"


def _batches(source: Iterable[Item | Remark], most: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    size = 0
    for item in source:
        batch.append(item)
        size += len(item.text) if isinstance(item, RowItem) else 0
        if len(batch) >= most or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _describe_item(collection: str, settings_hash: str, item: FileItem | RowItem) -> Submission:
    row = isinstance(item, RowItem)
    size = len(item.text) if isinstance(item, RowItem) else item.size
    return Submission(
        document_id=document_id(collection, item.uri),
        uri=item.uri,
        title=(item.title or "").replace("\0", ""),
        content_hash=item.content_hash,
        settings_hash=settings_hash,
        version=version_id(item.content_hash, settings_hash),
        size=max(1, size // BYTES_PER_TOKEN),
        origin={"kind": "row" if row else "file", "metadata": dict(item.metadata)},
    )


def _with_origin(submission: Submission, row: RowItem, reference: str | None) -> Submission:
    origin = {"kind": "row", "ref": reference, "metadata": dict(row.metadata)}
    return replace(submission, origin=origin)


def _note(item: Skipped | Problem | Remark, *, allow_deletes: bool) -> dict[str, Any]:
    """That a source is empty is only noted where the user said that documents may have left it."""
    emptied = isinstance(item, Remark) and item.kind is RemarkKind.EMPTY and allow_deletes
    return describe_item(item) | ({"kind": "note"} if emptied else {})


def ensure_collection(runtime: Runtime, name: str) -> Collection:
    """The collection by that name, made with the default settings on first use."""
    found = runtime.database.query(lambda connection: collections.find_collection(connection, name))
    return found or create_collection(runtime, name, exists_ok=True)


def create_collection(runtime: Runtime, name: str, *, exists_ok: bool = False, **chosen: Any) -> Collection:
    """Make a collection; `chosen` overrides the default settings. Raises UserError, SettingsError."""
    _check_name(name)
    defaults = {
        "embedding": runtime.settings.embedding,
        "validator": runtime.settings.validator,
        "policy": runtime.settings.validation_policy,
    }
    settings = fit_chunks(CollectionSettings(**defaults | chosen), chosen)
    if settings.gates or settings.audits:
        runtime.model(settings.validator)  # refused now, and not by the first worker, when its packages are missing
    embedder = runtime.embedder(settings.embedding)

    def find_or_create(connection: Any) -> Collection:
        existing = collections.find_collection(connection, name) if exists_ok else None
        return existing or collections.create_collection(
            connection,
            name,
            settings=settings.as_json(),
            model=embedder.model,
            dimensions=embedder.dimensions,
            chunker=f"{PIPELINE_VERSION}/{settings.chunk_tokens}/{settings.chunk_overlap}",
            shards=settings.shards,
        )

    return runtime.database.transact(find_or_create)


def fit_chunks(settings: CollectionSettings, chosen: Container[str]) -> CollectionSettings:
    """Settings whose chunks the embedding model takes; raises SettingsError for a size that was `chosen` and is not."""
    most = most_chunk_tokens(settings.embedding)
    if settings.chunk_tokens <= most:
        return settings
    if "chunk_tokens" in chosen:
        raise SettingsError(
            f"chunks of {settings.chunk_tokens} tokens do not fit {settings.embedding}, which counts otherwise "
            f"and takes {embedder_class(settings.embedding).max_tokens_per_input}: choose at most {most}"
        )
    log.warning("collection.chunks_fitted", embedding=settings.embedding, chunk_tokens=most)
    return replace(settings, chunk_tokens=most, chunk_overlap=min(settings.chunk_overlap, most // 2))


def _check_name(name: str) -> None:
    if not name or len(name) > 100 or not all(c.isalnum() or c in "-_." for c in name):
        raise UsageError(f"{name!r} is no collection name: use up to 100 letters, digits, '-', '_' and '.'")
