"""The audit: what is on record, whether it is as it was written, and giving it out."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import orjson

from embedmill.console.services.reach import every_reached, installation
from embedmill.console.services.serving import Trace, serves
from embedmill.shared import VERSION
from embedmill.shared.access.principals import Principal, Right
from embedmill.shared.audit.anchors import Anchor, check_anchor, open_place, read_anchor
from embedmill.shared.audit.beginning import read_beginning
from embedmill.shared.audit.chain import RecordFault, RecordFaultKind, check_chain
from embedmill.shared.audit.ocsf import to_ocsf
from embedmill.shared.audit.trail import FILE
from embedmill.shared.db import audit
from embedmill.shared.db.audit import ANCHORED, BEGUN, INSTALLATION, ChainHead, ChainLink, RecordPlace
from embedmill.shared.db.collections import no_collection
from embedmill.shared.durations import moment
from embedmill.shared.errors import UsageError
from embedmill.shared.runtime import Runtime
from embedmill.workers.chores.anchoring import anchor_chains

MICRO = 1_000_000
Format = Literal["jsonl", "ocsf"]


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A record; `collection` is empty for what is the whole installation's. `record` is all that was written."""

    collection: str
    seq: int
    at: datetime
    principal: str
    role: str
    address: str
    action: str
    outcome: str
    target: str
    counts: Mapping[str, int]
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditRecords:
    """Records, newest first, and where the next page begins; None at the end."""

    records: Sequence[AuditRecord]
    next: str | None


@dataclass(frozen=True, slots=True)
class ChainFault:
    """Something that is not as it was written; `seq` is the record's place in the chain of its collection."""

    collection: str
    seq: int
    fault: RecordFaultKind
    detail: str


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """Whether everything is as it was written: so many records in so many chains, against so many anchors.

    `anchored` is when the last anchor was made: what is older cannot have been rewritten or cut off unseen.
    """

    ok: bool
    records: int
    chains: int
    anchors: int
    anchored: str | None
    faults: Sequence[ChainFault]


@dataclass(frozen=True, slots=True)
class MadeAnchor:
    """An anchor that was written, and of how many chains; None where nothing is on record."""

    anchor: str | None
    chains: int


