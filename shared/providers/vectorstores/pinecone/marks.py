"""Owns the marks of places on Pinecone: an empty namespace for each owner, which costs nothing and no search meets."""

from itertools import islice

from embedmill.shared.editions import parse_id
from embedmill.shared.providers.vectorstores.pinecone import units
from embedmill.shared.providers.vectorstores.pinecone.asking import LIST_IDS, Asking

OWNED = "-owned-by-"
"""Between a place and its owner's name, in the name of the namespace that is the mark."""


class NamespaceMarks:
    """The marks of an index, as `places.Marks` has them; `prefix` is before the name of every namespace."""

    def __init__(self, asking: Asking, prefix: str) -> None:
        self._asking = asking
        self._prefix = prefix

    def read_marks(self, place: str) -> set[str]:
        """The names that are written there."""
        beginning = f"{self._prefix}{place}{OWNED}"
        pages = self._asking.persist(
            lambda: self._asking.client.find(
                beginning, lambda index: [page.namespaces for page in index.list_namespaces(prefix=beginning)]
            )
        )
        return {space.name.removeprefix(beginning) for page in pages or () for space in page}

    def leave_mark(self, place: str, name: str) -> None:
        """Write a name; returns when it can be read."""
        space = f"{self._prefix}{place}{OWNED}{name}"
        self._asking.persist(lambda: self._asking.client.make_namespace(space))

    def remove_mark(self, place: str, name: str) -> None:
        """Take it back."""
        space = f"{self._prefix}{place}{OWNED}{name}"
        self._asking.persist(lambda: self._asking.client.find(space, lambda index: index.delete_namespace(name=space)))

    def sample_documents(self, place: str, shard: str, limit: int) -> list[str]:
        """Some of the documents that a shard of that place holds."""
        space = f"{self._prefix}{place}-{shard}"
        if not self._asking.stats(space).namespaces.get(space):
            return []
        with self._asking.metered(units.LIST) as requests:
            listed = islice(self._asking.each_id(requests, space), LIST_IDS)
            names = [name for id in listed if (name := parse_id(id)) is not None]
        return list(dict.fromkeys(name.document for name in names))[:limit]
