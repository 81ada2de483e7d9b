"""Objects of a bucket on S3, or on anything that speaks its protocol: listed here, and read by workers.

A listing tells changes by ETag and size, so nothing is read that was read in the same state. Only a listing that came
to its end says what is not there any more.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from embedmill.producers.sources.base import (
    NOTHING,
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
from embedmill.producers.sources.buckets.keys import KeyFilter
from embedmill.producers.sources.buckets.listing import PAGE_KEYS, BucketListing, Entry, ListingFailed
from embedmill.producers.sources.globs import Globs, Unmatched, compile_globs
from embedmill.producers.sources.options import SourceOptions
from embedmill.shared.buckets.access import USUAL, Access, endpoint_of, read_key
from embedmill.shared.buckets.client import errors
from embedmill.shared.buckets.names import BucketPlace, ObjectState
from embedmill.shared.errors import EmbedmillError, UsageError
from embedmill.shared.references import anchor

ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Classes whose objects cannot be read before they are restored."""
_EMPTY = hashlib.sha256(b"").hexdigest()
_PATTERN = re.compile(r"((?:[^*?[]*/)?)([^/*?[]*[*?[].*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class S3Source(Source):
    """Every object whose key begins as `place` does, filtered by gitignore patterns on the key after its last `/`.

    What is hidden, made by tools, or named as a secret is left out as of folders, unless `hidden`. Raises UsageError
    for a pattern without a meaning.
    """

    kind: ClassVar[str] = "s3"
    hides_only_below: ClassVar[bool] = True
    prefix: ClassVar[str] = "//"
    takes: ClassVar[tuple[str, ...]] = ("include", "exclude", "hidden", "requester_pays", "sse_c")
    has_namesakes: ClassVar[bool] = True
    empty: ClassVar[str] = "no object is in it; a prefix is the beginning of keys, and upper case counts"

    place: BucketPlace
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False
    access: Access = USUAL
    globs: Globs = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the patterns."""
        object.__setattr__(self, "globs", compile_globs(self.include, self.exclude))

    @classmethod
    def open(cls, url: str, options: SourceOptions) -> Self:
        """The bucket and the beginning of keys that a URL names; the key is taken as it is written."""
        asked, of_bucket = options.selection, options.buckets
        place = BucketPlace.parse(url)
        if of_bucket.sse_c:
            read_key(of_bucket.sse_c)
        access = Access(endpoint_of(Access().connect()), of_bucket.requester_pays, anchor(of_bucket.sse_c))
        if place.host and place.host != access.host:
            told = f"s3://{place.host}/… is another store than the one that the SDK is led to"
            raise UsageError(told, hint=f"Set AWS_ENDPOINT_URL_S3 to the address of {place.host}.")
        return cls(place, asked.include, asked.exclude, asked.hidden, access)

    @classmethod
    def from_spec(cls, spec: Spec) -> Self:
        place, patterns = BucketPlace.parse(spec["uri"]), (tuple(spec["include"]), tuple(spec["exclude"]))
        return cls(place, *patterns, bool(spec.get("hidden")), Access.recall(spec))

    @property
    def spec(self) -> Spec:
        """The place and the patterns, in the order given, because a later one overrules; the key by its name only."""
        store = {} if self.access.endpoint is None else {"endpoint": self.access.endpoint}
        return {**self._what, "uri": self.place.uri, **store, **self.access.told}

    @property
    def _what(self) -> Spec:
        patterns = {"include": list(self.include), "exclude": list(self.exclude)}
        asked = {"hidden": True} if self.hidden else {}
        return {"kind": self.kind, "uri": replace(self.place, host="").uri, **patterns, **asked}

    @property
    def identity(self) -> str:
        """What is read, and in which store; who pays and by which key are the newest command's to say."""
        store = {"endpoint": self.access.endpoint} if self.access.endpoint else {}
        return json.dumps({**self._what, **store}, sort_keys=True, separators=(",", ":"))

    @property
    def former_identity(self) -> str:
        return json.dumps(self._what, sort_keys=True, separators=(",", ":")) if self.access.endpoint else ""

    def beside(self, others: Mapping[str, Spec], closed: Mapping[str, Spec] = NOTHING) -> Self:
        """A bucket of the same name in another store has, or had, its documents' URIs already: ours name the store."""
        others = {**closed, **others}
        if known := others.get(self.identity):
            return replace(self, place=replace(self.place, host=BucketPlace.parse(known["uri"]).host))
        if self.access.endpoint is None:
            return self
        named = [BucketPlace.parse(spec["uri"]) for spec in others.values() if self._is_namesake(spec)]
        is_taken = any(each.bucket == self.place.bucket and not each.host for each in named)
        return replace(self, place=replace(self.place, host=self.access.host)) if is_taken else self

    def _is_namesake(self, spec: Spec) -> bool:
        return spec.get("kind") == self.kind and spec.get("endpoint") not in (None, self.access.endpoint)

    def read(self, context: ReadContext) -> Iterator[Item]:
        """An item for each object, in the order of the listing."""
        unmatched = Unmatched(self.include)
        keys = KeyFilter(self.place, self.globs, unmatched, self.hidden)
        try:
            yield from self._list(keys, context)
        except (ListingFailed, EmbedmillError) as error:
            yield Problem(self.place.uri, str(error))
        context.remarks += [
            Remark(self.place.uri, f"no object in it matches --include {pattern!a}", RemarkKind.UNMET)
            for pattern in unmatched.patterns
        ]

    def _list(self, keys: KeyFilter, context: ReadContext) -> Iterator[Item]:
        client, how = self.access.connect(), self.access.reading
        containers = Containers(client, context, self.hidden, how)
        limit = context.limit
        tells_restored = not endpoint_of(client)
        listing = BucketListing(client, self.place, min(PAGE_KEYS, limit or PAGE_KEYS), self.access.listing)
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
        place, storage_class = self.place.at(entry["Key"]), entry.get("StorageClass")
        if storage_class not in ARCHIVED or _is_restored(entry, place, containers, listed=tells_restored):
            yield from self.describe(place, ObjectState.of(entry), containers)
        else:
            yield from describe_archived(place, str(storage_class), containers)

    def describe(self, place: BucketPlace, state: ObjectState, containers: Containers) -> Iterator[Item]:
        """An object in a state, or what is in it."""
        if may_be_container(place.key):
            return containers.read(place, state)
        return iter([self._object(place, state)])

    def _object(self, place: BucketPlace, state: ObjectState) -> FileItem:
        """Nothing has to be read to know the content of an empty one."""
        content_hash = "" if state.size else _EMPTY
        told = {**({"takes_secrets": True} if self.hidden else {}), **self.access.told}
        return FileItem(place.uri, state.size, content_hash, kind=self.kind, state=str(state), told=told)


def describe_archived(place: BucketPlace, storage_class: str, containers: Containers) -> Iterator[Item]:
    """An object that cannot be read, and what was read of it before."""
    reason = f"it is archived ({storage_class}), and is read once it is restored"
    yield from (Kept(uri) for uri in containers.recall(place))
    yield Kept(place.uri, reason, skipped_if_new=True)


def _remark_on_pattern(place: BucketPlace) -> list[Remark]:
    """What to write instead where a key that nothing begins with looks like a pattern."""
    found = _PATTERN.fullmatch(place.key)
    if found is None:
        return []
    told = "no pattern is expanded in an address"
    meant = f"name {place.at(found[1]).uri}, and give --include {found[2]!a}"
    return [Remark(place.uri, f"{told}: {meant}", RemarkKind.UNMET)]


def _is_folder(entry: Entry) -> bool:
    """Whether it only stands for a folder, as consoles make them."""
    return not entry["Size"] and bool(entry["Key"].endswith("/"))


def _is_restored(entry: Entry, place: BucketPlace, containers: Containers, *, listed: bool) -> bool:
    """Whether a copy can be read; stores that do not tell in a listing are asked."""
    status = entry.get("RestoreStatus")
    if status or listed:
        return bool(status and status.get("RestoreExpiryDate") and not status.get("IsRestoreInProgress"))
    try:
        told = containers.client.head_object(Bucket=place.bucket, Key=place.key, **containers.how).get("Restore", "")
    except errors():
        return False
    return 'ongoing-request="false"' in told
