"""Claims of sources on documents: made and renewed by scans, dropped by them, by closing a source and by deletion.

A document leaves when its last claim does. That claim waits, marked as leaving, for the document's removal, and goes in
the transaction that takes the document from its readers; so a removal that is cancelled is not forgotten, and the next
scan asks for it again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, exists, func, or_, select, true, update

from embedmill.shared.db.bulk import among, upsert_each
from embedmill.shared.db.documents import is_broken, lock_documents
from embedmill.shared.db.scans import NAMED, Scan, kind_of, names_places
from embedmill.shared.db.schema import claim, document, scan, source, work
from embedmill.shared.db.submitting import submit_removals
from embedmill.shared.states import State

CONTENT_CHARACTERS = 16
# Documents that one transaction may let go: neither a worker nor a kill has to wait for more.
PAGE = 2000

_other = claim.alias("other")

# Which claims are to end, of `claim` or of an alias of it.
Which = Callable[[Any], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A document that a scan met: the hash of its content, and its line where it is a row."""

    document_id: str
    content_hash: str
    line: int | None = None


def record_claims(connection: Connection, current: Scan, sightings: Sequence[Sighting], *, newest: int) -> None:
    """Claim documents for a scan's source; the caller holds the scan's fence and the documents' rows."""
    rows = [
        {"document_id": s.document_id, "content": s.content_hash[:CONTENT_CHARACTERS], "line": s.line}
        for s in sorted(sightings, key=lambda s: s.document_id)
    ]
    if rows:
        upsert_each(
            connection,
            claim,
            rows,
            keys=("source_id", "document_id"),
            source_id=current.source_id,
            scan_id=newest,
            seen_by=current.id,
            leaving=False,
        )


def renew_claims(connection: Connection, current: Scan, ids: Sequence[str], *, newest: int) -> set[str]:
    """Renew what claims a scan's source has on documents that it did not read; returns the ids that have one."""
    mine = and_(claim.c.source_id == current.source_id, among(connection, claim.c.document_id, ids))
    renewed = (
        update(claim)
        .where(mine, ~_awaits_removal(claim))
        .values(scan_id=newest, seen_by=current.id, leaving=False)
        .returning(claim.c.document_id)
    )
    return set(connection.execute(renewed).scalars())


def find_claimed(connection: Connection, source_id: int, ids: Sequence[str]) -> set[str]:
    """Those of the documents that a source claims, and that are not on their way out."""
    mine = and_(claim.c.source_id == source_id, among(connection, claim.c.document_id, ids))
    return set(connection.execute(select(claim.c.document_id).where(mine, ~_awaits_removal(claim))).scalars())


def find_settled(
    connection: Connection, source_id: int, ids: Sequence[str], *, settings_hash: str, job_id: int | None = None
) -> set[str]:
    """Those of the documents that a source claims and that are in the index as they are wanted, by these settings.

    Or are on their way there by a job, which had met them before it was killed.
    """
    as_wanted = and_(document.c.active_version == document.c.wanted_version, document.c.settings_hash == settings_hash)
    on_its_way = exists().where(
        work.c.document_id == document.c.id,
        work.c.job_id == job_id,
        work.c.generation == document.c.generation,
        work.c.settings_hash == settings_hash,
        ~work.c.deletes,
        work.c.state.not_in((State.DEAD, State.CANCELLED)),
    )
    query = (
        select(document.c.id)
        .join_from(document, claim, claim.c.document_id == document.c.id)
        .where(claim.c.source_id == source_id, ~claim.c.leaving, among(connection, document.c.id, ids))
        .where(or_(and_(as_wanted, ~is_broken()), on_its_way))
    )
    return set(connection.execute(query).scalars())


@dataclass(frozen=True, slots=True)
class OtherClaim:
    """What another source last said of a document: where, which content, and which scan heard it."""

    document_id: str
    source_id: int
    uri: str
    kind: str
    line: int | None
    content: str
    seen_by: int

    @property
    def is_row(self) -> bool:
        """Whether it is a row of that source; a file is the same file whoever names it."""
        return not names_places(self.kind)

    @property
    def place(self) -> str:
        """Where that source names the document."""
        return self.uri if self.line is None else f"{self.uri}:{self.line}"


def find_other_claims(connection: Connection, source_id: int, ids: Sequence[str]) -> list[OtherClaim]:
    """Claims that other sources have on documents."""
    query = (
        select(claim, source.c.spec)
        .join_from(claim, source, source.c.id == claim.c.source_id)
        .where(among(connection, claim.c.document_id, ids), claim.c.source_id != source_id, ~claim.c.leaving)
        .order_by(claim.c.document_id, claim.c.seen_by)
    )
    return [_describe(row) for row in connection.execute(query)]


