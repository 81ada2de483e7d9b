"""The vector stores by URL scheme."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from embedmill.shared.errors import MissingExtra, SettingsError

if TYPE_CHECKING:
    from embedmill.shared.providers.vectorstores.base import StoreOptions, VectorStore
    from embedmill.shared.providers.vectorstores.metering import Offer


@dataclass(frozen=True, slots=True)
class Store:
    """How a scheme's stores are reached: `module:Class`, and the extra with the packages that it brings."""

    store: str
    extra: str = ""
    packages: tuple[str, ...] = ()
    offer: str = ""
    """`module:NAME` of what the service bills; empty for one that bills no requests."""
    is_remote: bool = True
    """Whether somebody else's computer keeps the vectors."""
    encrypting: str = ""
    """The package with which it encrypts its files."""
    counts_words: bool = True
    """Whether it knows how many rows hold a word, or has to be told (`StoreOptions.count_words`)."""
    glance: str = ""
    """`module:function` that tells whether rows may wait for today's cutter, without what opens the store."""


_HERE = "embedmill.shared.providers.vectorstores"
STORES = {
    "embedded": Store(
        f"{_HERE}.embedded.store:EmbeddedVectorStore",
        is_remote=False,
        encrypting="sqlcipher3",
        glance=f"{_HERE}.embedded.lagging:may_lag",
    ),
    "pinecone": Store(
        f"{_HERE}.pinecone.store:PineconeVectorStore",
        "pinecone",
        ("pinecone",),
        f"{_HERE}.pinecone.units:OFFER",
        counts_words=False,
    ),
    "postgresql": Store(f"{_HERE}.pgvector.store:PgVectorStore", "pgvector", ("psycopg", "pgvector")),
}


def is_remote(url: str) -> bool:
    """Whether somebody else's computer keeps the vectors; raises SettingsError."""
    return _find(url).is_remote


def counts_words(url: str) -> bool:
    """Whether the store counts words itself; raises SettingsError."""
    return _find(url).counts_words


def may_lag(url: str, home: Path, collection_key: str, shards: Sequence[str], *, dimensions: int) -> bool:
    """Whether rows may wait for today's cutter, as far as that is to be had for little; raises SettingsError."""
    glance = _find(url).glance
    return not glance or bool(resolve_name(glance)(home, collection_key, shards, dimensions=dimensions))


def key_of(collection_id: int) -> str:
    """What a collection is called where its vectors are."""
    return f"c{collection_id}"


def require_encrypting(url: str) -> None:
    """Raise MissingExtra where a store cannot encrypt its files; SettingsError."""
    if (package := _find(url).encrypting) and find_spec(package) is None:
        raise MissingExtra(f"an encrypted store needs the package {package}: pip install 'embedmill[encryption]'")


def find_offer(url: str) -> "Offer | None":
    """What the service behind a URL bills its requests by; None when it does not."""
    found = STORES.get(urlsplit(url).scheme)
    return _offer(found) if found is not None else None


def list_offers() -> "Iterator[Offer]":
    """All that services bill."""
    return (offer for store in STORES.values() if (offer := _offer(store)) is not None)


def open_vector_store(url: str, options: "StoreOptions") -> "VectorStore":
    """Open one collection's store, `embedded://` in the home folder; raises SettingsError or MissingExtra."""
    found = _find(url)
    missing = [package for package in found.packages if find_spec(package) is None]
    if missing:
        message = f"EMBEDMILL_VECTOR_URL: {urlsplit(url).scheme}:// needs the package {missing[0]}"
        raise MissingExtra(message, hint=f"pip install 'embedmill[{found.extra}]'")
    store: type[VectorStore] = resolve_name(found.store)
    return store.open(url, options)


def _find(url: str) -> Store:
    scheme = urlsplit(url).scheme
    if scheme not in STORES:
        known = ", ".join(f"{name}://" for name in STORES)
        # Not the URL itself, which may hold a password.
        raise SettingsError(f"EMBEDMILL_VECTOR_URL: {scheme!r} names no vector store; known are {known}")
    return STORES[scheme]


def _offer(store: Store) -> "Offer | None":
    found: Offer | None = resolve_name(store.offer) if store.offer else None
    return found
