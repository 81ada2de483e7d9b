"""The audit's chains: records added under the lock of their chain's head, read, and let go when their time is over."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    inspect,
    or_,
    select,
    update,
)

from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.engine import Database
from embedmill.shared.db.schema import audit_head, audit_record

PAGE = 2000
BEGUN = "audit.begin"
"""The action of the record that a chain began."""
ANCHORED = "audit.anchor"
"""The action of the record that an anchor was made, which is its target."""
GENESIS = "0" * 64
"""What stands in the place of a hash before the first record."""
INSTALLATION = ""
"""The chain of what is no single collection's."""
_NOW = cast(clock() * 1_000_000, BigInteger)
_HEAD = (
    select(audit_head.c.seq, audit_head.c.mac, _NOW.label("now"))
    .where(audit_head.c.chain == bindparam("of"))
    .with_for_update()
)
_ADD = insert(audit_record)
_MOVE = (
    update(audit_head)
    .where(audit_head.c.chain == bindparam("of"))
    .values(seq=bindparam("last"), mac=bindparam("its_mac"))
)


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A record as it is kept: its place in the chain, when it was made (microseconds since 1970), its text and hash."""

    seq: int
    at: int
    body: str
    mac: str


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The end of a chain, and its beginning where the oldest records were let go.

    `floor` is the last record that was let go and `floor_mac` its hash; `seal` says that it was us who let it go.
    """

    chain: str
    seq: int
    mac: str
    floor: int
    floor_mac: str
    seal: str
    key_id: str


class RecordSealer(Protocol):
    """What makes the texts and hashes of one chain's records (`shared.audit.chain`): the database has no keys."""

    @property
    def id(self) -> str:
        """The id of its key."""

    def write(self, before: str, fields: dict[str, Any]) -> tuple[str, str]:
        """The text of a record and its hash, given that of the one before."""

    def seal(self, chain: str, floor: int, floor_mac: str) -> str:
        """What says that a chain begins behind a record because that one was let go."""


FindSealer = Callable[[str], RecordSealer]
"""That of a chain; its key must be known before the transaction begins."""


def add_record(connection: Connection, chain: str, fields: dict[str, Any], find: FindSealer) -> int:
    """Add a record to the end of a chain, which is begun if it is new; returns its place.

    The head is locked until the transaction ends, so that a chain never has two ends. That a chain began is on record
    in the installation's, so that one that is gone as a whole is missed.
    """
    sealer = find(chain)
    head = connection.execute(_HEAD, {"of": chain}).first()
    if head is None:
        head = _begin(connection, chain, sealer)
        if chain != INSTALLATION:
            add_record(connection, INSTALLATION, {"action": BEGUN, "outcome": "done", "target": chain}, find)
    seq = int(head.seq) + 1
    body, mac = sealer.write(head.mac, {**fields, "chain": chain, "seq": seq, "at": head.now})
    connection.execute(_ADD, {"chain": chain, "seq": seq, "at": head.now, "body": body, "mac": mac})
    connection.execute(_MOVE, {"of": chain, "last": seq, "its_mac": mac})
    return seq


def _begin(connection: Connection, chain: str, sealer: RecordSealer) -> Any:
    values = {"chain": chain, "seq": 0, "mac": GENESIS, "floor": 0, "floor_mac": GENESIS, "key_id": sealer.id}
    values["seal"] = sealer.seal(chain, 0, GENESIS)
    connection.execute(insert_or(connection, audit_head).values(values).on_conflict_do_nothing())
    return connection.execute(_HEAD, {"of": chain}).one()


def list_heads(connection: Connection) -> list[ChainHead]:
    """The heads of all chains, the installation's first."""
    is_sqlite = connection.dialect.name == "sqlite"
    columns = [_raw(each, is_sqlite=is_sqlite) for each in audit_head.c]
    return [_head(row) for row in connection.execute(select(*columns).order_by(audit_head.c.chain))]


def _head(row: Any) -> ChainHead:
    texts = {name: _as_text(getattr(row, name)) for name in ("chain", "mac", "floor_mac", "seal", "key_id")}
    return ChainHead(**texts, seq=_as_number(row.seq), floor=_as_number(row.floor))