@serves("audit.list", Right.AUDIT, every_reached, trace=Trace.NOTHING)
def list_records(
    runtime: Runtime,
    *,
    collection: str | None = None,
    since: float | None = None,
    principal: str | None = None,
    action: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> AuditRecords:
    """Records of what the caller reaches, newest first, from where `after` says; raises NotFound, UsageError."""
    chains = _chains(runtime.principal, collection)
    found: list[AuditRecord] = []
    place = None if after is None else _read_place(after)
    while len(found) < limit:
        page = runtime.database.query(
            audit.list_records, chains, since=int((since or 0) * MICRO), limit=limit, after=place
        )
        told = (_record(chain, link) for chain, link in page)
        found += [each for each in told if principal in (None, each.principal) and action in (None, each.action)]
        if len(page) < limit:
            break
        chain, link = page[-1]
        place = RecordPlace(link.at, chain, link.seq)
    shown = found[:limit]
    return AuditRecords(shown, _write_place(shown[-1]) if len(shown) == limit else None)


def _write_place(record: AuditRecord) -> str:
    at = round(record.at.timestamp() * MICRO)
    return f"{at}-{record.seq}-{record.collection}"


def _read_place(text: str) -> RecordPlace:
    """Raises UsageError for what is no place."""
    at, _, rest = text.partition("-")
    seq, _, chain = rest.partition("-")
    if not (at.isdecimal() and seq.isdecimal()):
        raise UsageError(f"--after {text!r} is no place in the audit", hint="Give what `next` of the page before said.")
    return RecordPlace(int(at), chain, int(seq))


def _chains(caller: Principal, collection: str | None) -> list[str] | None:
    """The chains that somebody may read; None for all of them."""
    if collection is not None:
        if not caller.reaches(collection):
            raise no_collection(collection)
        return [collection]
    return None if caller.collections is None else sorted(caller.collections)


def _record(chain: str, link: ChainLink) -> AuditRecord:
    told = _read(link)
    names = ("principal", "role", "address", "action", "outcome", "target")
    return AuditRecord(
        collection=chain,
        seq=link.seq,
        at=moment(link.at / MICRO),
        **{name: str(told.get(name, "")) for name in names},
        counts=told.get("counts", {}),
        record=told,
    )


def _read(link: ChainLink) -> Mapping[str, Any]:
    """What a record says; what is not readable is shown as it is, and found by `verify`."""
    try:
        told = orjson.loads(link.body)
        return told if isinstance(told, dict) else {"unreadable": link.body}
    except orjson.JSONDecodeError:
        return {"unreadable": link.body}


@serves("audit.export", Right.AUDIT, every_reached)
def export_records(
    runtime: Runtime, *, collection: str | None = None, since: float | None = None, form: Format = "jsonl"
) -> Iterator[Mapping[str, Any]]:
    """Every record of what the caller reaches, chain by chain in its order: as written, or as an event of OCSF."""
    begin = int((since or 0) * MICRO)
    show: Callable[[Mapping[str, Any], ChainLink], Mapping[str, Any]] = _as_event if form == "ocsf" else _as_written
    for chain in _listed(runtime, _chains(runtime.principal, collection)):
        for link in audit.walk_links(runtime.database, chain):
            if link.at >= begin:
                yield show(_read(link), link)


def _listed(runtime: Runtime, chains: Sequence[str] | None) -> list[str]:
    found = runtime.database.query(audit.list_chains)
    return [chain for chain in found if chains is None or chain in chains]


def _as_written(told: Mapping[str, Any], link: ChainLink) -> Mapping[str, Any]:
    return {**told, "mac": link.mac}


def _as_event(told: Mapping[str, Any], link: ChainLink) -> Mapping[str, Any]:
    usual = {"chain": "", "seq": link.seq, "at": link.at, "principal": "", "role": "", "action": "", "outcome": ""}
    return to_ocsf({**usual, **told, "mac": link.mac}, version=VERSION)


@serves("audit.verify", Right.AUDIT, every_reached, trace=Trace.NOTHING)
def verify_records(runtime: Runtime, *, collection: str | None = None) -> AuditVerification:
    """Check every record of what the caller reaches against its chain, and the chains against their anchors."""
    chains = _chains(runtime.principal, collection)
    if missing := runtime.database.query(audit.find_missing_tables):
        gone = [ChainFault(INSTALLATION, 0, RecordFaultKind.REMOVED, f"the table {name} is gone") for name in missing]
        return AuditVerification(ok=False, records=0, chains=0, anchors=0, anchored=None, faults=gone)
    heads = {head.chain: head for head in runtime.database.query(audit.list_heads)}
    anchors, faults, kept = _read_anchors(runtime)
    begun = read_beginning(runtime.home / FILE, runtime.keys)
    held_against = [begun, *anchors] if isinstance(begun, Anchor) else anchors
    faults += [begun] if isinstance(begun, RecordFault) else []
    anchored = {chain for anchor in held_against for chain in anchor.chains}
    wanted = sorted({*_listed(runtime, chains), *(c for c in anchored if chains is None or c in chains)})
    known = set(wanted)
    records = 0
    for chain in wanted:
        counter = _Counted(audit.walk_links(runtime.database, chain), known)
        faults += _check(runtime, chain, heads.get(chain), counter)
        records += counter.count
        faults += [RecordFault(lost, 0, RecordFaultKind.REMOVED, "the whole chain is gone") for lost in counter.lost]
        faults += _check_anchors(runtime, chain, heads.get(chain), held_against)
        faults += _check_made(counter.anchors, kept)
    unique = dict.fromkeys((f.chain, f.seq, f.fault, f.detail) for f in faults)
    told = [ChainFault(*fault) for fault in unique]
    last = anchors[-1].at if anchors else None
    return AuditVerification(not told, records, len(wanted), len(anchors), last, told)


@dataclass(slots=True)
class _Counted:
    """Records on their way, counted; the chains that they say began and are not known; the anchors that were made."""

    links: Iterator[ChainLink]
    known: set[str]
    count: int = 0
    lost: list[str] = field(default_factory=list)
    anchors: dict[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[ChainLink]:
        for link in self.links:
            self.count += 1
            if BEGUN in link.body and (told := _read(link)).get("action") == BEGUN and told["target"] not in self.known:
                self.lost.append(told["target"])
            if ANCHORED in link.body and (told := _read(link)).get("action") == ANCHORED and told.get("target"):
                self.anchors[str(told["target"])] = link.seq
            yield link


def _check(runtime: Runtime, chain: str, head: ChainHead | None, links: _Counted) -> list[RecordFault]:
    key = runtime.trail.key(chain)
    if head is not None and head.key_id != key.id:
        list(links)
        told = f"it was written under key {head.key_id}, and this installation has {key.id}"
        return [RecordFault(chain, 0, RecordFaultKind.KEY, told)]
    found = list(check_chain(chain, links, head, key.material))
    if head is None and not links.count:
        return [RecordFault(chain, 0, RecordFaultKind.REMOVED, "the whole chain is gone")]
    return found


def _check_made(made: Mapping[str, int], kept: Set[str]) -> list[RecordFault]:
    """One fault for all anchors that are on record, and not where anchors are kept."""
    gone = [name for name in made if name not in kept]
    told = f"{len(gone)} anchors that were made are gone, the first is {gone[0]}" if gone else ""
    return [RecordFault(INSTALLATION, made[gone[0]], RecordFaultKind.REMOVED, told)] if gone else []


def _read_anchors(runtime: Runtime) -> tuple[list[Anchor], list[RecordFault], set[str]]:
    """The anchors that are as they were written; a fault for each of the others; the names of all."""
    names: set[str] = set()
    found: list[Anchor] = []
    faults: list[RecordFault] = []
    for name, content in open_place(runtime.settings.audit_anchors, home=runtime.home).read_all():
        names.add(name)
        anchor = read_anchor(name, content, runtime.keys)
        if anchor is None:
            faults.append(
                RecordFault(INSTALLATION, 0, RecordFaultKind.CHANGED, f"anchor {name} is not as it was written")
            )
        else:
            found.append(anchor)
    return found, faults, names


def _check_anchors(
    runtime: Runtime, chain: str, head: ChainHead | None, anchors: Sequence[Anchor]
) -> list[RecordFault]:
    def check(anchor: Anchor) -> RecordFault | None:
        link = runtime.database.query(audit.find_link, chain, anchor.chains[chain][0])
        return check_anchor(anchor, chain, head, link.mac if link else None)

    found = (check(anchor) for anchor in anchors if chain in anchor.chains)
    return [fault for fault in found if fault is not None]


@serves("audit.anchor", Right.AUDIT, installation, trace=Trace.NOTHING)
def anchor_records(runtime: Runtime) -> MadeAnchor:
    """Write an anchor of all chains now; raises StorageFailed, SettingsError."""
    made = anchor_chains(runtime, runtime.principal)
    return MadeAnchor(made.name, len(made.ends)) if made else MadeAnchor(None, 0)
