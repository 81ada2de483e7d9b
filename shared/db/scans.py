"""Sources and the scans that read them: a scan that was taken over, or whose job does not run, changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Connection, FromClause, and_, delete, exists, func, insert, or_, select, update

from embedmill.shared.access.labels import UNLABELLED, Labels
from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import job, scan, schedule, source
from embedmill.shared.db.source_memory import forget_memory
from embedmill.shared.db.visits import forget_hosts
from embedmill.shared.errors import NotFound, ScanStopped, ScanTakenOver, SourceClosed, SourceError
from embedmill.shared.origins import ORIGINS, find_origin
from embedmill.shared.states import JobState

# Kinds of sources whose documents are files of their own; the documents of all others are rows.
FILES = ("file", "folder", "list")
# Those that name each of their files.
NAMED = ("file", "list")


def list_place_kinds() -> list[str]:
    """Kinds of sources, among those of this release, whose documents are the same documents whoever names them."""
    return [*FILES, *(kind for kind, origin in ORIGINS.items() if origin.is_place)]


def names_places(kind: str) -> bool:
    """Whether that is so of a kind, also of another package's."""
    if kind in FILES:
        return True
    try:
        origin = find_origin(kind)
    except SourceError:
        return False
    return origin is not None and origin.is_place


@dataclass(frozen=True, slots=True)
class Scan:
    """One reading of a source for a job; `id` is also its fence."""

    id: int
    job_id: int
    source_id: int


class OpenedSource(NamedTuple):
    """The number of a source, and whether it was on record as closed."""

    id: int
    was_closed: bool


def open_source(
    connection: Connection,
    *,
    collection_id: int,
    identity: str,
    spec: Mapping[str, Any],
    labels: Labels = UNLABELLED,
    former: str = "",
) -> OpenedSource:
    """A collection's source, recorded on first sight and opened again if it was closed.

    How it is read stays as it is on record until a reading by another spec has come to something (`keep_spec`). Labels
    stay with it until others are given. One that is on record by its `former` identity has this one from now on.
    """
    find = select(source.c.id, source.c.state).where(
        source.c.collection_id == collection_id, source.c.identity == identity
    )
    row = connection.execute(find).first()
    if row is None and former and _adopt(connection, collection_id, former, identity):
        row = connection.execute(find).one()
    if row is None:
        query = insert_or(connection, source).values(collection_id=collection_id, identity=identity, spec=dict(spec))
        connection.execute(query.on_conflict_do_nothing())
        # Another may have recorded it at this moment.
        row = connection.execute(find).one()
    was_closed = row.state != "open"
    if was_closed:
        connection.execute(update(source).where(source.c.id == row.id).values(state="open"))
    _relabel(connection, row.id, labels)
    return OpenedSource(int(row.id), was_closed)


def _adopt(connection: Connection, collection_id: int, former: str, identity: str) -> bool:
    """Give a source that an older release recorded the identity that it has now; whether there is one."""
    known = and_(source.c.collection_id == collection_id, source.c.identity == former)
    row = connection.execute(select(source.c.id, source.c.spec).where(known)).first()
    # Whoever noted where it is knew that it is another.
    if row is None or "endpoint" in row.spec:
        return False
    connection.execute(update(source).where(source.c.id == row.id).values(identity=identity))
    return True


def list_specs(connection: Connection, collection_id: int, *, state: str) -> dict[str, dict[str, Any]]:
    """What sources of a collection are read by, by their identities, those first that were recorded first."""
    query = select(source.c.identity, source.c.spec).order_by(source.c.id)
    rows = connection.execute(query.where(source.c.collection_id == collection_id, source.c.state == state))
    return {row.identity: dict(row.spec) for row in rows}


def _relabel(connection: Connection, source_id: int, labels: Labels) -> None:
    """Have a source say something else of its documents; what it remembers would keep them as they were."""
    said = {name: value or None for name, value in labels.as_json().items()}
    before = _find_labels(connection, source_id) if said else UNLABELLED
    if any(getattr(before, name) != value for name, value in said.items()):
        connection.execute(update(source).where(source.c.id == source_id).values(said))
        forget_memory(connection, source_id)


def _find_labels(connection: Connection, source_id: int) -> Labels:
    """What a source says of who may see its documents."""
    row = connection.execute(select(source.c.access, source.c.owner).where(source.c.id == source_id)).first()
    return Labels(*row) if row else UNLABELLED


class SourceStanding(NamedTuple):
    """What a source says of who may see its documents and of how it is read, and whether others may name its rows.

    Files are never each other's.
    """

    labels: Labels
    spec: Mapping[str, Any]
    has_rivals: bool


def look_at_source(connection: Connection, source_id: int) -> SourceStanding:
    """A source as it stands."""
    rival, places = source.alias("rival"), list_place_kinds()
    rivals = (
        select(rival.c.id)
        .where(rival.c.collection_id == source.c.collection_id, rival.c.id != source.c.id)
        .where(or_(kind_of(source).not_in(places), kind_of(rival).not_in(places)))
        .correlate(source)
    )
    query = select(source.c.access, source.c.owner, source.c.spec, exists(rivals)).where(source.c.id == source_id)
    access, owner, spec, has_rivals = connection.execute(query).one()
    return SourceStanding(Labels(access, owner), spec, bool(has_rivals))


def kind_of(table: FromClause) -> ColumnElement[str]:
    """The kind of a source, in a query."""
    return cast("ColumnElement[str]", table.c.spec["kind"].as_string())


