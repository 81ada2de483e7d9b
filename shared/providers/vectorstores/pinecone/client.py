"""Owns the connection to one Pinecone index: finding or making it, every request bounded, and what its errors mean.

The SDK's own retries are switched off: they sleep up to a minute inside a worker, and ours know about leases. There is
no public switch for the data plane (docs/facts.md), so a private one is used where it exists, and the same
transport has the size of answers bounded.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from pinecone import Index, Pinecone, RetryConfig
from pinecone import errors as vendor

from embedmill.shared.errors import (
    DocumentError,
    EmbedmillError,
    FlowControl,
    InternalError,
    KeyRefused,
    ProviderUnavailable,
    SettingsError,
)
from embedmill.shared.providers.answer_bounds import bound_transport
from embedmill.shared.providers.credentials import hash_variable
from embedmill.shared.providers.endpoints import RERANKERS, find_endpoint
from embedmill.shared.providers.translation import BUDGET_SECONDS, REDIRECTIONS, retry_after_seconds, was_never_sent
from embedmill.shared.providers.vectorstores.persistence import Persistence
from embedmill.shared.providers.vectorstores.pinecone.limiter import ShardLimiter, Waited
from embedmill.shared.vendor_codes import shown_id

T = TypeVar("T")

REQUEST_SECONDS = 10.0
"""A request that takes longer means that its shard is dead; the SDK would wait half a minute, four times."""
REFUSED_SECONDS = 1.0
"""So long work waits that is refused again and again, when nobody says for how long."""
FRESH_SECONDS = 20.0
"""How long what was written may stay unseen before the work is parked; usually a second is enough."""
FORBIDDEN_SECONDS = 60.0
"""What a plan or a quota does not allow is never about a document, and is changed by a person."""
CREDENTIALS = "PINECONE_API_KEY"
UNANSWERED = frozenset({408, 502, 503, 504})
COSINE, DOT_PRODUCT = "cosine", "dotproduct"
BAD_REQUEST, NOT_FOUND, GATEWAY_TIMEOUT = 400, 404, 504
"""At the last, what stood behind the gateway may have done the work, and billed it."""
OPTIONS = frozenset({"host", "cloud", "region", "prefix", "timeout", "fresh"})


@dataclass(frozen=True, slots=True)
class Address:
    """What `pinecone://INDEX?…` says; `{dimensions}` in the name keeps models of different sizes apart."""

    index: str
    host: str | None
    cloud: str
    region: str
    prefix: str
    request_seconds: float
    fresh_seconds: float


def parse_address(url: str, *, dimensions: int) -> Address:
    """Read a URL; raises SettingsError."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    index = unquote(parts.netloc).replace("{dimensions}", str(dimensions))
    unknown = sorted(options.keys() - OPTIONS)
    if unknown or parts.path.strip("/") or not (index or options.get("host")):
        wrong = f"unknown {', '.join(unknown)}" if unknown else f"{url!r} names no index"
        hint = "Write pinecone://INDEX, with ?cloud=, region=, prefix=, timeout=, fresh= or host= if needed."
        raise SettingsError(f"EMBEDMILL_VECTOR_URL: {wrong}", hint=hint)
    try:
        seconds = float(options.get("timeout", REQUEST_SECONDS)), float(options.get("fresh", FRESH_SECONDS))
    except ValueError:
        raise SettingsError("EMBEDMILL_VECTOR_URL: timeout and fresh are seconds") from None
    return Address(
        index=index,
        host=options.get("host"),
        cloud=options.get("cloud", "aws"),
        region=options.get("region", "us-east-1"),
        prefix=options.get("prefix", ""),
        request_seconds=seconds[0],
        fresh_seconds=seconds[1],
    )


