"""The listing of a bucket: every page of it, or an error that says that it did not come to its end."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from embedmill.shared.buckets.client import Fault, FaultKind, errors, fault_of
from embedmill.shared.buckets.names import Place

PAGE_KEYS = 1000
# Sent by stores that tell which archived objects were restored for a time.
RESTORED = {"OptionalObjectAttributes": ["RestoreStatus"]}

Entry = Mapping[str, Any]
"""An object as the SDK lists it: `Key`, `Size`, `ETag`, `StorageClass` and so on."""


class ListingFailed(Exception):
    """A listing that did not come to its end; the message says why."""


@dataclass(slots=True)
class Listing:
    """The objects of a bucket whose keys begin as a place's; one page is fetched while another is looked at."""

    client: Any
    place: Place
    page_keys: int = PAGE_KEYS
    _last: str = field(default="", init=False)

    def __iter__(self) -> Iterator[Entry]:
        """Raise ListingFailed."""
        with ThreadPoolExecutor(1, thread_name_prefix="listing") as ahead:
            page = self._ask({})
            while True:
                entries = page.get("Contents", ())
                following = self._following(page, entries)
                coming = ahead.submit(self._go_on, following) if following else None
                yield from entries
                if coming is None:
                    return
                page = coming.result()

    def _following(self, page: Mapping[str, Any], entries: Any) -> dict[str, str]:
        """What asks for the next page, nothing at the end."""
        token = page.get("NextContinuationToken")
        if entries:
            self._last = entries[-1]["Key"]
        if not (page.get("IsTruncated") or token):
            return {}
        if token:
            if token == page.get("ContinuationToken"):
                raise ListingFailed("the bucket's listing goes round in a circle")
            return {"ContinuationToken": token}
        if not entries:
            raise ListingFailed("the bucket's listing was cut")
        return {"StartAfter": self._last}

    def _go_on(self, following: Mapping[str, str]) -> Mapping[str, Any]:
        """The next page; where a listing has expired, it is begun again after the last key."""
        try:
            return self._request(following)
        except errors() as error:
            fault = fault_of(error)
            if fault.kind is FaultKind.REFUSED and "ContinuationToken" in following and self._last:
                return self._ask({"StartAfter": self._last})
            raise _failed(fault) from None

    def _ask(self, following: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            return self._request(following)
        except errors() as error:
            raise _failed(fault_of(error)) from None

    def _request(self, following: Mapping[str, str]) -> Mapping[str, Any]:
        bucket, prefix = self.place.bucket, self.place.key
        answer: Mapping[str, Any] = self.client.list_objects_v2(
            Bucket=bucket, Prefix=prefix, MaxKeys=self.page_keys, **RESTORED, **following
        )
        return answer


def _failed(fault: Fault) -> ListingFailed:
    match fault.kind:
        case FaultKind.AWAY:
            advice = "the store is away or too busy; run it again later"
        case _:
            advice = "check the bucket's name, its region, and this process's credentials and rights to list it"
    return ListingFailed(f"the bucket could not be listed to its end ({fault.told}): {advice}")
