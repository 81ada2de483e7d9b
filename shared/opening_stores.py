"""Opens a collection's vector store, by the settings: under its owner's name, sealed where the collection is."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.documents import count_known_documents
from embedmill.shared.db.engine import Database
from embedmill.shared.db.installation import find_installation, name_installation
from embedmill.shared.errors import StorageFailed, UserError
from embedmill.shared.homes import spill_url
from embedmill.shared.metering import Meter
from embedmill.shared.privacy.vault import Vault
from embedmill.shared.providers.blobs.base import BlobStore
from embedmill.shared.providers.blobs.table import open_blob_store
from embedmill.shared.providers.vectorstores.base import StoreOptions, VectorStore
from embedmill.shared.providers.vectorstores.places import Owner
from embedmill.shared.providers.vectorstores.table import is_remote, key_of, open_vector_store
from embedmill.shared.settings import Settings
from embedmill.shared.word_counts import WordCounter


def open_store(
    settings: Settings,
    collection: Collection,
    wanted: CollectionSettings,
    *,
    home: Path,
    database: Database,
    vault: Vault,
    meter: Meter,
) -> VectorStore:
    """The store of a collection with these settings; raises SettingsError, KeyUnavailable."""
    vault.current_key(collection.id)  # whoever lacks it is told so before the store is asked for anything
    options = StoreOptions(
        home=home,
        collection_key=key_of(collection.id),
        dimensions=collection.dimensions,
        spills=lambda: open_spills(settings, home),
        meter=meter,
        owner=_owner_of(collection, database),
        count_words=WordCounter(database, collection.id),
        ring=vault.ring(collection.id),
    )
    store = open_vector_store(settings.vector_url, options)
    is_sealed = (wanted.encrypt or wanted.resealing) and is_remote(settings.vector_url)
    return _sealed(store, collection, wanted, vault) if is_sealed else store


def _sealed(store: VectorStore, collection: Collection, wanted: CollectionSettings, vault: Vault) -> VectorStore:
    """A store of somebody else's as an encrypted collection has it; our own encrypts its files itself."""
    from embedmill.shared.access.labels import KEPT
    from embedmill.shared.providers.vectorstores.sealed import SealedStore

    return SealedStore(
        store,
        vault.ring(collection.id),
        dimensions=collection.dimensions,
        rotation=vault.rotation(collection.id, collection.dimensions) if wanted.obfuscates else None,
        labels=frozenset(KEPT.values()),
    )


def _owner_of(collection: Collection, database: Database) -> Owner:
    def count_known(ids: Sequence[str]) -> int:
        return database.query(lambda connection: count_known_documents(connection, collection.id, ids))

    return Owner(lambda: _installation(database), count_known)


def _installation(database: Database) -> str | None:
    """What this database calls itself in stores; None while it has no name and cannot be given one."""
    found = database.query(find_installation)
    if found is not None:
        return found
    with suppress(UserError, StorageFailed):
        return database.transact(name_installation)
    return None


def open_spills(settings: Settings, home: Path) -> BlobStore:
    """Where vector stores put what is too large for them: apart from the blobs, which the cleaner goes through."""
    return open_blob_store(spill_url(settings.blob_url, home), home=home)
