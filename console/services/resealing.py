"""Re-encryption: a collection under a new key, one that was open to read encrypted, or one decrypted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from embedmill.console.listening import NOBODY, Listener, Teller
from embedmill.console.services.reach import in_collection
from embedmill.console.services.serving import serves
from embedmill.shared.access.principals import Right
from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db import collections
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.errors import UsageError, UserError
from embedmill.shared.providers.vectorstores.table import require_encrypting
from embedmill.shared.runtime import Runtime

Wanted = Literal["encrypt", "decrypt"]


@dataclass(frozen=True, slots=True)
class Resealing:
    """How far it is: what was written anew last, and the documents that are done."""

    step: str
    documents: int


@dataclass(frozen=True, slots=True)
class Resealed:
    """A collection as it is stored now: whether encrypted, and under which key."""

    collection: str
    encrypted: bool
    key: str | None
    documents: int


@serves("keys.re-encrypt", Right.MANAGE, in_collection("name"))
def reseal_collection(
    runtime: Runtime, name: str, *, wanted: Wanted = "encrypt", listener: Listener = NOBODY
) -> Resealed:
    """Write all that is stored of a collection anew under a new key, or, to decrypt it, without one.

    No job may be open. It can be searched meanwhile, though a store of somebody else's finds a part of it only. What
    was cut short is taken up by the same call. Raises NotFound, UserError, UsageError, KeyUnavailable.
    """
    found = _begin(runtime, name, encrypt=wanted == "encrypt")
    runtime.forget_collections()
    told, documents = Teller(listener), 0
    for step, documents in _work(runtime, found):
        told.tell(lambda s=step, d=documents: Resealing(s, d))  # type: ignore[misc]
    runtime.database.transact(_end, name)
    runtime.forget_collections()
    key = runtime.vault.current_key(found.id)
    return Resealed(name, wanted == "encrypt", key.id if key else None, documents)


def _work(runtime: Runtime, collection: Collection) -> Iterator[tuple[str, int]]:
    from embedmill.workers.resealing import Resealer
    from embedmill.workers.rewriting import alone

    resealer = Resealer(runtime, collection)
    with alone(runtime, UserError("an erasure is under way", hint="embedmill erasures list")) as go_on:
        for step in resealer.steps():
            go_on()
            yield step, resealer.documents


def _begin(runtime: Runtime, name: str, *, encrypt: bool) -> Collection:
    if encrypt:
        require_encrypting(runtime.settings.vector_url)
    root = runtime.keys.root

    def begin(connection: Connection) -> Collection:
        found = collections.get_collection(connection, name)
        collections.require_idle(connection, found.id)
        settings = read_collection_settings(found.settings)
        if not encrypt and not settings.encrypt and not settings.resealing:
            raise UsageError(f"{name} is not encrypted")
        if encrypt and not (settings.resealing and settings.encrypt):
            runtime.keys.create_data_key(connection, found.id, root)
        _write(connection, found, encrypt=encrypt, resealing=True)
        return collections.get_collection(connection, name)

    return runtime.database.transact(begin)


def _end(connection: Connection, name: str) -> None:
    found = collections.get_collection(connection, name)
    _write(connection, found, encrypt=read_collection_settings(found.settings).encrypt, resealing=False)


def _write(connection: Connection, collection: Collection, *, encrypt: bool, resealing: bool) -> None:
    settings = CollectionSettings(**{**collection.settings, "encrypt": encrypt, "resealing": resealing})
    collections.update_settings(connection, collection.id, settings.as_json())
