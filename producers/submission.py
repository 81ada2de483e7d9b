"""Submission: sources become one job, in batches, so that it can be taken up at any point; and collections."""

import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from embedmill.producers.reading import Reading
from embedmill.producers.scanning import SourceScan, end_departed
from embedmill.producers.sources.base import Source
from embedmill.shared.access.labels import UNLABELLED, Labels
from embedmill.shared.addresses import digest
from embedmill.shared.collections import OBFUSCATED, PIPELINE_VERSION, CollectionSettings, read_collection_settings
from embedmill.shared.db import collections, documents, jobs, presence, scans
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.db.scans import Scan
from embedmill.shared.db.unread import end_unread
from embedmill.shared.errors import ScanStopped, ScanTakenOver, SettingsError, UsageError, UserError
from embedmill.shared.logs import get_logger
from embedmill.shared.presence import is_gone
from embedmill.shared.providers.embeddings.table import embedder_class, most_chunk_tokens
from embedmill.shared.providers.vectorstores.table import require_encrypting
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.states import JobState

if TYPE_CHECKING:
    from embedmill.shared.privacy.roots import Root

log = get_logger()

LEASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that was created or taken up; `to_scan` unless another process is scanning its sources.

    `scans` are the readings that were begun, one for each source in the order in which they were given, `reopened` the
    numbers of sources that were closed before; `uris` are those by which they are read.
    """

    job_id: int
    resumed: bool
    to_scan: bool
    scans: tuple[Scan, ...] = ()
    reopened: tuple[int, ...] = ()
    uris: tuple[str, ...] = ()


class Submitter:
    """Submits sources as one job. `on_batch` is told how many documents were seen and how many queued so far."""

    def __init__(
        self, runtime: Runtime, *, on_batch: Callable[[int, int], object] = lambda _seen, _queued: None
    ) -> None:
        self._runtime = runtime
        self._database: Database = runtime.database
        self._on_batch = on_batch
        self._renewed = 0.0

    def open(
        self,
        sources: Sequence[Source],
        collection: Collection,
        *,
        options: dict[str, Any],
        labels: Labels = UNLABELLED,
        limit: int | None = None,
    ) -> Submitted:
        """Create the job, or take up the unfinished one of the same sources; raises UserError when that is paused.

        `labels` are what the sources say from now on of who may see their documents.

        A job that is taken up is scanned again, so that what came since is in it too; whoever scanned it before, and
        may only have been frozen, changes nothing from then on.
        """
        told = (part for part in (*(source.part for source in sources), _sample(limit)) if part)
        identity = digest("job", *sorted(source.identity for source in sources), *told)

        def take_up(connection: Connection) -> Submitted:
            found = jobs.open_job(
                connection,
                collection_id=collection.id,
                identity=identity,
                sources=[source.spec for source in sources],
                options=options,
            )
            if found.state is JobState.PAUSED:
                hint = f"embedmill jobs resume {found.id}"
                raise ScanStopped(f"job {found.id} of the same sources is paused", hint=hint)
            resumed = not found.is_new
            if not self._take(connection, found.id):
                return Submitted(found.id, resumed, to_scan=False)
            if resumed:
                jobs.begin_enumeration(connection, found.id, goes_on=all(source.is_news for source in sources))
            opened = [
                scans.open_source(
                    connection,
                    collection_id=collection.id,
                    identity=s.identity,
                    spec=s.spec,
                    labels=labels,
                    former=s.former_identity,
                )
                for s in sources
            ]
            ids = [each.id for each in opened]
            begun = scans.begin_scans(connection, found.id, ids, of_new_job=found.is_new)
            reopened = tuple(each.id for each in opened if each.was_closed)
            uris = tuple(str(source.spec["uri"]) for source in sources)
            return Submitted(found.id, resumed, to_scan=True, scans=tuple(begun), reopened=reopened, uris=uris)

        return self._database.transact(take_up)

    def enumerate(
        self,
        submitted: Submitted,
        sources: Sequence[Source],
        collection: Collection,
        *,
        allow_deletes: bool,
        retry_dead: bool = False,
        limit: int | None = None,
    ) -> None:
        """Scan every source; afterwards the job ends when its work does. What died unchanged is tried if it is told so.

        With a limit, no more than so many documents of each source are read.

        Raises ScanTakenOver when another process scans them now, ScanStopped when the job was paused or ended.
        """
        self._warn_of_another_endpoint(collection)
        reading = Reading(
            self._runtime,
            collection,
            submitted.scans,
            allow_deletes=allow_deletes,
            retry_dead=retry_dead,
            limit=limit,
            on_batch=self._on_batch,
            renew=self.renew,
        )
        try:
            read = [SourceScan(reading, scan, source) for scan, source in zip(submitted.scans, sources, strict=True)]
            for source in read:
                source.read()
            in_part = [] if limit is None else [scan.source_id for scan in submitted.scans]
            in_part += [one.scan.source_id for one in read if one.source.part or one.is_cut]
            self.end(submitted, held=end_departed(reading, read), in_part=in_part)
        except ScanTakenOver:
            raise
        except ScanStopped:
            self._give_up(submitted.job_id)
            raise

    def end(self, submitted: Submitted, *, held: int, in_part: Sequence[int] = ()) -> None:
        """All sources of a job were read, some in part, and so many removals held back; raises ScanStopped."""

        def end(connection: Connection) -> None:
            scans.require_any(connection, submitted.scans)
            jobs.end_enumeration(connection, submitted.job_id, held_deletions=held)
            scans.complete_scans(connection, submitted.job_id, in_part=in_part)
            if in_part:
                pairs = zip(submitted.scans, submitted.uris, strict=True)
                read = {scan.source_id: uri for scan, uri in pairs}
                end_unread(connection, submitted.job_id, read, reopened=submitted.reopened)
            presence.free_chore(connection, presence.name_reading(submitted.job_id), holder=self._runtime.process_id)

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
        holder = self._database.query(
            lambda connection: presence.find_chore_holder(connection, presence.name_reading(job_id))
        )
        return holder is None or bool(is_gone(self._runtime.run_folder, holder))

    def _give_up(self, job_id: int) -> None:
        def give_up(connection: Connection) -> None:
            scans.abandon_scans(connection, job_id)
            presence.free_chore(connection, presence.name_reading(job_id), holder=self._runtime.process_id)

        self._database.transact(give_up)

    def renew(self, connection: Connection, job_id: int) -> None:
        """Keep the lease on the reading of a job, if that is due."""
        if time.monotonic() - self._renewed > LEASE_SECONDS / 3:
            self._take(connection, job_id)

    def _take(self, connection: Connection, job_id: int) -> bool:
        self._renewed = time.monotonic()
        return presence.seize_chore(
            connection,
            presence.name_reading(job_id),
            holder=self._runtime.process_id,
            seconds=LEASE_SECONDS,
            is_gone=partial(is_gone, self._runtime.run_folder),
        )


def called(database: Database, collection_id: int, sources: Sequence[Source]) -> list[Source]:
    """Sources as they are called beside the others of a collection, and beside those before them; each once."""
    if not any(source.has_namesakes for source in sources):
        return list(sources)
    others, closed = (
        database.query(partial(scans.list_specs, collection_id=collection_id, state=state))
        for state in ("open", "closed")
    )
    found: dict[str, Source] = {}
    for source in sources:
        named = source.beside(others, closed)
        found.setdefault(named.identity, named)
        others.setdefault(named.identity, named.spec)
    return list(found.values())


def _sample(limit: int | None) -> str:
    return "" if limit is None else f"sample of {limit}"


def ensure_collection(runtime: Runtime, name: str) -> Collection:
    """The collection by that name, made with the default settings on first use."""
    found = runtime.database.query(lambda connection: collections.find_collection(connection, name))
    return found or create_collection(runtime, name, exists_ok=True)


def usual_settings(settings: Settings, **chosen: Any) -> CollectionSettings:
    """Those of a new collection; `chosen` overrides what the settings say. Raises SettingsError."""
    defaults = {
        "embedding": settings.embedding,
        "validator": settings.validator,
        "policy": settings.validation_policy,
    }
    return fit_chunks(CollectionSettings(**defaults | chosen), chosen)


def create_collection(runtime: Runtime, name: str, *, exists_ok: bool = False, **chosen: Any) -> Collection:
    """Make a collection; `chosen` overrides the default settings. Raises UserError, SettingsError."""
    _check_name(name)
    settings = usual_settings(runtime.settings, **chosen)
    if settings.gates or settings.audits:
        runtime.model(settings.validator)  # refused now, and not by the first worker, when its packages are missing
    embedder = runtime.embedder(settings.embedding)
    root = _find_root(runtime, settings)

    def create(connection: Connection) -> Collection:
        made = collections.create_collection(
            connection,
            name,
            settings=settings.as_json(),
            model=embedder.model,
            dimensions=embedder.dimensions,
            chunker=f"{PIPELINE_VERSION}/{settings.chunk_tokens}/{settings.chunk_overlap}",
            shards=settings.shards,
        )
        if root is not None:
            runtime.keys.create_data_key(connection, made.id, root)
        return made

    try:
        return runtime.database.transact(create)
    except UserError:
        found = runtime.database.query(lambda connection: collections.find_collection(connection, name))
        if not exists_ok or found is None:
            raise
        return found


def _find_root(runtime: Runtime, settings: CollectionSettings) -> "Root | None":
    """What wraps the key of a collection that is to be encrypted; whatever that lacks is told before it is made."""
    if not settings.encrypt:
        if settings.vectors != OBFUSCATED:
            raise SettingsError("how vectors are kept is said of a collection that is encrypted: add --encrypt")
        return None
    require_encrypting(runtime.settings.vector_url)
    return runtime.keys.root


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