def _describe(row: Row[Any]) -> OtherClaim:
    spec = row.spec
    return OtherClaim(
        row.document_id,
        row.source_id,
        spec.get("uri", ""),
        spec.get("kind", ""),
        row.line,
        row.content,
        row.seen_by,
    )


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A document that stays, with what a claim that is to end said of it; `other` remains and says something else."""

    uri: str
    other: OtherClaim


def find_left_behind(connection: Connection, source_id: int, which: Which, ids: Sequence[str]) -> list[LeftBehind]:
    """Documents that keep the content of a source's ending claims, which no claim that remains agrees with.

    The newest claim is the one that was taken. The caller holds the documents' rows.
    """
    query = (
        select(claim, source.c.spec, document.c.uri.label("name"), which(claim).label("ends"))
        .join_from(claim, source, source.c.id == claim.c.source_id)
        .join(document, document.c.id == claim.c.document_id)
        .where(among(connection, claim.c.document_id, ids), ~claim.c.leaving)
        .order_by(claim.c.document_id, claim.c.seen_by)
    )
    found = []
    for _, group in groupby(connection.execute(query), key=lambda row: row.document_id):
        *older, newest = group
        rest = [_describe(row) for row in older if not row.ends]
        if (
            newest.ends
            and newest.source_id == source_id
            and rest
            and not any(_agree(_describe(newest), o) for o in rest)
        ):
            found.append(LeftBehind(newest.name, rest[-1]))
    return found


def _agree(one: OtherClaim, other: OtherClaim) -> bool:
    """Whether two claims do not contradict each other: a file is one thing whoever reads it, and so is a source."""
    are_one = one.uri == other.uri or not (one.is_row or other.is_row)
    return are_one or not (one.content and other.content) or one.content == other.content


def not_met_by(current: Scan) -> Which:
    """The claims of a scan's source on what nobody has met there since the scan began."""
    return lambda table: and_(table.c.source_id == current.source_id, table.c.scan_id < current.id)


def of_source(source_id: int) -> Which:
    """Every claim of a source."""
    return lambda table: table.c.source_id == source_id


def by_name(collection_id: int) -> Which:
    """The claims of sources that name single files."""
    named = select(source.c.id).where(source.c.collection_id == collection_id, kind_of(source).in_(NAMED))
    return lambda table: table.c.source_id.in_(named.scalar_subquery())


def of_anybody(_table: Any) -> ColumnElement[bool]:
    """Every claim."""
    return true()


def find_sources_with_departures(connection: Connection, job_id: int) -> set[int]:
    """Sources being read for a job that have claims on what nobody has met there since."""
    stale = exists().where(claim.c.source_id == scan.c.source_id, claim.c.scan_id < scan.c.id, ~_awaits_removal(claim))
    query = select(scan.c.source_id).where(scan.c.job_id == job_id, scan.c.state == "running", stale)
    return set(connection.execute(query).scalars())


@dataclass(frozen=True, slots=True)
class Departures:
    """Documents that are there and a source claims: how many there are, and how many would leave."""

    total: int
    gone: int


def count_departures(connection: Connection, which: Which, *, of: int) -> Departures:
    """Among the documents that source `of` claims, those that would leave with its claims: nobody else has one."""
    gone = func.coalesce(func.sum(case((and_(which(claim), _is_alone(of)), 1), else_=0)), 0)
    row = connection.execute(
        select(func.count(), gone)
        .select_from(claim)
        .join(document, document.c.id == claim.c.document_id)
        .where(claim.c.source_id == of, _may_leave())
    ).one()
    return Departures(int(row[0]), int(row[1]))


def _may_leave() -> ColumnElement[bool]:
    """Whether the document is there and nothing is removing it."""
    return and_(_is_there(), ~_awaits_removal(claim))


def _is_there() -> ColumnElement[bool]:
    """Whether there is a document to remove: readers see it, or it died or waits on its way to them."""
    at_work = exists().where(work.c.document_id == document.c.id, work.c.finished_at.is_(None), ~work.c.deletes)
    return or_(document.c.wanted_version.is_not(None), document.c.active_version.is_not(None), at_work)


def _is_alone(source_id: int) -> ColumnElement[bool]:
    """Whether no other source claims the document."""
    return ~exists().where(
        _other.c.document_id == claim.c.document_id, _other.c.source_id != source_id, ~_other.c.leaving
    )


def count_claims(connection: Connection, source_id: int) -> int:
    """How many documents a source claims."""
    query = select(func.count()).select_from(claim).where(claim.c.source_id == source_id, ~claim.c.leaving)
    return int(connection.execute(query).scalar_one())


FAR = 2**53
"""A scan that is newer than any."""


@dataclass(frozen=True, slots=True)
class Unmet:
    """A document that a source claims and a scan of it has not met; `leaves` when it is there for that claim alone."""

    id: str
    uri: str
    leaves: bool


def list_unmet(connection: Connection, current: Scan, *, after: str = "") -> list[Unmet]:
    """The next page of documents by id, `after` one, that a scan has not met."""
    return _unmet(connection, current, claim.c.document_id > after)


