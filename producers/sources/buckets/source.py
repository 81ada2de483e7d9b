"""Objects of a bucket on S3, or on anything that speaks its protocol: listed here, and read by workers.

A listing tells changes by ETag and size, so nothing is read that was read in the same state. Only a listing that came
to its end says what is not there any more.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from embedmill.producers.sources.base import (
    FileItem,
    Item,
    Kept,
    Problem,
    ReadContext,
    Remark,
    RemarkKind,
    Source,
    Spec,
)
from embedmill.producers.sources.buckets.containers import Containers, may_be_container
from embedmill.producers.sources.buckets.keys import Keys
from embedmill.producers.sources.buckets.listing import PAGE_KEYS, Entry, Listing, ListingFailed
from embedmill.producers.sources.globs import Globs, Unmatched, compile_globs
from embedmill.producers.sources.options import SourceOptions
from embedmill.shared.buckets.client import connect, errors
from embedmill.shared.buckets.names import ObjectState, Place
from embedmill.shared.errors import EmbedmillError

ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Classes whose objects cannot be read before they are restored."""
_EMPTY = hashlib.sha256(b"").hexdigest()
_PATTERN = re.compile(r"((?:[^*?[]*/)?)([^/*?[]*[*?[].*)", re.DOTALL)
_OF_AMAZON = ".amazonaws.com"


@dataclass(frozen=True, slots=True)
class S3Source(Source):
    """Every object whose key begins as `place` does, filtered by gitignore patterns on the key after its last `/`.

    What is hidden, made by tools, or named as a secret is left out as of folders, unless `hidden`. Raises UsageError
    for a pattern without a meaning.
    """

    kind: ClassVar[str] = "s3"
    hides_only_below: ClassVar[bool] = True
    prefix: ClassVar[str] = "//"
    takes: ClassVar[tuple[str, ...]] = ("include", "exclude", "hidden")
    empty: ClassVar[str] = "no object is in it; a prefix is the beginning of keys, and upper case counts"

    place: Place
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False
    globs: Globs = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the patterns."""
        object.__setattr__(self, "globs", compile_globs(self.include, self.exclude))

    @classmethod
    def open(cls, url: str, options: SourceOptions) -> Self:
        """The bucket and the beginning of keys that a URL names; the key is taken as it is written."""
        asked = options.selection
        return cls(Place.parse(url), asked.include, asked.exclude, asked.hidden)

    @classmethod
    def from_spec(cls, spec: Spec) -> Self:
        return cls(Place.parse(spec["uri"]), tuple(spec["include"]), tuple(spec["exclude"]), bool(spec.get("hidden")))

    @property
    def spec(self) -> Spec:
        """The place and the patterns, in the order given, because a later one overrules."""
        patterns = {"include": list(self.include), "exclude": list(self.exclude)}
        asked = {"hidden": True} if self.hidden else {}
        return {"kind": self.kind, "uri": self.place.uri, **patterns, **asked}

    def read(self, context: ReadContext) -> Iterator[Item]:
        """An item for each object, in the order of the listing."""
        unmatched = Unmatched(self.include)
        keys = Keys(self.place, self.globs, unmatched, self.hidden)
        try:
            yield from self._list(keys, context)
        except (ListingFailed, EmbedmillError) as error:
            yield Problem(self.place.uri, str(error))
        context.remarks += [
            Remark(self.place.uri, f"no object in it matches --include {pattern!a}", RemarkKind.UNMET)
            for pattern in unmatched.patterns
        ]

    def _list(self, keys: Keys, context: ReadContext) -> Iterator[Item]:
        client = connect("s3", wanted_by="reading s3://…", extra="s3")
        containers = Containers(client, context, self.hidden)
        limit = context.limit
        tells_restored = _OF_AMAZON in str(client.meta.endpoint_url)
        listing = Listing(client, self.place, min(PAGE_KEYS, limit or PAGE_KEYS))
        for entry in listing:
            if _is_folder(entry):
                continue
            if keys.takes(entry["Key"]):
                yield from self._items(entry, containers, tells_restored=tells_restored)
            else:
                yield from keys.skipped()
        yield from (Problem(self.place.uri, told) for told in listing.oddities)
        if listing.is_empty:
            context.remarks += _remark_on_pattern(self.place)

    def _items(self, entry: Entry, containers: Containers, *, tells_restored: bool) -> Iterator[Item]:
        place, storage_class = Place(self.place.bucket, entry["Key"]), entry.get("StorageClass")
        if storage_class not in ARCHIVED or _is_restored(entry, place, containers.client, listed=tells_restored):
            yield from self.describe(place, ObjectState.of(entry), containers)
        else:
            yield from describe_archived(place, str(storage_class), containers)

    def describe(self, place: Place, state: ObjectState, containers: Containers) -> Iterator[Item]:
        """An object in a state, or what is in it."""
        if may_be_container(place.key):
            return containers.read(place, state)
        return iter([self._object(place, state)])

    def _object(self, place: Place, state: ObjectState) -> FileItem:
        """Nothing has to be read to know the content of an empty one."""
        content_hash = "" if state.size else _EMPTY
        told = {"takes_secrets": True} if self.hidden else {}
        return FileItem(place.uri, state.size, content_hash, kind=self.kind, state=str(state), told=told)


def describe_archived(place: Place, storage_class: str, containers: Containers) -> Iterator[Item]:
    """An object that cannot be read, and what was read of it before."""
    reason = f"it is archived ({storage_class}), and is read once it is restored"
    yield from (Kept(uri) for uri in containers.recall(place))
    yield Kept(place.uri, reason, skipped_if_new=True)


def _remark_on_pattern(place: Place) -> list[Remark]:
    """What to write instead where a key that nothing begins with looks like a pattern."""
    found = _PATTERN.fullmatch(place.key)
    if found is None:
        return []
    told = "no pattern is expanded in an address"
    meant = f"name {Place(place.bucket, found[1]).uri}, and give --include {found[2]!a}"
    return [Remark(place.uri, f"{told}: {meant}", RemarkKind.UNMET)]


def _is_folder(entry: Entry) -> bool:
    """Whether it only stands for a folder, as consoles make them."""
    return not entry["Size"] and bool(entry["Key"].endswith("/"))


def _is_restored(entry: Entry, place: Place, client: Any, *, listed: bool) -> bool:
    """Whether a copy can be read; stores that do not tell in a listing are asked."""
    status = entry.get("RestoreStatus")
    if status or listed:
        return bool(status and status.get("RestoreExpiryDate") and not status.get("IsRestoreInProgress"))
    try:
        told = client.head_object(Bucket=place.bucket, Key=place.key).get("Restore", "")
    except errors():
        return False
    return 'ongoing-request="false"' in told
