"""The command on each vector store, and that store as a test opens it beside the command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from embedmill.shared.providers.blobs.folder import FolderBlobStore
from embedmill.shared.providers.vectorstores.base import StoreOptions, VectorStore
from embedmill.shared.providers.vectorstores.table import open_vector_store
from embedmill.simulators.pinecone import PineconeSimulator
from tests.command import Command
from tests.services import postgres
from tests.services.needed import require
from tests.services.pinecone import running_pinecone

STORES = ("embedded", "pgvector", "pinecone")


@dataclass(frozen=True, slots=True)
class Place:
    """A vector store's address, and its simulator where it has one."""

    url: str
    environment: dict[str, str]
    simulator: PineconeSimulator | None = None


@contextmanager
def running_place(name: str) -> Iterator[Place]:
    """The store called `name`, empty."""
    match name:
        case "pgvector":
            require(postgres.why_not(extension="vector"))
            with postgres.running_database(extension="vector") as server:
                yield Place(server.url, {})
        case "pinecone":
            with running_pinecone() as service:
                # Only our own setting of the key is for the vendor's SDK; a real one must not be used by a test.
                yield Place("pinecone://mill?timeout=2&fresh=5", service.environment, service.simulator)
        case _:
            yield Place("embedded://", {})


@dataclass(frozen=True, slots=True)
class Stored:
    """A command with its store."""

    cli: Command
    place: Place

    @contextmanager
    def opened(self, collection: str = "default") -> Iterator[VectorStore]:
        """The store of a collection, the first of its home."""
        shown = self.cli.json("collections", "show", collection)
        os.environ.update(self.place.environment)
        store = open_vector_store(
            self.place.url,
            StoreOptions(
                home=self.cli.home,
                collection_key="c1",
                dimensions=shown["dimensions"],
                spills=lambda: FolderBlobStore(self.cli.home / "spilled"),
            ),
        )
        try:
            yield store
        finally:
            store.close()
            for variable in self.place.environment:
                os.environ.pop(variable, None)
