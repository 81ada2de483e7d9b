"""Sources: which of them claim documents, reading one again, and closing one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from embedmill.console.listening import NOBODY, Listener
from embedmill.console.rendering import FIRST
from embedmill.console.services.deleting import DepartedDocuments, finish_departures
from embedmill.console.services.document_names import spellings
from embedmill.console.services.jobs import JobReport
from embedmill.console.services.reach import in_collection, reaches_of
from embedmill.console.services.serving import Trace, serves
from embedmill.console.services.submitting import JobOptions, SubmittedJob, submit
from embedmill.console.services.watching import ScheduleReport, find_schedules, schedule_sources
from embedmill.console.services.working import ingest
from embedmill.producers import departing
from embedmill.shared.access.principals import Right
from embedmill.shared.db import schedules, sources
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.seen_work import claims_seen, count_seen, count_seen_sole
from embedmill.shared.db.sources import KnownSource
from embedmill.shared.durations import moment
from embedmill.shared.runtime import Runtime
from embedmill.shared.timetable import Timetable

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Source


@dataclass(frozen=True, slots=True)
class SourceReport:
    """A source: how it is read, how many documents it claims, and when it was last read to its end."""

    id: int
    uri: str
    kind: str | None
    options: Mapping[str, Any]
    collection: str
    documents: int
    scanned: datetime | None
    state: str


@dataclass(frozen=True, slots=True)
class ListedSource(SourceReport):
    """A source, and when it is read by itself, if it is."""

    schedule: ScheduleReport | None


@dataclass(frozen=True, slots=True)
class SourceDetail(ListedSource):
    """The same, and how many documents nobody else claims."""

    only_here: int


@dataclass(frozen=True, slots=True)
class SourceReports:
    """Sources in the order in which they were first named."""

    sources: Sequence[ListedSource]


@dataclass(frozen=True, slots=True)
class ClosingPreview:
    """A source, and how many documents would leave with it."""

    source: SourceReport
    deleted: int
    would_delete: int


@dataclass(frozen=True, slots=True)
class ClosedSource(DepartedDocuments):
    """A source that was closed, and the documents that left with it."""

    removed: SourceReport = field(metadata=FIRST)


@serves("sources.list", Right.READ, in_collection(), filters=True, trace=Trace.NOTHING)
def list_sources(runtime: Runtime, *, collection: str | None = None, limit: int = 100, after: int = 0) -> SourceReports:
    """Sources with a number above `after`; raises NotFound for a collection that there is not.

    Who reads some access levels only is told of those that claim documents that they see, and counts these; when
    sources are read by themselves is left out.
    """

    def find(connection: Connection) -> tuple[list[KnownSource], dict[int, ScheduleReport]]:
        reaches = reaches_of(runtime.principal, connection)
        seen = None if reaches is None else claims_seen(reaches)
        found = sources.list_sources(connection, collection_name=collection, limit=limit, after=after, seen=seen)
        if reaches is not None:
            return count_seen(connection, found, reaches), {}
        return found, find_schedules(connection, [known.id for known in found])

    known_sources, schedules_of = runtime.database.query(find)
    return SourceReports([ListedSource(**_describe(k), schedule=schedules_of.get(k.id)) for k in known_sources])


@serves("sources.show", Right.READ, in_collection(), filters=True, trace=Trace.NOTHING)
def show_source(runtime: Runtime, name: str, *, collection: str | None = None) -> SourceDetail:
    """One source by number, URI or path, as far as the caller sees its documents; raises NotFound, UserError."""
    if not runtime.principal.reads_every_level:
        return runtime.database.query(lambda connection: _show_seen(runtime, connection, name, collection))
    found = _find(runtime, name, collection)
    schedule = runtime.database.query(lambda connection: find_schedules(connection, [found.id])).get(found.id)
    only_here = departing.preview_closing(runtime, found.id)
    return SourceDetail(**_describe(found), only_here=only_here, schedule=schedule)


@serves("sources.schedule", Right.OPERATE, in_collection())
def reschedule_source(
    runtime: Runtime, name: str, timetable: Timetable | None, *, collection: str | None = None
) -> SourceDetail:
    """Have a source on record read by a timetable, or by none any more; raises NotFound, UserError."""
    found = _find(runtime, name, collection)
    if timetable is None:
        runtime.database.transact(lambda connection: schedules.drop_schedule(connection, found.id))
    else:
        schedule_sources(runtime, _open(found), collection=found.collection, timetable=timetable, begins_now=False)
    return show_source(runtime, str(found.id))


@serves("sources.rescan", Right.OPERATE, in_collection(), told=("name",))
def rescan_source(
    runtime: Runtime,
    name: str,
    *,
    collection: str | None = None,
    allow_deletes: bool = False,
    listener: Listener = NOBODY,
) -> JobReport:
    """Read a source again, as it was read before, and work here until that is done; raises NotFound, UserError.

    A source that was closed is opened by it.
    """
    found, options = _find(runtime, name, collection), JobOptions(allow_deletes=allow_deletes)
    return ingest(runtime, _open(found), collection=found.collection, options=options, listener=listener)


@serves("sources.rescan", Right.OPERATE, in_collection(), told=("name",))
def submit_rescan(
    runtime: Runtime,
    name: str,
    *,
    collection: str | None = None,
    allow_deletes: bool = False,
    listener: Listener = NOBODY,
) -> SubmittedJob:
    """The same, with the work left to workers."""
    found, options = _find(runtime, name, collection), JobOptions(allow_deletes=allow_deletes)
    return submit(runtime, _open(found), collection=found.collection, options=options, listener=listener)


@serves("sources.show", Right.OPERATE, in_collection(), trace=Trace.NOTHING)
def preview_closing(runtime: Runtime, name: str, *, collection: str | None = None) -> ClosingPreview:
    """What closing a source would take out of the index; raises NotFound, UserError."""
    found = _find(runtime, name, collection)
    return ClosingPreview(SourceReport(**_describe(found)), 0, departing.preview_closing(runtime, found.id))


@serves("sources.remove", Right.OPERATE, in_collection(), told=("name",))
def close_source(
    runtime: Runtime, name: str, *, collection: str | None = None, listener: Listener = NOBODY
) -> ClosedSource:
    """Close a source, and work here until what nobody else claims is out; raises NotFound, UserError."""
    found = _find(runtime, name, collection)
    job = departing.close_source(runtime, found.id).job_id
    done = finish_departures(runtime, [] if job is None else [job], listener)
    return ClosedSource(**asdict(done), removed=SourceReport(**_describe(_find(runtime, str(found.id)))))


def _show_seen(runtime: Runtime, connection: Connection, name: str, collection: str | None) -> SourceDetail:
    """A source by the documents that the caller sees; what it is told, and when it is read by itself, is left out."""
    reaches = reaches_of(runtime.principal, connection) or {}
    found = sources.find_source(connection, spellings(name), collection_name=collection, seen=claims_seen(reaches))
    (known,) = count_seen(connection, [found], reaches)
    return SourceDetail(**_describe(known), only_here=count_seen_sole(connection, known.id, reaches), schedule=None)


def _find(runtime: Runtime, name: str, collection: str | None = None) -> KnownSource:
    return runtime.database.query(
        lambda connection: sources.find_source(connection, spellings(name), collection_name=collection)
    )


def _describe(known: KnownSource) -> dict[str, Any]:
    """The fields of a report."""
    return {
        "id": known.id,
        "uri": known.uri,
        "kind": known.spec.get("kind"),
        "options": {name: value for name, value in known.spec.items() if name not in ("kind", "uri")},
        "collection": known.collection,
        "documents": known.documents,
        "scanned": moment(known.scanned_at) if known.scanned_at else None,
        "state": known.state,
    }


def _open(found: KnownSource) -> "list[Source]":
    from embedmill.producers.sources.open import source_from_spec

    return [source_from_spec(dict(found.spec))]