def find_source_id(connection: Connection, collection_id: int, identity: str, former: str = "") -> int | None:
    """The number of a collection's source, if it is on record, also by its former identity."""
    query = select(source.c.id).where(source.c.collection_id == collection_id)
    known = connection.execute(query.where(source.c.identity == identity)).scalar()
    return known if known or not former else connection.execute(query.where(source.c.identity == former)).scalar()


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A source as it is on record."""

    id: int
    collection_id: int
    spec: dict[str, Any]
    is_open: bool


def get_source(connection: Connection, source_id: int) -> SourceRecord:
    """The source by its number; raises NotFound."""
    row = connection.execute(select(source).where(source.c.id == source_id)).first()
    if row is None:
        raise NotFound(f"no source {source_id}", hint="embedmill sources list")
    return SourceRecord(row.id, row.collection_id, row.spec, row.state == "open")


def list_oldest_specs(connection: Connection, collection_id: int, *, limit: int) -> list[dict[str, Any]]:
    """How a collection's open sources are read, those first that were recorded first."""
    of_collection = (source.c.collection_id == collection_id, source.c.state == "open")
    query = select(source.c.spec).where(*of_collection).order_by(source.c.id).limit(limit)
    return [dict(spec) for spec in connection.execute(query).scalars()]


def begin_scans(
    connection: Connection, job_id: int, source_ids: Sequence[int], *, of_new_job: bool = False
) -> list[Scan]:
    """Begin to read sources for a job, in the place of whoever read them for it before."""
    if not of_new_job:
        abandon_scans(connection, job_id)
    query = insert(scan).values(job_id=job_id, started_at=clock()).returning(scan.c.id)
    return [
        Scan(connection.execute(query, {"source_id": source_id}).scalar_one(), job_id, source_id)
        for source_id in source_ids
    ]


def require_current(connection: Connection, current: Scan) -> int:
    """Hold a scan's fence until the transaction ends; returns the newest scan of its source.

    Its job is held too, so that a cancel or a pause comes wholly before this transaction or wholly after it.
    Raises ScanTakenOver, SourceClosed or ScanStopped when the scan may change nothing any more.
    """
    newest = select(func.max(scan.c.id)).where(scan.c.source_id == current.source_id).scalar_subquery()
    row = connection.execute(
        select(scan.c.state, job.c.state.label("job_state"), source.c.state.label("source_state"), newest)
        .select_from(scan)
        .join(job, job.c.id == scan.c.job_id)
        .join(source, source.c.id == scan.c.source_id)
        .where(scan.c.id == current.id)
        .with_for_update(of=[job, scan], key_share=True)
    ).one_or_none()
    if row is None:
        raise ScanStopped(f"job {current.job_id} was deleted while its sources were being read")
    if row.job_state != JobState.RUNNING:
        raise _stopped(current.job_id, JobState(row.job_state))
    if row.state != "running":
        if row.source_state == "closed":
            raise SourceClosed("the source was removed while it was being read")
        raise ScanTakenOver(f"another process has taken over the reading of the sources of job {current.job_id}")
    return int(row[3])


def require_any(connection: Connection, begun: Sequence[Scan]) -> None:
    """Hold the fence of a job's scans, of which some may have ended because their source was removed."""
    for current in begun:
        try:
            require_current(connection, current)
        except SourceClosed:
            continue
        return


def _stopped(job_id: int, state: JobState) -> ScanStopped:
    hint = "Run the command again: a new job reads the sources."
    if state is JobState.PAUSED:
        hint = f"Run embedmill jobs resume {job_id}, then this command again: it takes the job up."
    return ScanStopped(f"job {job_id} is {state}: its sources are read no further", hint=hint)


def keep_spec(connection: Connection, current: Scan, spec: Mapping[str, Any]) -> None:
    """Have a source be read again by a spec, after a scan that came to something; raises what `require_current` does.

    What it is read from may have changed, as a file's name, though it is the same source.
    """
    require_current(connection, current)
    connection.execute(update(source).where(source.c.id == current.source_id).values(spec=dict(spec)))


def complete_scans(connection: Connection, job_id: int, *, in_part: Sequence[int] = ()) -> None:
    """Every source of a job was read, to its end unless its number is `in_part`; the caller holds their fence."""
    read = select(scan.c.source_id).where(
        scan.c.job_id == job_id, scan.c.state == "running", scan.c.source_id.not_in(in_part)
    )
    connection.execute(update(source).where(source.c.id.in_(read.scalar_subquery())).values(scanned_at=clock()))
    _end(connection, "completed", scan.c.job_id == job_id)


def abandon_scans(connection: Connection, job_id: int) -> None:
    """Whoever reads the sources of a job changes nothing any more."""
    _end(connection, "abandoned", scan.c.job_id == job_id)


def is_any_running(connection: Connection) -> bool:
    """Whether some source is being read."""
    return connection.execute(select(scan.c.id).where(scan.c.state == "running").limit(1)).first() is not None


def close_source(connection: Connection, source_id: int) -> None:
    """From this commit on a source claims nothing new, and is not read again by itself; whoever reads it stops."""
    connection.execute(update(source).where(source.c.id == source_id).values(state="closed"))
    connection.execute(delete(schedule).where(schedule.c.source_id == source_id))
    forget_memory(connection, source_id)
    forget_hosts(connection)
    _end(connection, "abandoned", scan.c.source_id == source_id)


def _end(connection: Connection, state: str, which: Any) -> None:
    connection.execute(update(scan).where(which, scan.c.state == "running").values(state=state, ended_at=clock()))
