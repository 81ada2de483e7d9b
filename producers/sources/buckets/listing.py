"""The listing of a bucket: every page of it, or an error that says that it did not come to its end."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from embedmill.shared.buckets.client import BucketFault, BucketFaultKind, errors, fault_of
from embedmill.shared.buckets.names import BucketPlace

PAGE_KEYS = 1000
# Pages without a key, one after another: more than a store sends where many objects were just deleted.
MOST_EMPTY = 10_000
# Sent by stores that tell which archived objects were restored for a time.
RESTORED = {"OptionalObjectAttributes": ["RestoreStatus"]}

Entry = Mapping[str, Any]
"""An object as the SDK lists it: `Key`, `Size`, `ETag`, `StorageClass` and so on."""


Page = Mapping[str, Any]

# How the names of buckets end whose keys come in no order, and of what stands for a bucket of another name.
UNORDERED = "--x-s3"
_ALIASES = ("-s3alias", "--op-s3", ".mrap")
CIRCLE = "the bucket's listing goes round in a circle; nothing is removed"
_NO_LISTING = (
    "the bucket could not be listed to its end: what answers is no listing of it; check AWS_ENDPOINT_URL, the bucket's"
    " name and its region, and whether a proxy stands between"
)


class ListingFailed(Exception):
    """A listing that did not come to its end; the message says why."""


@dataclass(slots=True)
class Oddities:
    """What a listing has that can be no object of the place; with any of it the listing proves no departure."""

    prefix: str
    _counts: Counter[str] = field(default_factory=Counter, init=False)
    _first: dict[str, object] = field(default_factory=dict, init=False)

    def takes(self, entry: Entry) -> bool:
        """Whether an entry is an object; remembers one that is not."""
        if fault := self._fault(entry):
            self._counts[fault] += 1
            self._first.setdefault(fault, entry.get("Key"))
        return not fault

    def _fault(self, entry: Entry) -> str:
        key, size = entry.get("Key"), entry.get("Size")
        if not key:
            return "without a key"
        if not key.startswith(self.prefix):
            return "whose keys do not begin as was asked"
        if size is None:
            return "without a size"
        return "" if size >= 0 else "of negative sizes"

    def __iter__(self) -> Iterator[str]:
        """What there is to say, a sentence for each kind."""
        for fault, count in self._counts.items():
            told = f", the first {key!a}" if (key := self._first[fault]) else ""
            yield f"the bucket's listing has {count:,} entries {fault}{told}; nothing is removed"


@dataclass(slots=True)
class BucketListing:
    """The objects of a bucket whose keys begin as a place's; one page is fetched while another is looked at.

    What is listed and can be no object of it is in `oddities`. `how` are further arguments of each request.
    """

    client: Any
    place: BucketPlace
    page_keys: int = PAGE_KEYS
    how: Mapping[str, str] = field(default_factory=dict)
    oddities: Oddities = field(init=False)
    _last: str = field(default="", init=False)
    # By which tokens was asked since the last key came.
    _tokens: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Nothing is odd yet."""
        self.oddities = Oddities(self.place.key)

    def __iter__(self) -> Iterator[Entry]:
        """Raise ListingFailed."""
        with ThreadPoolExecutor(1, thread_name_prefix="listing") as ahead:
            page = self._ask({})
            while True:
                entries = page.get("Contents", ())
                following = self._following(page, entries)
                coming = ahead.submit(self._go_on, following) if following else None
                yield from filter(self.oddities.takes, entries)
                if coming is None:
                    return
                page = coming.result()

    @property
    def is_empty(self) -> bool:
        """Whether no key has come."""
        return not self._last

    def _following(self, page: Page, entries: Sequence[Entry]) -> dict[str, str]:
        """What asks for the next page, nothing at the end."""
        self._advance(entries)
        token = page.get("NextContinuationToken")
        if not (page["IsTruncated"] or token):
            return {}
        if token:
            if token in self._tokens or len(self._tokens) == MOST_EMPTY:
                raise ListingFailed(CIRCLE)
            self._tokens.add(token)
            return {"ContinuationToken": token}
        if not entries:
            raise ListingFailed("the bucket's listing was cut")
        return {"StartAfter": self._last}

    def _advance(self, entries: Sequence[Entry]) -> None:
        """The last key grows from page to page, unless the bucket is of those whose listings have no order."""
        last = next((key for entry in reversed(entries) if (key := entry.get("Key"))), None)
        if last is None:
            return
        if last <= self._last and not self.place.bucket.endswith(UNORDERED):
            raise ListingFailed(CIRCLE)
        if last != self._last:
            self._tokens.clear()
        self._last = last

    def _go_on(self, following: Mapping[str, str]) -> Page:
        """The next page; where a listing has expired, it is begun again after the last key."""
        try:
            return self._request(following)
        except errors() as error:
            fault = fault_of(error)
            if fault.kind is BucketFaultKind.REFUSED and "ContinuationToken" in following and self._last:
                return self._ask({"StartAfter": self._last})
            raise _failed(fault) from None

    def _ask(self, following: Mapping[str, str]) -> Page:
        try:
            return self._request(following)
        except errors() as error:
            raise _failed(fault_of(error)) from None

    def _request(self, following: Mapping[str, str]) -> Page:
        bucket, prefix = self.place.bucket, self.place.key
        asked = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": self.page_keys, "EncodingType": "url", **self.how}
        try:
            answer: Page = self.client.list_objects_v2(**asked, **RESTORED, **following)
        except (KeyError, TypeError, ValueError):
            # What the SDK says of numbers and dates that are none.
            raise ListingFailed(_NO_LISTING) from None
        self._require_listing(answer)
        return _decoded(answer)

    def _require_listing(self, answer: Page) -> None:
        """Not everything that is answered with 200 is a listing of this bucket: a proxy's page, another's answer."""
        name, entries = answer.get("Name"), answer.get("Contents", ())
        if (
            "IsTruncated" not in answer
            or answer.get("KeyCount", len(entries)) != len(entries)
            or not _is_name_of(name, self.place.bucket)
        ):
            raise ListingFailed(_NO_LISTING)


def _is_name_of(name: str | None, bucket: str) -> bool:
    """Whether a listing that names itself so may be the bucket's; some stores have a tenant before the name."""
    if name is None or bucket.startswith("arn:") or bucket.endswith(_ALIASES):
        return True
    return name.rpartition(":")[2] == bucket.rpartition(":")[2]


def _decoded(page: Page) -> Page:
    """With keys as they are, a blank listed as `+`: the SDK does it too, and stumbles over an entry without a key."""
    if page.get("EncodingType") != "url":
        return page
    entries = [
        entry | {"Key": unquote_plus(entry["Key"])} if "Key" in entry else entry for entry in page.get("Contents", ())
    ]
    return {**page, "Contents": entries}


def _failed(fault: BucketFault) -> ListingFailed:
    match fault.kind:
        case BucketFaultKind.AWAY if fault.told.isdigit():
            advice = "that is no answer of S3's; check AWS_ENDPOINT_URL, and whether a proxy stands between"
        case BucketFaultKind.AWAY:
            advice = "the store is away or too busy; run it again later"
        case _:
            advice = "check the bucket's name, its region and endpoint, and this process's credentials and rights"
    return ListingFailed(f"the bucket could not be listed to its end ({fault.told}): {advice}")
