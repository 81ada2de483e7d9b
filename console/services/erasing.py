"""Erasing documents for good: what would go, the erasing itself, and what its receipts say of the present."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from embedmill.console.listening import NOBODY, Listener, Notice, Severity
from embedmill.console.services.choosing import Called, choose, find_called, name_ids, walk_documents
from embedmill.console.services.documents import EVERY_DOCUMENT, DocumentQuery
from embedmill.console.services.reach import in_documents, installation
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.principals import Right
from embedmill.shared.db import erasures, tombstones
from embedmill.shared.durations import moment
from embedmill.shared.erasing import ASKED
from embedmill.shared.errors import NotFound, NotYetErased, StorageFailed, UsageError
from embedmill.shared.paging import pages
from embedmill.shared.runtime import Runtime
from embedmill.workers.erasing import receipts
from embedmill.workers.erasing.base import PAGE, Left

SHOWN = 20
PATIENCE_SECONDS = 120.0
"""So long is waited for workers and stores; then the workers' chores go on with it."""
LONGEST_PAUSE_SECONDS = 2.0
NONE = Called({}, {})


@dataclass(frozen=True, slots=True)
class ErasurePreview:
    """How many documents would be erased, some of them, and how many others have the same content and stay.

    `spelled` has the URIs on record of those that were named by other spellings, by these.
    """

    erased: int
    would_erase: int
    examples: Sequence[str]
    same_content: int
    spelled: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ErasedDocuments:
    """How many documents were erased, and where the receipts are.

    `waits_for` says what stands in the way of those that are not; `left` is what may hold something of them.
    `spelled` has the URIs on record of those that were named by other spellings, by these.
    """

    erased: int
    receipt: Path | None
    receipts: Sequence[Path]
    erasures: Sequence[str]
    waits_for: str | None
    left: Sequence[Left]
    spelled: Mapping[str, str] = field(default_factory=dict)


@serves("documents.preview_erasure", Right.MANAGE, in_documents(), trace=Trace.NOTHING)
def preview_erasure(
    runtime: Runtime,
    names: Sequence[str] = (),
    query: DocumentQuery = EVERY_DOCUMENT,
    *,
    subject: str | None = None,
) -> ErasurePreview:
    """What `erase_documents` would erase; raises the same."""
    from embedmill.shared.db import traces

    chosen = _choose(runtime, names, query, subject)
    found = chosen.documents
    copies = sum(runtime.database.query(traces.count_copies, part) for part in pages(list(found), PAGE))
    return ErasurePreview(0, len(found), list(found.values())[:SHOWN], copies, chosen.spelled)


@serves("documents.erase", Right.MANAGE, in_documents(), told=("names",))
def erase_documents(
    runtime: Runtime,
    names: Sequence[str] = (),
    query: DocumentQuery = EVERY_DOCUMENT,
    *,
    subject: str | None = None,
    listener: Listener = NOBODY,
    patience_seconds: float = PATIENCE_SECONDS,
) -> ErasedDocuments:
    """Erase documents: those that are named, those of a query, or those in which a person is named.

    An erasure that was cut off is taken up by asking for the same again. Raises UsageError, NotFound.
    """
    from embedmill.workers.erasing import eraser

    under_way = _find_under_way(runtime, names, query)
    left = [name for name in names if name not in under_way]
    open_ = sorted(set(under_way.values()))
    chosen = _choose(runtime, left, query, subject) if left or not names else NONE
    if chosen.documents:
        open_.append(eraser.begin(runtime, list(chosen.documents), cause=ASKED))
    if subject is not None:
        from embedmill.console.services.subjects import forget_subject

        forget_subject(runtime, subject, collection=query.collection)
    done = carry_out(runtime, open_, listener=listener, patience_seconds=patience_seconds)
    return replace(done, spelled=chosen.spelled)


def _find_under_way(runtime: Runtime, names: Sequence[str], query: DocumentQuery) -> dict[str, str]:
    """The open erasure of each name that has one: its document may be known by nothing else any more."""
    found: dict[str, str] = {}
    marker = runtime.marker
    for name in names if runtime.database.query(erasures.list_open) else ():
        ids = name_ids(runtime, [name], collection=query.collection)
        if open_ := runtime.database.query(erasures.find_open_of, ids):
            found[name] = next(iter(open_.values()))
        elif concluding := runtime.database.query(erasures.find_open_by_marks, list(map(marker.of_document, ids))):
            found[name] = concluding
    return found


