"""The vector stores by URL scheme."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from urllib.parse import urlsplit

from embedmill.shared.errors import MissingExtra, SettingsError
from embedmill.shared.metering import FreeMeter, Meter
from embedmill.shared.providers.blobs.base import BlobStore
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.metering import Offer
from embedmill.shared.providers.vectorstores.pinecone import units as pinecone_units
from embedmill.shared.providers.vectorstores.places import Owner

STORES = {
    "embedded": "embedmill.shared.providers.vectorstores.embedded.store:EmbeddedVectorStore",
    "pinecone": "embedmill.shared.providers.vectorstores.pinecone.store:PineconeVectorStore",
    "postgresql": "embedmill.shared.providers.vectorstores.pgvector.store:PgVectorStore",
}
EXTRAS = {"pinecone": ("pinecone", ("pinecone",)), "postgresql": ("pgvector", ("psycopg", "pgvector"))}
"""The extra of a scheme and the packages that it brings."""
OFFERS = {"pinecone": pinecone_units.OFFER}
"""What a scheme's service bills; the others bill no requests."""


def is_remote(url: str) -> bool:
    """Whether somebody else's computer keeps the vectors."""
    return urlsplit(url).scheme != "embedded"


def find_offer(url: str) -> Offer | None:
    """What the service behind a URL bills its requests by; None when it does not."""
    return OFFERS.get(urlsplit(url).scheme)


def open_vector_store(
    url: str,
    *,
    home: Path,
    collection_key: str,
    dimensions: int,
    spills: Callable[[], BlobStore] | None = None,
    meter: Meter | None = None,
    owner: Owner | None = None,
) -> VectorStore:
    """Open one collection's store, `embedded://` in the home folder; raises SettingsError or MissingExtra.

    `spills` opens where a store puts what is too large for the service; without it such rows are refused. `meter` keeps
    the books of a service that bills its requests (`find_offer`). `owner` says who opens it, so that two installations
    do not write to one place; without it nobody asks.
    """
    scheme = urlsplit(url).scheme
    if scheme not in STORES:
        known = ", ".join(f"{name}://" for name in STORES)
        # Not the URL itself, which may hold a password.
        raise SettingsError(f"EMBEDMILL_VECTOR_URL: {scheme!r} names no vector store; known are {known}")
    _require_extra(scheme)
    store: Any = resolve_name(STORES[scheme])
    opened: VectorStore
    match scheme:
        case "embedded":
            opened = store(home / "vectors" / collection_key, dimensions=dimensions, owner=owner)
        case "postgresql":
            opened = store(url, collection_key=collection_key, dimensions=dimensions, owner=owner)
        case _:
            opened = store(
                url,
                collection_key=collection_key,
                dimensions=dimensions,
                spills=spills,
                meter=meter or FreeMeter(),
                owner=owner,
            )
    return opened


def _require_extra(scheme: str) -> None:
    extra, packages = EXTRAS.get(scheme, ("", ()))
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        message = f"EMBEDMILL_VECTOR_URL: {scheme}:// needs the package {missing[0]}"
        raise MissingExtra(message, hint=f"pip install 'embedmill[{extra}]'")
