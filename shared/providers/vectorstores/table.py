"""The vector stores by URL scheme."""

from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

from shared.errors import MissingExtra, SettingsError
from shared.providers.vectorstores.base import VectorStore

STORES = {"embedded": "shared.providers.vectorstores.embedded:EmbeddedVectorStore"}
ANNOUNCED = {"pinecone": "pinecone", "postgresql": "postgres"}


def open_vector_store(url: str, *, home: Path, collection_key: str, dimensions: int) -> VectorStore:
    """Open one collection's store, `embedded://` in the home folder; raises SettingsError or MissingExtra."""
    scheme = urlsplit(url).scheme
    if extra := ANNOUNCED.get(scheme):
        message = f"EMBEDMILL_VECTOR_URL: {scheme}:// needs the extra `{extra}`, which comes with a later release"
        raise MissingExtra(message, hint="Use embedded:// until then.")
    if scheme not in STORES:
        known = ", ".join(f"{name}://" for name in STORES)
        raise SettingsError(f"EMBEDMILL_VECTOR_URL: {url!r} names no vector store; known are {known}")
    module, name = STORES[scheme].split(":")
    store = getattr(import_module(module), name)
    opened: VectorStore = store(home / "vectors" / collection_key, dimensions=dimensions)
    return opened
