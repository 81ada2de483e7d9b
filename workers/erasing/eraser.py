"""Carries an erasure out: its steps in their order, each safe to repeat, and where it is stands in the database.

Whoever runs it may die at any moment. Whoever runs it next begins with the step that was not ended. One process erases
at a time: two would write each other's packs anew.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from embedmill.shared.db import erasures, tombstones, traces, withdrawing
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.tombstones import NamedDocument
from embedmill.shared.erasing import RETENTION, ErasureState, MarkKind
from embedmill.shared.errors import DatabaseAway, EmbedmillError, NotYetErased, TransactionLost
from embedmill.shared.logs import get_logger
from embedmill.shared.paging import pages
from embedmill.shared.runtime import Runtime
from embedmill.workers.erasing import (
    backups,
    caches,
    checking,
    objects,
    queue,
    receipts,
    stores,
    tracker,
    vendors,
    watching,
)
from embedmill.workers.erasing.base import PAGE, Done, ErasureRun
from embedmill.workers.rewriting import alone

log = get_logger()


@dataclass(frozen=True, slots=True)
class ErasureStep:
    """A step by its name, which stands in the database while it is the next."""

    name: str
    take: Callable[[ErasureRun], Done]


STEPS = (
    ErasureStep("queue", queue.withdraw),
    ErasureStep("vendors", vendors.recall),
    ErasureStep("caches", caches.forget),
    ErasureStep("stores", stores.remove),
    ErasureStep("objects", objects.rewrite),
    ErasureStep("unreferenced", objects.sweep),
    ErasureStep("check", checking.check),
    ErasureStep("tracker", tracker.remove),
    ErasureStep("files", tracker.clean),
    ErasureStep("backups", backups.name),
)
"""What asks a store is before what removes records: a store that is billed leaves one of each question."""
RECEIPT, WIPE = "receipt", "wipe"
"""After the last step: what was done is signed, and then what an erasure itself knew of its documents goes."""


def begin(runtime: Runtime, documents: Sequence[str], *, cause: str) -> str:
    """Open an erasure and hide its documents from everybody, all together; returns its id.

    From here on no source brings them back, and no reader sees them, whatever becomes of this process.
    """
    id, marker = secrets.token_hex(8), runtime.marker

    def open_(connection: Connection) -> None:
        contents, places, uris = dict[str, tuple[str, str]](), dict[str, int](), dict[str, str]()
        for part in pages(documents, PAGE):
            withdrawing.hide(connection, part)
            contents |= traces.find_contents(connection, part)
            places |= traces.find_collections(connection, part)
            uris |= traces.find_uris(connection, part)
        marks: dict[str, MarkKind] = {}
        for document, (collection, content_hash) in contents.items():
            found = marker.marks(NamedDocument(document, collection, content_hash, uris[document]))
            marks |= {mark: kind for kind, mark in found.items() if kind in _wanted(cause)}
        tombstones.set_tombstones(connection, id, marks)
        erasures.open_erasure(connection, id, places, cause=cause, step=STEPS[0].name)

    # Keys are made and opened outside of the transaction: without them nothing is begun that could not go on.
    marker.of_document("")
    for collection_id in set(runtime.database.query(_find_places, documents).values()):
        runtime.vault.current_key(collection_id)
    runtime.database.transact(open_)
    log.info("erasure.begun", erasure=id, documents=len(documents), cause=cause)
    return id


def _find_places(connection: Connection, documents: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in pages(documents, PAGE):
        found |= traces.find_collections(connection, part)
    return found


def _wanted(cause: str) -> set[MarkKind]:
    """What keeps it out: whose time was up may come back when it has changed."""
    return {MarkKind.VERSION} if cause == RETENTION else {MarkKind.DOCUMENT, MarkKind.CONTENT}


def carry_out(runtime: Runtime, id: str, *, on_step: Callable[[str], object] = lambda _step: None) -> Mapping[str, Any]:
    """Take the steps that are left; returns the receipt. Raises NotYetErased, and what services raise."""
    with alone(runtime, NotYetErased("another process writes stored objects anew")) as go_on:
        erasure = runtime.database.query(erasures.get_erasure, id)
        names = [step.name for step in STEPS]
        for step in STEPS[names.index(erasure.step) :] if erasure.step in names else ():
            on_step(step.name)
            go_on()
            _take(runtime, id, step)
        return _conclude(runtime, id)


def _take(runtime: Runtime, id: str, step: ErasureStep) -> None:
    try:
        done = step.take(ErasureRun(runtime, runtime.database.query(erasures.get_erasure, id)))
    except EmbedmillError as error:
        runtime.database.transact(partial(erasures.note_error, id=id, error=f"{step.name}: {error}"))
        raise
    following = next((after.name for after in STEPS[STEPS.index(step) + 1 :]), RECEIPT)
    found = {step.name: done.as_json(), f"{step.name} ended": done.at}
    runtime.database.transact(partial(erasures.move, id=id, step=following, found=found))
    log.info("erasure.step", erasure=id, step=step.name)


def _conclude(runtime: Runtime, id: str) -> Mapping[str, Any]:
    """Sign the receipt, forget which documents they were, and see that nothing of that is left either."""
    run = ErasureRun(runtime, runtime.database.query(erasures.get_erasure, id))
    receipt = run.erasure.receipt
    if receipt is None:
        receipt = receipts.make(run, {step.name: run.erasure.progress[step.name] for step in STEPS})
        watched = watching.seal_ids(runtime, {d.document_id: d.collection_id for s in run.walk() for d in s.documents})
        conclude = partial(erasures.conclude, id=id, receipt=receipt, watched=watched, step=WIPE)
        runtime.database.transact(conclude)
    receipts.keep(runtime, receipt)
    backups.accompany(runtime, receipt)
    if run.erasure.state is ErasureState.OPEN:
        tracker.clean_up(runtime)
        runtime.database.transact(partial(erasures.finish, id=id))
        log.info("erasure.done", erasure=id)
    return receipt


def take_up(runtime: Runtime) -> int:
    """Go on with erasures that are not done; returns how many were ended. What they wait for, they wait for again."""
    ended = 0
    for id in runtime.database.query(erasures.list_open):
        try:
            carry_out(runtime, id)
            ended += 1
        except (DatabaseAway, TransactionLost):
            raise
        except EmbedmillError as error:
            log.info("erasure.waits", erasure=id, error_class=type(error).__name__, why=str(error))
    return ended