def find_unmet(connection: Connection, current: Scan, ids: Sequence[str]) -> list[Unmet]:
    """The same of some, at most a page of them."""
    return _unmet(connection, current, among(connection, claim.c.document_id, ids))


def _unmet(connection: Connection, current: Scan, which: ColumnElement[bool]) -> list[Unmet]:
    query = (
        select(claim.c.document_id, document.c.uri, and_(_is_alone(current.source_id), _may_leave()).label("leaves"))
        .join_from(claim, document, document.c.id == claim.c.document_id)
        .where(not_met_by(current)(claim), which)
        .order_by(claim.c.document_id)
        .limit(PAGE)
    )
    return [Unmet(row.document_id, row.uri, bool(row.leaves)) for row in connection.execute(query)]


def list_leaving(connection: Connection, source_id: int, *, after: str = "") -> list[Unmet]:
    """The next page of documents by id, `after` one, that a source claims, as if a scan of it had met none."""
    return list_unmet(connection, Scan(FAR, 0, source_id), after=after)


def count_sole(connection: Connection, source_id: int) -> int:
    """Documents that readers see or wait for and that no other source claims."""
    others = exists().where(
        _other.c.document_id == claim.c.document_id, _other.c.source_id != source_id, ~_other.c.leaving
    )
    query = (
        select(func.count())
        .select_from(claim)
        .join(document, document.c.id == claim.c.document_id)
        .where(claim.c.source_id == source_id, _may_leave(), ~others)
    )
    return int(connection.execute(query).scalar_one())


def list_claimed(connection: Connection, which: Which, *, after: str = "", limit: int = PAGE) -> list[str]:
    """The next documents by id, `after` one, with a claim that is to end."""
    query = select(claim.c.document_id).where(which(claim), claim.c.document_id > after).distinct()
    return list(connection.execute(query.order_by(claim.c.document_id).limit(limit)).scalars())


def list_named(
    connection: Connection, current: Scan, *, prefix: str, after: str = "", limit: int = PAGE
) -> list[tuple[str, str]]:
    """(id, URI) of files below a URI, by id, that sources claim by their names and a scan has not met."""
    collection_id = select(source.c.collection_id).where(source.c.id == current.source_id).scalar_subquery()
    named = select(source.c.id).where(source.c.collection_id == collection_id, kind_of(source).in_(NAMED))
    met = exists().where(
        _other.c.document_id == claim.c.document_id,
        _other.c.source_id == current.source_id,
        _other.c.scan_id >= current.id,
    )
    query = (
        select(claim.c.document_id, document.c.uri)
        .distinct()
        .join_from(claim, document, document.c.id == claim.c.document_id)
        .where(claim.c.source_id.in_(named.scalar_subquery()), claim.c.document_id > after)
        .where(func.substr(document.c.uri, 1, len(prefix)) == prefix, ~met, ~_awaits_removal(claim))
        .order_by(claim.c.document_id)
        .limit(limit)
    )
    return [(row.document_id, row.uri) for row in connection.execute(query)]


def end_claims(connection: Connection, which: Which, ids: Sequence[str], *, job_id: int, max_attempts: int) -> int:
    """End claims on documents; those whose last claim it was leave, by work of the job. Returns how many leave.

    A document with another claim stays. The caller pages over `ids`, of which none is looked at twice.
    """
    lock_documents(connection, ids)
    mine = and_(among(connection, claim.c.document_id, ids), which(claim))
    still_claimed = exists().where(_other.c.document_id == claim.c.document_id, ~_other.c.leaving, ~which(_other))
    connection.execute(delete(claim).where(mine, still_claimed))
    connection.execute(update(claim).where(mine).values(leaving=True))
    gone = _find_gone(connection, ids)
    if gone:
        submit_removals(connection, gone, job_id=job_id, max_attempts=max_attempts)
    # What nobody indexed, and nobody is about to, is gone already.
    nothing_left = and_(among(connection, claim.c.document_id, ids), claim.c.leaving, ~_awaits_removal(claim))
    connection.execute(delete(claim).where(nothing_left))
    return len(gone)


def _find_gone(connection: Connection, ids: Sequence[str]) -> list[str]:
    claimed = exists().where(claim.c.document_id == document.c.id, ~claim.c.leaving)
    query = select(document.c.id).where(
        among(connection, document.c.id, ids), _is_there(), ~claimed, ~_removal_of(document.c.id)
    )
    return list(connection.execute(query).scalars())


def _awaits_removal(of: Any) -> ColumnElement[bool]:
    """Whether a claim only waits for the removal of its document, which is under way."""
    return and_(of.c.leaving, _removal_of(of.c.document_id))


def _removal_of(document_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the newest work of a document is a removal that is not finished."""
    asked = document.alias("asked")
    return (
        exists()
        .where(work.c.document_id == document_id, work.c.deletes, work.c.finished_at.is_(None))
        .where(asked.c.id == work.c.document_id, asked.c.generation == work.c.generation)
    )
