"""What a bucket's event messages say of single keys: hints at what to ask, in any order and any number.

An event's key is asked for (HEAD), and the answer decides. So it does not matter what the event was, nor whether it
came late, twice, or after a newer one; one that never came is made up for by the next listing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar
from urllib.parse import unquote_plus

from embedmill.producers.sources.base import (
    Departed,
    Item,
    Kept,
    ReadContext,
    Remark,
    RemarkKind,
    Source,
    Spec,
)
from embedmill.producers.sources.buckets.containers import Containers
from embedmill.producers.sources.buckets.keys import KeyFilter
from embedmill.producers.sources.buckets.source import ARCHIVED, S3Source, describe_archived
from embedmill.producers.sources.globs import Unmatched
from embedmill.shared.buckets.access import without_key
from embedmill.shared.buckets.client import BucketFault, BucketFaultKind, errors, fault_of
from embedmill.shared.buckets.names import BucketPlace, ObjectState

ASKED_AT_ONCE = 8
RESTORED = 'ongoing-request="false"'
UNKNOWN = "an event message of no known shape was removed from the queue"
TEST = "the message by which the store tries its events was removed from the queue"


Answer = Mapping[str, Any]
"""What the SDK says of an object."""


class NoEvent(ValueError):
    """A message that names no object; its text says what it is."""


def read_message(body: str) -> list[BucketPlace]:
    """The objects that a message names: S3's own, also through SNS, or EventBridge's. Raises NoEvent."""
    try:
        return _read(json.loads(body))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise error if isinstance(error, NoEvent) else NoEvent(UNKNOWN) from None


def _read(message: Any) -> list[BucketPlace]:
    match message:
        case {"Event": "s3:TestEvent"}:
            raise NoEvent(TEST)
        case {"Type": "Notification", "Message": str(inner)}:
            return read_message(inner)
        case {"detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            return [BucketPlace(bucket, key)]
        case {"Records": [*records]} if records:
            return [_named(record["s3"]) for record in records]
    raise NoEvent(UNKNOWN)


def _named(told: Any) -> BucketPlace:
    """A key is form-encoded there."""
    return BucketPlace(str(told["bucket"]["name"]), unquote_plus(str(told["object"]["key"])))


@dataclass(frozen=True, slots=True)
class S3Changes(Source):
    """Some keys of a bucket, asked for one by one; `notes` are what there is to say of the messages that named them.

    A reading puts those into `away` of which the store could say nothing now.
    """

    kind: ClassVar[str] = S3Source.kind
    detects_deletions: ClassVar[bool] = False
    hides_only_below: ClassVar[bool] = True
    is_news: ClassVar[bool] = True

    whole: S3Source
    keys: tuple[str, ...]
    notes: tuple[str, ...] = ()
    away: set[str] = field(default_factory=set, compare=False, repr=False)

    @classmethod
    def of(cls, whole: S3Source, named: Sequence[BucketPlace], notes: Sequence[str]) -> "S3Changes":
        """Those of the named objects that the source would take, each once."""
        wanted = KeyFilter(whole.place, whole.globs, Unmatched(()), whole.hidden)
        keys = dict.fromkeys(
            place.key
            for place in named
            if place.bucket == whole.place.bucket and place.key.startswith(whole.place.key) and wanted.takes(place.key)
        )
        return cls(whole, tuple(keys), tuple(notes))

    @property
    def spec(self) -> Spec:
        return self.whole.spec

    @property
    def part(self) -> str:
        return "events"

    def read(self, context: ReadContext) -> Iterator[Item]:
        access = self.whole.access
        client, how = access.connect(), access.reading
        context.is_increment = True
        context.remarks += [Remark(self.whole.place.uri, note, RemarkKind.READ) for note in self.notes]
        containers = Containers(client, context, self.whole.hidden, how)
        is_there = _is_there(client, self.whole.place.bucket, access.listing)
        places = [self.whole.place.at(key) for key in self.keys]
        with ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="events") as threads:
            for place, found in zip(places, threads.map(partial(_ask, client, how), places), strict=True):
                if isinstance(found, BucketFault):
                    self.away.update([place.key] if found.kind is BucketFaultKind.AWAY else [])
                    yield from _without(place, found, containers, is_there=is_there)
                else:
                    yield from self._items(place, found, containers)

    def _items(self, place: BucketPlace, found: Answer, containers: Containers) -> Iterator[Item]:
        state, storage_class = ObjectState.of(found), found.get("StorageClass")
        if storage_class in ARCHIVED and RESTORED not in found.get("Restore", ""):
            yield from describe_archived(place, str(storage_class), containers)
        elif state.size or not place.key.endswith("/"):
            yield from self.whole.describe(place, state, containers)


def _ask(client: Any, how: Mapping[str, Any], place: BucketPlace) -> Answer | BucketFault:
    try:
        found: Answer = client.head_object(Bucket=place.bucket, Key=place.key, **how)
    except errors() as error:
        fault = fault_of(error)
        is_with_key = fault.kind is BucketFaultKind.REFUSED and "SSECustomerKey" in how
        return _ask(client, without_key(how), place) if is_with_key else fault
    return found


def _without(place: BucketPlace, fault: BucketFault, containers: Containers, *, is_there: bool) -> Iterator[Item]:
    """An object that is gone, with what was in it; or one of which nobody knows."""
    if fault.kind is BucketFaultKind.GONE and is_there:
        yield from map(Departed, [place.uri, *containers.recall(place)])
        return
    yield Kept(place.uri, f"an event named it, and it could not be asked for ({fault.told})")


def _is_there(client: Any, bucket: str, how: Mapping[str, str]) -> bool:
    """Of a bucket that there is not, no object is there either, and that says nothing."""
    try:
        return "IsTruncated" in client.list_objects_v2(Bucket=bucket, MaxKeys=1, **how)
    except errors():
        return False
