"""Re-encryption: a collection under a new key, one that was open to read encrypted, or one decrypted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from embedmill.console.listening import NOBODY, Listener, Teller
from embedmill.console.services.progress import find_rewriter, measure_job_progress, name_re_encryption
from embedmill.console.services.reach import in_collection
from embedmill.console.services.serving import serves
from embedmill.shared.access.principals import Right
from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db import collections, jobs
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.jobs import Rewriting
from embedmill.shared.db.resealing import count_ids
from embedmill.shared.errors import ScanStopped, UsageError, UserError
from embedmill.shared.providers.vectorstores.table import require_encrypting
from embedmill.shared.runtime import Runtime

Wanted = Literal["encrypt", "decrypt"]


@dataclass(frozen=True, slots=True)
class Resealed:
    """A collection as it is stored now: whether encrypted, under which key, and the job that made it so."""

    job: int
    collection: str
    encrypted: bool
    key: str | None
    documents: int


@serves("keys.re-encrypt", Right.MANAGE, in_collection("name"))
def reseal_collection(
    runtime: Runtime, name: str, *, wanted: Wanted = "encrypt", listener: Listener = NOBODY
) -> Resealed:
    """Write all that is stored of a collection anew under a new key, or, to decrypt it, without one.

    It is a job with progress, and no other one may be open. The collection can be searched meanwhile, though a store
    of somebody else's finds a part of it only. What was cut short is taken up by the same call. Raises NotFound,
    UserError, UsageError, KeyUnavailable, and ScanStopped where somebody cancels or pauses the job.
    """
    from embedmill.workers.resealing import Resealer
    from embedmill.workers.rewriting import alone

    decrypts, teller = wanted == "decrypt", Teller(listener)
    with alone(runtime, UserError("an erasure or re-encryption is under way", hint="embedmill jobs list")) as go_on:
        found, job_id, begun = _begin(runtime, name, decrypts=decrypts)
        runtime.forget_collections()
        resealer = Resealer(runtime, found)
        for _ in resealer.steps():
            go_on()
            done = replace(begun, documents=resealer.documents)
            with _hinting(name, decrypts=decrypts):
                runtime.database.transact(lambda c, done=done: jobs.note_rewritten(c, job_id, done))  # type: ignore[misc]
            teller.tell(lambda: measure_job_progress(runtime, runtime.database.query(jobs.get_job, job_id)))
        with _hinting(name, decrypts=decrypts):
            runtime.database.transact(lambda connection: _end(connection, name, job_id))
    runtime.forget_collections()
    key = runtime.vault.current_key(found.id)
    return Resealed(job_id, name, not decrypts, key.id if key else None, resealer.documents)


def find_in_part(runtime: Runtime, connection: Connection) -> list[str]:
    """What writes the rest of each collection that is written anew in part, and by nobody now."""
    if find_rewriter(runtime, connection) is not None:
        return []
    found = ((each.name, read_collection_settings(each.settings)) for each in collections.list_collections(connection))
    return [name_re_encryption(name, decrypts=not its.encrypt) for name, its in found if its.resealing]


@contextmanager
def _hinting(name: str, *, decrypts: bool) -> Iterator[None]:
    try:
        yield
    except ScanStopped as stopped:
        rest = f"{name} is written anew in part; {name_re_encryption(name, decrypts=decrypts)} writes the rest"
        raise ScanStopped(str(stopped), hint=rest) from None


def _begin(runtime: Runtime, name: str, *, decrypts: bool) -> tuple[Collection, int, Rewriting]:
    if not decrypts:
        require_encrypting(runtime.settings.vector_url)
    root = runtime.keys.root

    def begin(connection: Connection) -> tuple[Collection, int, Rewriting]:
        found = collections.get_collection(connection, name)
        collections.require_idle(connection, found.id, but=jobs.RE_ENCRYPTION)
        settings = read_collection_settings(found.settings)
        if decrypts and not settings.encrypt and not settings.resealing:
            raise UsageError(f"{name} is not encrypted")
        if not decrypts and not (settings.resealing and settings.encrypt):
            runtime.keys.create_data_key(connection, found.id, root)
        _write(connection, found, encrypt=not decrypts, resealing=True)
        begun = Rewriting(0, count_ids(connection, found.id), decrypts, runtime.process_id)
        job_id = jobs.open_rewriting(connection, found.id, begun)
        return collections.get_collection(connection, name), job_id, begun

    return runtime.database.transact(begin)


def _end(connection: Connection, name: str, job_id: int) -> None:
    jobs.end_rewriting(connection, job_id)
    found = collections.get_collection(connection, name)
    _write(connection, found, encrypt=read_collection_settings(found.settings).encrypt, resealing=False)


def _write(connection: Connection, collection: Collection, *, encrypt: bool, resealing: bool) -> None:
    settings = CollectionSettings(**{**collection.settings, "encrypt": encrypt, "resealing": resealing})
    collections.update_settings(connection, collection.id, settings.as_json())
