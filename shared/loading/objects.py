"""Reads documents that are objects of a bucket: several at a time, each as its listing had it."""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

from embedmill.shared.buckets.access import USUAL, Access, endpoint_of, without_key
from embedmill.shared.buckets.client import BucketFaultKind, errors, fault_of
from embedmill.shared.buckets.names import BucketPlace, ObjectState
from embedmill.shared.errors import (
    DocumentError,
    ParserLimitExceeded,
    ProviderUnavailable,
    SourceError,
    SourceGone,
    UnreadableDocument,
    UnsupportedDocument,
)
from embedmill.shared.files import HEAD_BYTES, SIZE_HINT
from embedmill.shared.foreign import foreign_kind
from embedmill.shared.left_out.secrets_inside import reason_by_content
from embedmill.shared.loading.loaders import Loaded, Loader, Located

if TYPE_CHECKING:
    from embedmill.shared.runtime import Runtime

READS_AT_ONCE = 8
# What is read ahead of whoever parses; one object may be larger.
AHEAD_BYTES = 64 * 1024 * 1024
ATTEMPTS = 3
# What S3 answers to who asks without the key, and to who asks for the head only, which has no code.
_WANTS_KEY = frozenset({"InvalidRequest", "400"})
HINT = "Once this process may read it, replay: embedmill dlq replay"


class S3Loader(Loader):
    """An object of a bucket, under the state that its scan saw or a newer one, and never spliced from two."""

    whence = "the bucket"

    def __init__(self, runtime: "Runtime", located: Sequence[Located]) -> None:
        super().__init__(runtime, located)
        self._left = deque(located)
        self._coming: dict[str, Future[Loaded]] = {}
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="objects")

    def load(self, located: Located) -> Loaded:
        """Raise SourceGone, UnreadableDocument, ParserLimitExceeded, ProviderUnavailable."""
        while located.uri not in self._coming and self._left:
            self._begin(self._left.popleft())
        self._read_ahead()
        coming = self._coming.pop(located.uri, None)
        return coming.result() if coming else self._read(located)

    def _read_ahead(self) -> None:
        waiting = sum(_size(each) for each in self.located if each.uri in self._coming)
        while self._left and len(self._coming) < READS_AT_ONCE and waiting < AHEAD_BYTES:
            following = self._left.popleft()
            waiting += _size(following)
            self._begin(following)

    def _begin(self, located: Located) -> None:
        self._coming[located.uri] = self._threads.submit(self._read, located)

    def _read(self, located: Located) -> Loaded:
        most = self.runtime.settings.max_document_bytes
        if _size(located) > most:
            raise _too_large(most)
        state = ObjectState.read(str(located.origin["state"]))
        place = BucketPlace.parse(located.uri)
        if not state.size:
            return Loaded(self.whence)
        access = Access.recall(located.origin)
        data, found = read_object(self._client(access), place, state, most=most, access=access)
        if len(data) < found.size:
            raise UnsupportedDocument(f"it is {foreign_kind(data)}")
        name = place.key.rpartition("/")[2].encode("utf-8", "surrogatepass")
        reason = None if located.origin.get("takes_secrets") else reason_by_content(name, data[:HEAD_BYTES])
        return Loaded(self.whence, data, state=str(found), left_out=reason or "")

    def _client(self, access: Access) -> Any:
        """One for each store."""
        with self._lock:
            endpoint = access.endpoint or ""
            if endpoint not in self._clients:
                usual = self.runtime.buckets
                self._clients[endpoint] = usual if endpoint in ("", endpoint_of(usual)) else access.connect()
            return self._clients[endpoint]


def _size(located: Located) -> int:
    return ObjectState.read(str(located.origin["state"])).size


def _too_large(most: int) -> ParserLimitExceeded:
    return ParserLimitExceeded(f"the object is larger than the limit of {most:,} bytes", hint=SIZE_HINT)


def read_object(
    client: Any, place: BucketPlace, state: ObjectState, *, most: int, access: Access = USUAL
) -> tuple[bytes, ObjectState]:
    """An object's bytes, at most `most`, and their state: that which is expected, or what there is in its place.

    Of one that shows by its head that it is no document there is the head only.
    Raises SourceGone, UnreadableDocument, ParserLimitExceeded, ProviderUnavailable.
    """
    wanted = {"Bucket": place.bucket, "Key": place.key, **_reading(access)}
    condition = state.condition
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _get(client, wanted | condition, most)
        except errors() as error:
            fault = fault_of(error)
            if fault.kind is BucketFaultKind.CHANGED:
                # One request reads one state of it, whichever that is.
                condition = {}
            elif fault.kind is BucketFaultKind.REFUSED and "SSECustomerKey" in wanted:
                # Objects that are not encrypted with the key refuse to be asked with it.
                wanted = without_key(wanted)
            elif fault.kind is not BucketFaultKind.AWAY or attempt == ATTEMPTS:
                raise explain(error) from None
    raise AssertionError("the last attempt ends in one of the above")


def _reading(access: Access) -> dict[str, Any]:
    try:
        return access.reading
    except SourceError as error:
        raise UnreadableDocument(str(error), hint=HINT) from None


def _get(client: Any, wanted: dict[str, Any], most: int) -> tuple[bytes, ObjectState]:
    answer = client.get_object(**wanted)
    # As a context itself, the body is the bare stream, whose end nobody checks.
    with closing(answer["Body"]) as body:
        if answer["ContentLength"] > most:
            raise _too_large(most)
        head = body.read(HEAD_BYTES)
        # What is not read is not sent: the connection is closed.
        rest = b"" if foreign_kind(head) else body.read()
        return head + rest, ObjectState.of(answer)


def explain(error: Exception) -> DocumentError | ProviderUnavailable:
    """What an error of the SDK is for the document that was to be read."""
    fault = fault_of(error)
    match fault.kind:
        case BucketFaultKind.GONE:
            return SourceGone("it is not in the bucket any more")
        case BucketFaultKind.ARCHIVED:
            hint = "Restore it in the bucket, then replay: embedmill dlq replay"
            return UnreadableDocument("it is archived, and has to be restored before it can be read", hint=hint)
        case BucketFaultKind.REFUSED:
            if fault.told in _WANTS_KEY:
                told = "it is encrypted with a key of its owner's (SSE-C), which was not given or is another"
                return UnreadableDocument(
                    told, hint="Name the key and ingest the bucket again: --sse-c FILE --retry-dead"
                )
            told = f"the bucket refuses to give it: {fault.told}; rights to it or to its key are missing"
            return UnreadableDocument(told, hint=HINT)
    return ProviderUnavailable(f"the bucket could not give it: {fault.told}", may_be_billed=False)