class PineconeClient:
    """One index; requests go to it by shard, within the shard's own limit."""

    def __init__(self, address: Address, *, dimensions: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.address = address
        self._clock = clock
        self._waited = Waited()
        # Its clock stands still while a request waits for others: a long queue is no reason to give up.
        self.persistence = Persistence(clock=lambda: clock() - self._waited.seconds)
        self._dimensions = dimensions
        self._limiters: dict[str, ShardLimiter] = {}
        self._control = ShardLimiter("Pinecone's control plane", patience_seconds=address.request_seconds)
        self._opened: Index | None = None
        self._opening = threading.Lock()
        self._metric: str | None = None

    @property
    def key_hash(self) -> str:
        """Tells the key from others; empty without any."""
        return hash_variable(CREDENTIALS)

    @property
    def endpoint(self) -> str:
        """Who answers in the place of Pinecone; empty for itself."""
        return find_endpoint(RERANKERS, "pinecone")

    @property
    def identity(self) -> str:
        """Tells the index from all others: other projects, and simulators, may have one of that name."""
        return f"{self.key_hash} {self.address.host or self.endpoint} {self.address.index}"

    def call(self, shard: str, request: Callable[[Index], T]) -> T:
        """Send a request once, at its turn; raises our errors.

        A refusal, and a shard that does not answer, are FlowControl; `persistence` says which is made again. A 404 is a
        failure as well: a gateway answers so while what is behind it is away.
        """
        try:
            return self._send(self.limiter(shard), request)
        except vendor.NotFoundError as error:
            cause = f"it knows no such index {_told(error)}; one that was deleted is made anew when workers start"
            raise self.limiter(shard).failed(cause) from None

    def find(self, shard: str, request: Callable[[Index], T]) -> T | None:
        """As `call`; None when the service knows no such namespace, and counts no rows in it either.

        Where one replica knows less than the others, or a gateway answers for a service that is away, rows that should
        go would stay for ever.
        """
        try:
            return self._send(self.limiter(shard), request)
        except vendor.NotFoundError as error:
            told = _told(error)
        if self.call(shard, lambda index: index.describe_index_stats()).namespaces.get(shard):
            raise self.limiter(shard).failed(f"it knows no such namespace {told}, and counts rows in it")
        return None

    def limiter(self, shard: str) -> ShardLimiter:
        """How many requests a shard is sent at once."""
        patience = 2 * self.address.request_seconds
        fresh = ShardLimiter(
            f"Pinecone, shard {shard}", patience_seconds=patience, clock=self._clock, waited=self._waited
        )
        return self._limiters.setdefault(shard, fresh)

    def takes_words(self) -> bool:
        """Whether the index has sparse vectors beside dense ones; one that compares by cosine has none."""
        self._index()
        if self._metric is None:
            self._metric = self.call("doctor", lambda index: index.describe_index_stats()).metric or COSINE
        if self._metric not in (COSINE, DOT_PRODUCT):
            raise SettingsError(
                f"EMBEDMILL_VECTOR_URL: the {self.describe()} compares vectors by {self._metric}",
                hint="Name another index; one that is not there yet is made as it has to be.",
            )
        return self._metric == DOT_PRODUCT

    def make_namespace(self, name: str) -> None:
        """Make an empty namespace; nothing when it is there, or when the service does not know how."""

        def make(index: Index) -> None:
            with suppress(vendor.ConflictError):
                index.create_namespace(name=name)

        self.find(name, make)

    def describe(self) -> str:
        """What the index is called."""
        return f"Pinecone index {self.address.index or self.address.host}"

    def exists(self) -> bool:
        """Whether the index is there; raises our errors. Makes nothing."""
        if self.address.host:
            return True
        try:
            with Pinecone(timeout=self.address.request_seconds, retry_config=RetryConfig(max_retries=0)) as client:
                return bool(client.indexes.exists(self.address.index))
        except vendor.PineconeError as error:
            raise _translated(error, self._control, since=self._control.now) from None

    def close(self) -> None:
        """Release the connections."""
        if self._opened is not None:
            self._opened.close()

    def _send(self, limiter: ShardLimiter, request: Callable[[Index], T]) -> T:
        index = self._index()
        with limiter.turn():
            since = limiter.now
            try:
                answer = request(index)
            except vendor.NotFoundError:
                limiter.succeeded()
                raise
            except vendor.PineconeError as error:
                raise _translated(error, limiter, since=since) from None
        limiter.succeeded()
        return answer

    def _index(self) -> Index:
        with self._opening:
            if self._opened is None:
                self._control.check()
                since = self._control.now
                try:
                    self._opened = _tamed(Index(host=self._find_host(), timeout=self.address.request_seconds))
                except vendor.PineconeError as error:
                    raise _unbilled(_translated(error, self._control, since=since)) from None
            return self._opened

    def _find_host(self) -> str:
        if self.address.host:
            return self.address.host
        client = Pinecone(timeout=self.address.request_seconds, retry_config=RetryConfig(max_retries=0))
        try:
            found = self._find_or_make(client)
        finally:
            client.close()
        if found.dimension != self._dimensions:
            raise SettingsError(
                f"EMBEDMILL_VECTOR_URL: the index {self.address.index} has {found.dimension} dimensions, the "
                f"collection's model {self._dimensions}",
                hint="Name another index; {dimensions} in the name keeps models apart: pinecone://name-{dimensions}",
            )
        self._metric = found.metric
        return str(found.host)

    def _find_or_make(self, client: Pinecone) -> Any:
        name = self.address.index
        try:
            return client.indexes.describe(name)
        except vendor.NotFoundError:
            pass
        place = {"deployment_type": "managed", "cloud": self.address.cloud, "region": self.address.region}
        try:
            return client.indexes.create(name=name, schema={"fields": self._fields()}, deployment=place)
        except vendor.ConflictError:  # another worker was quicker
            return client.indexes.describe(name)

    def _fields(self) -> dict[str, dict[str, Any]]:
        """Of an index of vectors with words: the two names that the vectors API has for them, and no others."""
        dense = {"type": "dense_vector", "dimension": self._dimensions, "metric": DOT_PRODUCT}
        return {"_values": dense, "_sparse_values": {"type": "sparse_vector"}}


def _tamed(index: Index) -> Index:
    """Without the SDK's own retries, and with no answer larger than one may be."""
    transport: Any = getattr(getattr(getattr(index, "_http", None), "_client", None), "_transport", None)
    if transport is not None:
        bound_transport(transport, provider="Pinecone")
    if hasattr(transport, "_config"):
        transport._config = RetryConfig(max_retries=0)  # noqa: SLF001 - see the head of this module
    return index


def _unbilled(error: EmbedmillError) -> EmbedmillError:
    """An error of the control plane, before the request that it was for was sent."""
    if isinstance(error, FlowControl | ProviderUnavailable):
        error.may_be_billed = False
    return error


def _translated(error: vendor.PineconeError, limiter: ShardLimiter, *, since: float) -> EmbedmillError:
    """Our error of a request that was sent then; the vendor's own text may quote a record and is left out."""
    if isinstance(error, vendor.ApiError):
        return _without_words(error) or _refused(error, limiter)
    match error:
        case vendor.PineconeTimeoutError():
            return limiter.unanswered("no answer", since=since, may_be_billed=not was_never_sent(error))
        case vendor.PineconeConnectionError():
            return limiter.failed("no connection, or one that broke", may_be_billed=not was_never_sent(error))
        case vendor.ResponseParsingError():
            return ProviderUnavailable("Pinecone gave an answer that cannot be read")
        case vendor.PineconeValueError() if "API key" in str(error):
            return KeyRefused(f"there is no Pinecone API key: {CREDENTIALS} is not set, or holds none")
    return InternalError(f"Pinecone's SDK refused the request ({type(error).__name__})")


def _without_words(error: vendor.ApiError) -> EmbedmillError | None:
    if error.status_code != BAD_REQUEST or "sparse" not in str(error):
        return None
    return SettingsError(
        "EMBEDMILL_VECTOR_URL: the Pinecone index takes no sparse vectors, in which words are kept",
        hint="Name another index; one that is not there yet is made as it has to be.",
    )


def _told(error: vendor.ApiError) -> str:
    request = shown_id(error.request_id)
    return f"({error.status_code}{f', request {request}' if request else ''})"


def _refused(error: vendor.ApiError, limiter: ShardLimiter) -> EmbedmillError:
    told = _told(error)
    match error:
        case vendor.UnauthorizedError():
            message = f"Pinecone answered 401: it does not accept the key; check {CREDENTIALS}"
            return KeyRefused(message)
        case vendor.PaymentRequiredError():
            message = f"Pinecone answered 402: no credit is left {told}"
            return FlowControl(message, reason="budget", retry_after_seconds=BUDGET_SECONDS)
        case vendor.ForbiddenError():
            return FlowControl(
                f"Pinecone does not allow this {told}: look at the project's plan and quotas",
                reason="circuit",
                retry_after_seconds=FORBIDDEN_SECONDS,
                hint="Look at the project's plan and quotas; the work goes on by itself.",
            )
        case vendor.RateLimitError():
            limiter.refused()
            asked = retry_after_seconds(error.headers or {})
            return FlowControl(
                f"Pinecone limits the rate {told}",
                reason="rate",
                retry_after_seconds=REFUSED_SECONDS if asked is None else asked,
                is_told=asked is not None,
            )
        case vendor.PayloadTooLargeError():
            return DocumentError(f"Pinecone refused a record as too large {told}")
        case vendor.ServiceError() if error.status_code not in UNANSWERED:
            return limiter.failed(f"it failed {told}")
    if cause := _name_outage(error.status_code):
        return limiter.failed(f"{cause} {told}", may_be_billed=error.status_code == GATEWAY_TIMEOUT)
    return InternalError(f"Pinecone refused the request {told}")


def _name_outage(status: int) -> str:
    """What a status says of a service that cannot be reached; empty for any other."""
    if status in REDIRECTIONS:
        return "it points to another address"
    if status == NOT_FOUND:
        return "it knows no such address"
    return "the service is away" if status in UNANSWERED else ""