def list_chains(connection: Connection) -> list[str]:
    """Chains that have a head or records, or both."""
    is_sqlite = connection.dialect.name == "sqlite"
    heads, records = (select(_raw(table.c.chain, is_sqlite=is_sqlite)) for table in (audit_head, audit_record))
    return sorted({_as_text(chain) for chain in connection.execute(heads.union(records)).scalars()})


def find_missing_tables(connection: Connection) -> list[str]:
    """The audit's tables that are not there."""
    there = set(inspect(connection).get_table_names())
    return [table.name for table in (audit_record, audit_head) if table.name not in there]


def walk_links(database: Database, chain: str, *, after: int = 0) -> Iterator[ChainLink]:
    """The records of a chain by their place, in pages."""
    page = _select_links(is_sqlite=database.is_sqlite).where(audit_record.c.chain == chain)
    page = page.order_by(audit_record.c.seq).limit(PAGE)
    while True:
        found = database.query(lambda c, after=after: c.execute(page.where(audit_record.c.seq > after)).all())  # type: ignore[misc]
        yield from map(_link, found)
        if len(found) < PAGE:
            return
        after = found[-1].seq


def find_link(connection: Connection, chain: str, seq: int) -> ChainLink | None:
    """One record."""
    query = _select_links(is_sqlite=connection.dialect.name == "sqlite")
    row = connection.execute(query.where(audit_record.c.chain == chain, audit_record.c.seq == seq)).first()
    return _link(row) if row else None


def _select_links(*, is_sqlite: bool) -> Select[Any]:
    """Records as they are kept."""
    texts = (_raw(text, is_sqlite=is_sqlite) for text in (audit_record.c.body, audit_record.c.mac))
    return select(audit_record.c.seq, audit_record.c.at, *texts)


def _raw(text: Column[Any], *, is_sqlite: bool) -> ColumnElement[Any]:
    """A text as it is kept: a file may hold bytes that somebody wrote, and that are none."""
    is_text = not isinstance(text.type, BigInteger)
    return cast(text, LargeBinary).label(text.name) if is_sqlite and is_text else text


def _link(row: Any) -> ChainLink:
    seq, at, body, mac = row
    return ChainLink(_as_number(seq), _as_number(at), _as_text(body), _as_text(mac))


def _as_number(kept: Any) -> int:
    """A number as it is kept, or one that nothing has."""
    return kept if isinstance(kept, int) else -1


def _as_text(kept: Any) -> str:
    return kept.decode("utf-8", "replace") if isinstance(kept, bytes) else str(kept)


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """A record's place among all of them."""

    at: int
    chain: str
    seq: int


def list_records(
    connection: Connection,
    chains: Sequence[str] | None,
    *,
    since: int = 0,
    limit: int,
    after: RecordPlace | None = None,
) -> list[tuple[str, ChainLink]]:
    """Records of some chains, or of all, newest first, those that come after a place; a page at a time."""
    query = select(audit_record).where(audit_record.c.at >= since)
    if chains is not None:
        query = query.where(audit_record.c.chain.in_(chains))
    at, chain, seq = audit_record.c.at, audit_record.c.chain, audit_record.c.seq
    if after is not None:
        same = and_(chain == after.chain, seq < after.seq)
        query = query.where(or_(at < after.at, and_(at == after.at, or_(chain > after.chain, same))))
    query = query.order_by(at.desc(), chain, seq.desc()).limit(limit)
    return [(row.chain, ChainLink(row.seq, row.at, row.body, row.mac)) for row in connection.execute(query)]


def let_go(connection: Connection, head: ChainHead, *, before: int, sealer: RecordSealer) -> int:
    """Let a chain's records go that were made before a time, all but the last; returns how many went."""
    old = select(func.max(audit_record.c.seq)).where(
        audit_record.c.chain == head.chain, audit_record.c.at < before, audit_record.c.seq < head.seq
    )
    floor = connection.execute(old).scalar()
    link = find_link(connection, head.chain, floor) if floor is not None else None
    if link is None or link.seq <= head.floor:
        return 0
    values = {"floor": link.seq, "floor_mac": link.mac, "seal": sealer.seal(head.chain, link.seq, link.mac)}
    connection.execute(update(audit_head).where(audit_head.c.chain == head.chain).values(values))
    gone = delete(audit_record).where(audit_record.c.chain == head.chain, audit_record.c.seq <= link.seq)
    return connection.execute(gone).rowcount
