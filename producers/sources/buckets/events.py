"""What a bucket's event messages say of single keys: hints at what to ask, in any order and any number.

An event's key is asked for (HEAD), and the answer decides. So it does not matter what the event was, nor whether it
came late, twice, or after a newer one; one that never came is made up for by the next listing.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from embedmill.producers.sources.buckets.keys import Keys
from embedmill.producers.sources.buckets.source import ARCHIVED, S3Source
from embedmill.producers.sources.globs import Unmatched
from embedmill.shared.buckets.client import FaultKind, connect, errors, fault_of
from embedmill.shared.buckets.names import ObjectState, Place

ASKED_AT_ONCE = 8
RESTORED = 'ongoing-request="false"'
UNKNOWN = "an event message of no known shape was removed from the queue"
TEST = "the message by which the store tries its events was removed from the queue"


class NoEvent(ValueError):
    """A message that names no object; its text says what it is."""


def read_message(body: str) -> list[Place]:
    """The objects that a message names: S3's own, also through SNS, or EventBridge's. Raises NoEvent."""
    try:
        return _read(json.loads(body))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise error if isinstance(error, NoEvent) else NoEvent(UNKNOWN) from None


def _read(message: Any) -> list[Place]:
    match message:
        case {"Event": "s3:TestEvent"}:
            raise NoEvent(TEST)
        case {"Type": "Notification", "Message": str(inner)}:
            return read_message(inner)
        case {"detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            return [Place(bucket, key)]
        case {"Records": [*records]} if records:
            return [_named(record["s3"]) for record in records]
    raise NoEvent(UNKNOWN)


def _named(told: Any) -> Place:
    """A key is form-encoded there."""
    return Place(str(told["bucket"]["name"]), unquote_plus(str(told["object"]["key"])))


@dataclass(frozen=True, slots=True)
class S3Changes(Source):
    """Some keys of a bucket, asked for one by one; `notes` are what there is to say of the messages that named them."""

    kind: ClassVar[str] = S3Source.kind
    detects_deletions: ClassVar[bool] = False
    hides_only_below: ClassVar[bool] = True

    whole: S3Source
    keys: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, whole: S3Source, named: Sequence[Place], notes: Sequence[str]) -> "S3Changes":
        """Those of the named objects that the source would take, each once."""
        wanted = Keys(whole.place, whole.globs, Unmatched(()), whole.hidden)
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
        client = connect("s3", wanted_by="reading s3://…", extra="s3")
        context.remarks += [Remark(self.whole.place.uri, note, RemarkKind.READ) for note in self.notes]
        is_there = _is_there(client, self.whole.place.bucket)
        with ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="events") as threads:
            for item in threads.map(partial(self._ask, client, is_there=is_there), self.keys):
                if item is not None:
                    yield item

    def _ask(self, client: Any, key: str, *, is_there: bool) -> Item | None:
        place = Place(self.whole.place.bucket, key)
        try:
            found = client.head_object(Bucket=place.bucket, Key=key)
        except errors() as error:
            fault = fault_of(error)
            if fault.kind is FaultKind.GONE and is_there:
                return Departed(place.uri)
            return Kept(place.uri, f"an event named it, and it could not be asked for ({fault.told})")
        state = ObjectState.of(found)
        if key.endswith("/") and not state.size:
            return None
        storage_class = found.get("StorageClass")
        if storage_class in ARCHIVED and RESTORED not in found.get("Restore", ""):
            return Kept(
                place.uri, f"it is archived ({storage_class}), and is read once it is restored", skipped_if_new=True
            )
        return self.whole.describe(place, state)


def _is_there(client: Any, bucket: str) -> bool:
    """Of a bucket that there is not, no object is there either, and that says nothing."""
    try:
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except errors():
        return False
    return True