def carry_out(
    runtime: Runtime, ids: Sequence[str], *, listener: Listener = NOBODY, patience_seconds: float = PATIENCE_SECONDS
) -> ErasedDocuments:
    """Take the steps of erasures that are left, and wait for what they wait for, but not for ever."""
    deadline = time.monotonic() + patience_seconds
    done: dict[str, Mapping[str, Any]] = {}
    waits_for: str | None = None
    for id in ids:
        receipt, waits_for = _insist(runtime, id, deadline, listener)
        if receipt is None:
            break
        done[id] = receipt
    kept = [runtime.home / receipts.FOLDER / f"{id}.json" for id in done]
    erased = sum(len(receipt["documents"]) for receipt in done.values())
    left = {Left(*pair): None for receipt in done.values() for pair in receipts.left_in(receipt)}
    return ErasedDocuments(erased, kept[-1] if kept else None, kept, list(ids), waits_for, list(left))


def _insist(
    runtime: Runtime, id: str, deadline: float, listener: Listener
) -> tuple[Mapping[str, Any] | None, str | None]:
    from embedmill.workers.erasing import eraser

    told, pause = "", 0.05
    while True:
        try:
            return eraser.carry_out(runtime, id), None
        except (NotYetErased, StorageFailed) as error:
            if time.monotonic() > deadline:
                return None, str(error)
            if str(error) != told:
                told = str(error)
                listener.on_notice(Notice(f"waiting: {told}", Severity.INFO))
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _choose(runtime: Runtime, names: Sequence[str], query: DocumentQuery, subject: str | None) -> Called:
    if sum((bool(names), not query.is_everything, subject is not None)) != 1:
        raise UsageError("name documents, or give --where, or --subject; one of them")
    if names:
        return find_called(runtime, names, query)
    if subject is None:
        listing = walk_documents(runtime, choose(runtime, names, query).wanted)
        return Called({listed.id: listed.uri for page in listing for listed in page}, {})
    from embedmill.console.services.subjects import find_subject

    return Called(find_subject(runtime, subject, collection=query.collection), {})


@dataclass(frozen=True, slots=True)
class ListedErasure:
    """An erasure: `waits_for` is what stands in its way."""

    id: str
    cause: str
    state: str
    documents: int
    step: str
    waits_for: str | None
    created: datetime
    finished: datetime | None
    receipt: Path | None


@dataclass(frozen=True, slots=True)
class ErasureList:
    """The newest erasures."""

    erasures: Sequence[ListedErasure]


@serves("erasures.list", Right.AUDIT, installation)
def list_erasures(runtime: Runtime, *, limit: int = 100) -> ErasureList:
    """The newest erasures, whoever asked for them."""
    found = runtime.database.query(partial(erasures.list_erasures, limit=limit))
    return ErasureList([_describe(runtime, erasure) for erasure in found])


def _describe(runtime: Runtime, erasure: erasures.Erasure) -> ListedErasure:
    path = runtime.home / receipts.FOLDER / f"{erasure.id}.json"
    return ListedErasure(
        erasure.id,
        erasure.cause,
        erasure.state,
        erasure.documents,
        erasure.step,
        erasure.error,
        moment(erasure.created_at),
        None if erasure.finished_at is None else moment(erasure.finished_at),
        path if path.exists() else None,
    )


@serves("erasures.show", Right.AUDIT, installation)
def show_receipt(runtime: Runtime, id: str) -> Mapping[str, Any]:
    """The receipt of an erasure, on whatever host it was carried out; raises NotFound while there is none."""
    found = runtime.database.query(erasures.get_erasure, id)
    if found.receipt is None:
        raise NotFound(f"erasure {id} is not done: {found.error or found.step}", hint="embedmill erasures list")
    return found.receipt


@dataclass(frozen=True, slots=True)
class Lifted:
    """How many tombstones were taken away."""

    lifted: int


@serves("erasures.lift", Right.MANAGE, installation)
def lift_tombstones(runtime: Runtime, names: Sequence[str], *, collection: str | None = None) -> Lifted:
    """Let documents in again, by their names, the beginnings of marks, or the ids of erasures; raises NotFound."""

    def lift_one(name: str) -> int:
        ids = name_ids(runtime, [name], collection=collection)
        marks = [runtime.marker.of_document(id) for id in ids]
        transact = runtime.database.transact
        return transact(tombstones.lift, name.removeprefix("erased:")) or transact(tombstones.lift_marks, marks)

    counts = {name: lift_one(name) for name in names}
    if unknown := [name for name, count in counts.items() if not count]:
        raise NotFound(f"nothing that was erased is called {unknown[0]!r}", hint="embedmill erasures list")
    return Lifted(sum(counts.values()))
