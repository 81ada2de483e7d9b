"""Archives and mailboxes in a bucket: fetched once for each of their states, and what is in them is kept by submission.

Which documents one had is remembered by pages, so that nothing is fetched of a container that has not changed, and all
of them are known when it is gone.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from os.path import splitext
from typing import Any, BinaryIO, cast

from embedmill.producers.sources.base import HeldItem, Item, Kept, Problem, ReadContext
from embedmill.producers.sources.members import NO_CONTAINER, Members, hold
from embedmill.shared.buckets.access import without_key
from embedmill.shared.buckets.client import BucketFaultKind, errors, fault_of
from embedmill.shared.buckets.names import BucketPlace, ObjectState
from embedmill.shared.containers.walk import SUFFIXES, is_container, opener_of
from embedmill.shared.errors import DocumentError, UnreadableDocument
from embedmill.shared.files import CHUNK_BYTES
from embedmill.shared.loading.objects import explain
from embedmill.shared.paging import pages

PAGE = 200
"""Documents that one entry of the memory names."""


def may_be_container(key: str) -> bool:
    """Whether an object is fetched to see what is in it: its key has the suffix of a container."""
    return splitext(key.rpartition("/")[2])[1].lower() in SUFFIXES


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers of one bucket, as one reading of it meets them; `how` are arguments of each read."""

    client: Any
    context: ReadContext
    hidden: bool
    how: Mapping[str, Any] = field(default_factory=dict)

    def read(self, place: BucketPlace, state: ObjectState) -> Iterator[Item]:
        """What is in a container, or that it is as it was; a container that is none is a problem."""
        known = self._recall(place)
        if known and known["state"] == str(state):
            uris = self._uris(place, known)
            if all(set(some) <= self.context.settled(some) for some in pages(uris, PAGE)):
                yield from (Kept(uri) for uri in uris)
                return
        try:
            with closing(tempfile.TemporaryFile()) as file:
                self._fetch(place, state, cast(BinaryIO, file))
                yield from self._open(place, state, cast(BinaryIO, file), known)
        except DocumentError as error:
            yield Problem(place.uri, str(error))
        except errors() as error:
            yield Problem(place.uri, str(explain(error)))

    def recall(self, place: BucketPlace) -> list[str]:
        """The documents that were read of a container, none of what is no container."""
        known = self._recall(place) if may_be_container(place.key) else None
        return self._uris(place, known) if known else []

    def _fetch(self, place: BucketPlace, state: ObjectState, file: BinaryIO) -> None:
        answer = self._ask(place, state.condition)
        name = place.key.rpartition("/")[2]
        with closing(answer["Body"]) as body:
            while data := body.read(CHUNK_BYTES):
                # What is none by its beginning is not fetched to its end.
                if not file.tell() and opener_of(name, data) is None:
                    raise UnreadableDocument(NO_CONTAINER)
                file.write(data)
        file.seek(0)

    def _ask(self, place: BucketPlace, condition: Mapping[str, str]) -> Mapping[str, Any]:
        wanted = {"Bucket": place.bucket, "Key": place.key, **condition}
        try:
            found: Mapping[str, Any] = self.client.get_object(**wanted, **self.how)
        except errors() as error:
            if "SSECustomerKey" not in self.how or fault_of(error).kind is not BucketFaultKind.REFUSED:
                raise
            found = self.client.get_object(**wanted, **without_key(self.how))
        return found

    def _open(
        self, place: BucketPlace, state: ObjectState, file: BinaryIO, known: Mapping[str, Any] | None
    ) -> Iterator[Item]:
        name = place.key.rpartition("/")[2]
        if not is_container(file, name):
            yield Problem(place.uri, NO_CONTAINER)
            return
        met: list[str] = []
        is_whole = True
        for item in Members(place.uri, hidden=self.hidden, take=hold).read(file, name):
            is_whole = is_whole and not isinstance(item, Problem)
            if isinstance(item, HeldItem):
                met.append(item.uri)
            yield item
        if is_whole:
            self._remember(place, state, met, known)

    def _recall(self, place: BucketPlace) -> Mapping[str, Any] | None:
        return self.context.memory.get_many([place.uri]).get(place.uri)

    def _uris(self, place: BucketPlace, known: Mapping[str, Any]) -> list[str]:
        keys = _page_keys(place, known["pages"])
        found = self.context.memory.get_many(keys)
        return [uri for key in keys for uri in found[key]["uris"]]

    def _remember(
        self, place: BucketPlace, state: ObjectState, met: Sequence[str], known: Mapping[str, Any] | None
    ) -> None:
        listed = [{"uris": list(some)} for some in pages(met, PAGE)]
        keys = _page_keys(place, len(listed))
        entry = {"state": str(state), "pages": len(listed)}
        self.context.memory.put_many({place.uri: entry, **dict(zip(keys, listed, strict=True))})
        if known:
            self.context.memory.forget(_page_keys(place, known["pages"])[len(listed) :])


def _page_keys(place: BucketPlace, count: int) -> list[str]:
    return [f"{place.uri}\n{number}" for number in range(count)]
