"""What a process holds open: settings, database, blobs, cache, embedders and vector stores."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from shared.collections import CollectionSettings, read_collection_settings
from shared.db.collections import Collection, get_collection_by_id
from shared.db.engine import Database, open_database
from shared.errors import HomeInUse
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.cache import EmbeddingCache
    from shared.providers.blobs.base import BlobStore
    from shared.providers.embeddings.base import Embedder
    from shared.providers.models.base import Model
    from shared.providers.vectorstores.base import VectorStore
    from shared.spend.spender import Spender


class Runtime:
    """What is shared between calls, opened on first use and for one process; raises HomeInUse, SettingsError."""

    def __init__(self, settings: Settings, *, process_id: str) -> None:
        self.settings = settings
        self.process_id = process_id
        self.home = prepare_home(settings)
        self._embedders: dict[str, Embedder] = {}
        self._models: dict[str, Model] = {}
        self._stores: dict[tuple[int, int], VectorStore] = {}
        self._collections: dict[int, Collection] = {}

    @cached_property
    def database(self) -> Database:
        """The tracking database, migrated."""
        return open_database(self.settings.database)

    @cached_property
    def blobs(self) -> "BlobStore":
        """The blob store."""
        from shared.providers.blobs.table import open_blob_store

        return open_blob_store(self.settings.blob_url, home=self.home)

    @cached_property
    def cache(self) -> "EmbeddingCache":
        """Vectors by content address."""
        from shared.cache import EmbeddingCache

        return EmbeddingCache(self.home / "cache.db")

    @cached_property
    def spender(self) -> "Spender":
        """The entry to paid calls."""
        from shared.spend.spender import Spender

        return Spender(self.database, self.settings, owner=self.process_id)

    @property
    def run_folder(self) -> Path:
        """Where live processes keep their locks."""
        return self.home / "run"

    def collection(self, collection_id: int) -> Collection:
        """The collection as it was when this batch began (see `forget_collections`)."""
        if collection_id not in self._collections:
            with self.database.read() as connection:
                self._collections[collection_id] = get_collection_by_id(connection, collection_id)
        return self._collections[collection_id]

    def forget_collections(self) -> None:
        """Read collections anew, so that a batch sees settings that changed."""
        self._collections.clear()

    def collection_settings(self, collection_id: int) -> CollectionSettings:
        """The settings of a collection."""
        return read_collection_settings(self.collection(collection_id).settings)

    def embedder(self, name: str) -> "Embedder":
        """The embedder by its settings name."""
        from shared.providers.embeddings.table import open_embedder

        if name not in self._embedders:
            self._embedders[name] = open_embedder(name, cache_dir=self.home / "models")
        return self._embedders[name]

    def model(self, name: str) -> "Model":
        """The model by its settings name."""
        from shared.providers.models.table import open_model

        if name not in self._models:
            self._models[name] = open_model(name)
        return self._models[name]

    def store(self, collection: Collection) -> "VectorStore":
        """The vector store that holds a collection's shards."""
        from shared.providers.vectorstores.table import open_vector_store

        key = (collection.id, collection.index_version)
        if key not in self._stores:
            self._stores[key] = open_vector_store(
                self.settings.vector_url,
                home=self.home,
                collection_key=f"c{collection.id}",
                dimensions=collection.dimensions,
            )
        return self._stores[key]

    def close(self) -> None:
        """Release everything that was opened."""
        opened = vars(self)
        for store in self._stores.values():
            store.close()
        for model in self._models.values():
            model.close()
        if "cache" in opened:
            self.cache.close()
        if "spender" in opened:
            self.spender.close()
        if "database" in opened:
            self.database.close()


def prepare_home(settings: Settings) -> Path:
    """Make the home folder; raises HomeInUse when that is not possible."""
    home = settings.home_path
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeInUse(
            f"cannot make the home folder {home}: {error.strerror}",
            hint="Point EMBEDMILL_HOME at a folder that this user may write.",
        ) from None
    return home
