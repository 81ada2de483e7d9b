"""What a process holds open: settings, database, blobs, cache, embedders and vector stores."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db.collections import Collection, get_collection_by_id
from embedmill.shared.db.connecting import find_folder
from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.postgres import Sizing
from embedmill.shared.db.tombstones import Marker
from embedmill.shared.editions import Seen
from embedmill.shared.errors import TokenRefused
from embedmill.shared.homes import prepare_home
from embedmill.shared.presence import RUN
from embedmill.shared.providers.endpoints import EMBEDDINGS, MODELS, RERANKERS, find_endpoint
from embedmill.shared.providers.names import ModelName
from embedmill.shared.providers.rerankers.table import is_reranker
from embedmill.shared.redaction.hiding import Hider
from embedmill.shared.settings import Settings

if TYPE_CHECKING:
    from embedmill.shared.access.principals import Principal
    from embedmill.shared.audit.trail import Trail
    from embedmill.shared.caches.embeddings import EmbeddingCache
    from embedmill.shared.containers.places import Places
    from embedmill.shared.metering import Meter, Tally
    from embedmill.shared.privacy.keys import Keys
    from embedmill.shared.privacy.vault import Vault
    from embedmill.shared.providers.blobs.base import BlobStore
    from embedmill.shared.providers.embeddings.base import Embedder
    from embedmill.shared.providers.models.base import Model
    from embedmill.shared.providers.rerankers.base import Reranker
    from embedmill.shared.providers.vectorstores.base import VectorStore
    from embedmill.shared.query_log import QueryLog
    from embedmill.shared.redaction.redactor import Redactor
    from embedmill.shared.spend.spender import Spender


LOOK_SECONDS = 1.0
"""How often what takes long looks whether the token that it was asked with still names who asked."""


class _Call(threading.local):
    """What a thread does for whom: threads that share a runtime serve callers of their own."""

    caller: "Principal | None" = None
    is_by_token = False
    looked_at = 0.0
    is_serving = False


class Runtime:
    """What is shared between calls, opened on first use and for one process; raises HomeInUse, SettingsError."""

    def __init__(self, settings: Settings, *, process_id: str, slots: int = 1) -> None:
        self.settings = settings
        self._slots = slots
        self.process_id = process_id
        # Under what name this runtime reserves what others wait for; threads of a process have one each.
        self.owner = process_id
        self.home = prepare_home(settings)
        self._embedders: dict[str, Embedder] = {}
        self._models: dict[str, Model] = {}
        self._rerankers: dict[str, Reranker] = {}
        self._stores: dict[tuple[int, int, tuple[bool, bool]], VectorStore] = {}
        self._collections: dict[int, Collection] = {}
        self._collection_settings: dict[int, CollectionSettings] = {}
        self._redactors: dict[tuple[int, str, tuple[str, ...]], Redactor] = {}
        # Terms of collections with their synonyms, each as of a number of the collection's changes.
        self.terms: dict[int, tuple[int, Sequence[Sequence[str]]]] = {}
        # What readers see of documents, by collection.
        self.seen: dict[int, Seen] = {}
        self._call = _Call()
        # When this process last looked whether all words of a collection are counted.
        self.counted_at: dict[int, float] = {}

    @cached_property
    def database(self) -> Database:
        """The tracking database, migrated."""
        opened = open_database(self.settings.database, sizing=self._sizing)
        opened.open_sealed_with(self.vault.open_text)
        return opened

    @property
    def _sizing(self) -> Sizing:
        settings = self.settings
        return Sizing(self._slots, settings.database_statement_seconds, settings.database_outage_seconds)

    @cached_property
    def blobs(self) -> "BlobStore":
        """The blob store, which opens what is sealed."""
        from embedmill.shared.privacy.sealed_blobs import SealedBlobStore
        from embedmill.shared.providers.blobs.table import open_blob_store

        return SealedBlobStore(open_blob_store(self.settings.blob_url, home=self.home), self.vault)

    @cached_property
    def vault(self) -> "Vault":
        """What seals and opens what is stored of encrypted collections; it opens no key before it has to."""
        from embedmill.shared.privacy.vault import Vault

        return Vault(lambda: self.keys, lambda collection_id: self.collection_settings(collection_id).encrypt)

    @cached_property
    def cache(self) -> "EmbeddingCache":
        """Vectors by content address."""
        return self.open_cache(patience_seconds=self.settings.database_outage_seconds)

    def cache_of(self, collection_id: int, cache: "EmbeddingCache | None" = None) -> "EmbeddingCache":
        """The cache as a collection has it: with addresses of its own and vectors sealed where it is encrypted."""
        inner = cache or self.cache
        if not self.vault.is_encrypted(collection_id):
            return inner
        from embedmill.shared.privacy.sealed_cache import SealedCache

        return SealedCache(inner, self.vault, collection_id)

    def open_cache(self, *, patience_seconds: float = 0.0) -> "EmbeddingCache":
        """The cache once more, for another thread; to be closed by whoever opened it.

        A cache that is not in the tracking database is waited for, while it is away, for `patience_seconds` at most.
        """
        from embedmill.shared.opening_caches import open_cache

        sizing = replace(self._sizing, outage_seconds=patience_seconds)
        return open_cache(self.settings, self.home, database=lambda: self.database, sizing=sizing)

    @property
    def principal(self) -> "Principal":
        """Who calls, as of now: a token that was revoked names nobody any more. Raises TokenRefused."""
        if self._call.caller is not None:
            return self._call.caller
        if not self.settings.token:
            from embedmill.shared.access.principals import Principal

            return Principal.of_this_machine()
        return self._identify()

    def _identify(self) -> "Principal":
        from embedmill.shared.privacy.identities import identify

        file = self.settings.identity_file
        return identify(self.database, self.settings.token, file=file and file.expanduser())

    @property
    def is_called_by_token(self) -> bool:
        """Whether it is the token of the settings that says who calls, and not a door."""
        return bool(self.settings.token) and (self._call.caller is None or self._call.is_by_token)

    @contextmanager
    def acting_for(self, principal: "Principal", *, by_token: bool = False) -> Iterator[None]:
        """Within, services answer this principal: whom a door has made out by itself, or the token of the settings."""
        call = self._call
        before = call.caller, call.is_by_token
        call.caller, call.is_by_token = principal, by_token
        try:
            yield
        finally:
            call.caller, call.is_by_token = before

    def require_caller(self) -> None:
        """Raise TokenRefused once the token of a call under way names nobody any more, or may something else.

        What takes long, or has no end, asks it again and again. Whom a door has made out, that door looks after.
        """
        call = self._call
        if not call.is_by_token or time.monotonic() < call.looked_at + LOOK_SECONDS:
            return
        if self._identify() != call.caller:
            raise TokenRefused("what the token may was changed meanwhile")
        call.looked_at = time.monotonic()

    @property
    def is_serving(self) -> bool:
        """Whether this thread is inside of a service, which answers for those that it calls."""
        return self._call.is_serving

    @is_serving.setter
    def is_serving(self, inside: bool) -> None:
        self._call.is_serving = inside

    @cached_property
    def keys(self) -> "Keys":
        """The installation's keys; to be used first outside of a transaction."""
        from embedmill.shared.privacy.keys import Keys

        return Keys(self.database, url=self.settings.key, folder=find_folder(self.settings.database) or self.home)

    @cached_property
    def hider(self) -> Hider:
        """Seals what redaction keeps as it came, for a while."""
        return Hider(lambda: self.keys)

    def redactor(self, collection_id: int) -> "Redactor":
        """What hides values in a collection's texts, by its policy of now."""
        from embedmill.shared.redaction.redactor import Redactor

        collection = self.collection(collection_id)
        settings = self.collection_settings(collection_id)
        key = collection_id, settings.redact, tuple(settings.redact_keep)
        if key not in self._redactors:
            self._redactors[key] = Redactor(
                key[1],
                lambda: self.keys,
                collection.name,
                seconds=self.settings.redaction_seconds,
                scanner=self.settings.secret_scanner,
                keep=key[2],
            )
        return self._redactors[key]

    @cached_property
    def marker(self) -> Marker:
        """Makes the marks of what was erased."""
        return Marker(lambda: self.keys)

    @cached_property
    def trail(self) -> "Trail":
        """What writes down who did what."""
        from embedmill.shared.audit.trail import Trail

        return Trail(self.database, self.keys, mode=self.settings.audit, home=self.home)

    @cached_property
    def spender(self) -> "Spender":
        """The entry to paid calls."""
        from embedmill.shared.spend.spender import Spender

        return Spender(self.database, self.settings, owner=self.process_id)

    @cached_property
    def query_log(self) -> "QueryLog":
        """What queries came to, on its way into the database."""
        from embedmill.shared.query_log import QueryLog

        return QueryLog(self.database, lambda: self.keys.derive("query"), self.vault)

    @cached_property
    def places(self) -> "Places":
        """Where readings of containers stopped."""
        from embedmill.shared.containers.places import Places

        return Places()

    @cached_property
    def buckets(self) -> Any:
        """The client for buckets whose objects are documents; raises MissingExtra, StorageFailed."""
        from embedmill.shared.buckets.client import connect

        return connect("s3", wanted_by="reading s3://…", extra="s3")

    @property
    def run_folder(self) -> Path:
        """Where live processes keep their locks."""
        return self.home / RUN

    def collection(self, collection_id: int) -> Collection:
        """The collection as it was when this batch began (see `forget_collections`)."""
        if collection_id not in self._collections:
            self._collections[collection_id] = self.database.query(
                lambda connection: get_collection_by_id(connection, collection_id)
            )
        return self._collections[collection_id]

    def forget_collections(self) -> None:
        """Read collections anew, so that a batch sees settings that changed."""
        self._collections.clear()
        self._collection_settings.clear()
        if "keys" in vars(self):
            self.keys.forget_current()

    def collection_settings(self, collection_id: int) -> CollectionSettings:
        """The settings of a collection."""
        if collection_id not in self._collection_settings:
            self._collection_settings[collection_id] = read_collection_settings(self.collection(collection_id).settings)
        return self._collection_settings[collection_id]

    def embedder(self, name: str) -> "Embedder":
        """The embedder by its settings name."""
        from embedmill.shared.providers.embeddings.table import open_embedder

        if name not in self._embedders:
            opened = open_embedder(name, cache_dir=self.home / "models")
            opened.endpoint = self._endpoint(EMBEDDINGS, name)
            self._embedders[name] = opened
        return self._embedders[name]

    def model(self, name: str) -> "Model":
        """The model by its settings name."""
        from embedmill.shared.providers.models.table import open_model

        if name not in self._models:
            opened = open_model(name)
            opened.endpoint = self.model_endpoint(name)
            self._models[name] = opened
        return self._models[name]

    def reranker(self, name: str) -> "Reranker":
        """The reranker by its settings name."""
        from embedmill.shared.providers.rerankers.table import open_reranker

        if name not in self._rerankers:
            opened = open_reranker(name)
            opened.endpoint = self.model_endpoint(name)
            self._rerankers[name] = opened
        return self._rerankers[name]

    def fingerprint(self, collection: Collection) -> str:
        """The hash of all that shapes the vectors of a collection's documents, as this process would make them."""
        settings = read_collection_settings(collection.settings)
        return settings.fingerprint(
            model=collection.model,
            embedder_endpoint=self._endpoint(EMBEDDINGS, settings.embedding),
            validator_endpoint=self.model_endpoint(settings.validator),
            secret_scanner=self.settings.secret_scanner,
        )

    def model_endpoint(self, name: str) -> str:
        """Who answers for a model, where that is not the vendor; nothing is opened for it."""
        return self._endpoint(RERANKERS if is_reranker(name) else MODELS, name)

    def _endpoint(self, family: str, name: str) -> str:
        return find_endpoint(family, ModelName.parse(name).provider, gateways=self.settings.vendor_gateways)

    def store(self, collection: Collection, *, job_id: int | None = None) -> "VectorStore":
        """The vector store that holds a collection's shards; what it is billed is booked on both."""
        from embedmill.shared.opening_stores import open_store

        key = (collection.id, collection.index_version, self._sealing_of(collection.id))
        if key not in self._stores:
            self._stores[key] = open_store(
                self.settings,
                collection,
                self.collection_settings(collection.id),
                home=self.home,
                database=self.database,
                vault=self.vault,
                meter=self._store_meter(collection),
            )
        found = self._stores[key]
        return found if job_id is None else found.with_meter(self._store_meter(collection, job_id))

    def tallied_store(self, collection: Collection, tally: "Tally") -> "VectorStore":
        """The same store for whoever wants to tell what it is billed meanwhile."""
        return self.store(collection).with_meter(self._store_meter(collection, tally=tally))

    def _sealing_of(self, collection_id: int) -> tuple[bool, bool]:
        settings = self.collection_settings(collection_id)
        return settings.encrypt, settings.resealing

    def must_count_words_of(self, collection_id: int) -> bool:
        """The same of a collection; of one that is encrypted no words are told."""
        return self.must_count_words and not self.vault.is_encrypted(collection_id)

    @property
    def must_count_words(self) -> bool:
        """Whether the words of documents are counted in the tracking database, as the store's service counts none."""
        from embedmill.shared.providers.vectorstores.table import counts_words

        return not counts_words(self.settings.vector_url)

    def _store_meter(self, collection: Collection, job_id: int | None = None, tally: "Tally | None" = None) -> "Meter":
        from embedmill.shared.metering import FreeMeter
        from embedmill.shared.providers.vectorstores.table import find_offer

        if find_offer(self.settings.vector_url) is None:
            return FreeMeter()
        from embedmill.shared.spend.metering import StoreMeter

        return StoreMeter(self.spender, job_id=job_id, collection_id=collection.id, tally=tally)

    def open_spills(self) -> "BlobStore":
        """Where vector stores put what is too large for them."""
        from embedmill.shared.opening_stores import open_spills

        return open_spills(self.settings, self.home)

    def close(self) -> None:
        """Release everything that was opened."""
        opened = vars(self)
        if "query_log" in opened:
            self.query_log.close()
        for store in self._stores.values():
            store.close()
        for model in self._models.values():
            model.close()
        for reranker in self._rerankers.values():
            reranker.close()
        for embedder in self._embedders.values():
            embedder.close()
        if "cache" in opened:
            self.cache.close()
        if "spender" in opened:
            self.spender.close()
        if "database" in opened:
            self.database.close()
