"""The chassis of every simulator: routing, faults on order, rate limits, the bill, latency, and the `/_sim` controls.

A vendor's module subclasses `Simulator`: it lists its routes, answers a `Call` with a `Reply`, and words its errors.
What an operator or a test asks of any simulator is here:

    GET    /_sim/bill       what it would charge, by model and operation; DELETE starts a new bill
    POST   /_sim/faults     a JSON list of faults, put at the end of the script; GET lists, DELETE clears
    POST   /_sim/clock      {"advance_seconds": n} lets time pass at once
    GET    /_sim/requests   the last requests: path, status, seconds, how many at once
"""

import asyncio
import dataclasses
import re
import time
import traceback
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from embedmill.simulators.bill import Bill
from embedmill.simulators.clock import Clock
from embedmill.simulators.faults import AFTER, SCRIPT, Fault, FaultScript, Kind, find
from embedmill.simulators.limits import MINUTE_SECONDS, Quota
from embedmill.simulators.miscounting import COUNT_HEADERS, miscounted
from embedmill.simulators.streams import Streamed, Streaming

REMEMBERED_REQUESTS, REMEMBERED_BODIES = 1000, 16
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Options:
    """How a simulator behaves from the start; faults come later."""

    tokens_per_minute: int | None = None
    requests_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    bucket_seconds: float = MINUTE_SECONDS
    """Over how long a span these limits are enforced: what may be taken at once is the limit of that span."""
    latency_seconds: float = 0.0
    """An answer leaves no sooner than this after its request came, or after its turn where requests take turns."""
    requests_at_once: int | None = None
    """So many requests are answered at once; others wait for their turn."""
    max_input_tokens: int | None = None
    """The longest text to embed, where the vendor would take more: its own tokenizer counts otherwise than ours."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SimulatedReply:
    """An answer: `content` is sent as it is when it is bytes, as events when it is streamed, as JSON otherwise."""

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON

    @property
    def body(self) -> bytes:
        """The bytes on the wire."""
        return self.content if isinstance(self.content, bytes) else orjson.dumps(self.content)


@dataclass(frozen=True, slots=True)
class Call:
    """A request as a handler sees it."""

    method: str
    path: str
    params: Mapping[str, str]
    """Parts of the path and of the query string."""
    headers: Mapping[str, str]
    raw: bytes
    body: Any
    """The parsed JSON, or None when the body is none."""
    faults: tuple[Fault, ...]

    def fault(self, *kinds: Kind) -> Fault | None:
        """The first fault of one of these kinds that this request meets."""
        return find(self.faults, *kinds)


class Refused(Exception):
    """Ends a call with an error reply; `code` is the vendor's own word for it."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers or {}


Handler = Callable[[Call], SimulatedReply]
Transports = dict[tuple[str, int], asyncio.Transport]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that was answered: what `/_sim/requests` and tests look at."""

    method: str
    path: str
    status: int
    """0 when the connection was cut."""
    seconds: float
    in_flight: int
    """Requests being answered when this one's answer left, itself included."""


class Simulator(ABC):
    """An ASGI application that acts as a vendor's API."""

    name: ClassVar[str]
    url_variable: ClassVar[str]
    """The environment variable by which the vendor's SDK is pointed here."""
    key_variable: ClassVar[str]
    url_path: ClassVar[str] = ""
    """What the SDK expects its base URL to end with."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.clock = Clock()
        self.bill = Bill()
        self.faults = FaultScript(seed=self.options.seed)
        self.limiter = self.make_limiter()
        self.exchanges: deque[Exchange] = deque(maxlen=REMEMBERED_REQUESTS)
        self.bodies: deque[Any] = deque(maxlen=REMEMBERED_BODIES)
        """What the last requests asked for, parsed."""
        self.transports: Transports = {}
        """Open connections by the client's address; the server fills it, and a cut connection is aborted here."""
        self._in_flight = 0
        self._turns = asyncio.Semaphore(self.options.requests_at_once or 1)

    @cached_property
    def _routes(self) -> "list[_Route]":
        return [_Route(*route) for route in (*self._controls(), *self.routes())]

    @abstractmethod
    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path with `{parts}` (`{part:path}` takes slashes too), and handler."""

    @abstractmethod
    def error(self, refused: Refused) -> SimulatedReply:
        """The vendor's error body and headers."""

    def authorised(self, call: Call) -> bool:
        """Whether the call carries a key, any key; the SDKs send none when none is set."""
        return bool(call.headers.get("authorization", "").removeprefix("Bearer").strip())

    def make_limiter(self) -> Quota:
        """The rate limits; by default tokens and requests a minute."""
        limits = {"requests": self.options.requests_per_minute, "tokens": self.options.tokens_per_minute}
        return Quota(limits, clock=self.clock, bucket_seconds=self.options.bucket_seconds)

    def environment(self, url: str) -> dict[str, str]:
        """The variables to set so that the vendor's SDK comes here."""
        return {self.url_variable: url + self.url_path, self.key_variable: "simulated"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        assert scope["type"] == "http"
        started = time.monotonic()
        self._in_flight += 1
        try:
            request = Request(scope, receive)
            call = await self._call(request)
            response = await self._respond(call, started)
            self._remember(call, response, time.monotonic() - started)
        finally:
            # Whoever has an answer may ask again before its sending has ended here.
            self._in_flight -= 1
        if isinstance(response, _Cut | Streaming):
            await response.send(send, self.transports.get(scope["client"]))
        else:
            await response(scope, receive, send)

    def _remember(self, call: Call, response: "Response | Streaming | _Cut", seconds: float) -> None:
        """Before the answer leaves, so that whoever has it finds it here."""
        if not call.path.startswith("/_sim"):
            status = 0 if isinstance(response, _Cut) else response.status_code
            self.exchanges.append(Exchange(call.method, call.path, status, seconds, self._in_flight))
            self.bodies.append(call.body)

    async def _call(self, request: Request) -> Call:
        raw = await request.body()
        path = request.scope["path"]  # decoded, while the URL is not
        body = _parsed(raw)
        untouched = path.startswith("/_sim") or self.faults.is_empty
        faults = () if untouched else self.faults.take(path, _text(raw, body))
        return Call(request.method, path, dict(request.query_params), dict(request.headers), raw, body, faults)

    async def _respond(self, call: Call, started: float) -> "Response | Streaming | _Cut":
        if slow := call.fault("slow"):
            await asyncio.sleep(slow.seconds)
        if call.fault("cut"):
            return _Cut(b"", half=False)
        reply = self._answer(call)
        await self._take_turn(call, started)
        spoiling = find(call.faults, *AFTER)
        if isinstance(reply.content, Streamed):
            headers = {**reply.headers, "content-type": reply.media_type}
            return Streaming(reply.content, headers, spoiling, pause_seconds=_pause_of(call))
        return _spoiled(reply, spoiling)

    async def _take_turn(self, call: Call, started: float) -> None:
        if self.options.requests_at_once is None or call.path.startswith("/_sim"):
            await self._wait_for_latency(call, started)
            return
        async with self._turns:
            await self._wait_for_latency(call, time.monotonic())

    async def _wait_for_latency(self, call: Call, started: float) -> None:
        left = self.options.latency_seconds - (time.monotonic() - started)
        if left > 0 and not call.path.startswith("/_sim"):
            await asyncio.sleep(left)

    def _answer(self, call: Call) -> SimulatedReply:
        try:
            return self._routed(call)
        except Refused as refused:
            return self.error(refused)
        except Exception as error:  # noqa: BLE001 - a request that a handler did not foresee is answered all the same
            where = traceback.extract_tb(error.__traceback__)[-1]
            told = f"a fault of the simulator: {type(error).__name__} in {where.name}: {error}"
            return self.error(Refused(500, told))

    def _routed(self, call: Call) -> SimulatedReply:
        refuse_on_order(call)
        for route in self._routes:
            if (parts := route.match(call)) is not None:
                if not call.path.startswith("/_sim") and not self.authorised(call):
                    raise Refused(401, "no API key provided")
                return route.handler(_with_params(call, parts))
        raise Refused(404, f"no route for {call.method} {call.path}")

    def _controls(self) -> Sequence[tuple[str, str, Handler]]:
        return (
            ("GET", "/_sim/bill", lambda _: SimulatedReply(self.bill.as_json())),
            ("DELETE", "/_sim/bill", lambda _: _done(self.bill.clear)),
            ("POST", "/_sim/faults", self._add_faults),
            ("GET", "/_sim/faults", lambda _: SimulatedReply(self.faults.left())),
            ("DELETE", "/_sim/faults", lambda _: _done(self.faults.clear)),
            ("POST", "/_sim/clock", self._advance_clock),
            ("GET", "/_sim/requests", lambda _: SimulatedReply([_summary(e) for e in self.exchanges])),
        )

    def _add_faults(self, call: Call) -> SimulatedReply:
        try:
            self.faults.add(*SCRIPT.validate_python(call.body))
        except ValidationError as error:
            return SimulatedReply({"error": error.errors(include_url=False, include_context=False)}, 422)
        return SimulatedReply(self.faults.left())

    def _advance_clock(self, call: Call) -> SimulatedReply:
        self.clock.advance(float(call.body["advance_seconds"]))
        return SimulatedReply({"now": self.clock.stamp()})


class _Route:
    """A method and a path pattern with its handler."""

    def __init__(self, method: str, path: str, handler: Handler) -> None:
        self.method = method
        self.handler = handler
        pattern = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", path)
        self._pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern))

    def match(self, call: Call) -> dict[str, str] | None:
        """The parts of the path, or None when the call is not for this route."""
        found = self._pattern.fullmatch(call.path) if call.method == self.method else None
        return found.groupdict() if found else None


class _Cut:
    """A connection that breaks, before anything or in the middle of the body."""

    def __init__(self, body: bytes, *, half: bool, media_type: str = JSON) -> None:
        self._body = body
        self._half = half
        self._media_type = media_type

    async def send(self, send: Send, transport: asyncio.Transport | None) -> None:
        if self._half:
            headers = [(b"content-type", self._media_type.encode()), (b"content-length", b"%d" % len(self._body))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": self._body[: len(self._body) // 2], "more_body": True})
        if transport is not None:
            # Half a body has to leave before the connection does; otherwise the client sees a reset.
            transport.close() if self._half else transport.abort()


def _spoiled(reply: SimulatedReply, fault: Fault | None) -> "Response | _Cut":
    body = reply.body
    match fault.kind if fault and reply.status == 200 else None:
        case "cut_body":
            return _Cut(body, half=True, media_type=reply.media_type)
        case "truncated":
            body = body[: len(body) // 2]
        case "malformed":
            body = b"<html>502 Bad Gateway</html>"
        case "usage":
            assert fault is not None
            body, told = miscounted(body, fault.usage), {name: str(fault.usage) for name in COUNT_HEADERS}
            reply = replace(reply, headers={name: told.get(name, value) for name, value in reply.headers.items()})
    return Response(body, reply.status, headers=dict(reply.headers), media_type=reply.media_type)


def _pause_of(call: Call) -> float:
    """Seconds between two events of a stream."""
    return drip.seconds if (drip := call.fault("drip")) else 0.0


def _parsed(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _text(raw: bytes, body: Any) -> str:
    """What faults are matched against: the strings as their author wrote them, not their JSON escapes."""
    text = raw.decode("utf-8", "replace")
    return text if body is None or b"\\" not in raw else f"{text}\n{_strings(body)}"


def _strings(node: Any) -> str:
    match node:
        case str():
            return node
        case dict():
            return "\n".join(_strings(value) for value in node.values())
        case list():
            return "\n".join(_strings(value) for value in node)
    return ""


def _with_params(call: Call, parts: Mapping[str, str]) -> Call:
    params = {**call.params, **parts}
    return Call(call.method, call.path, params, call.headers, call.raw, call.body, call.faults)


def _summary(exchange: Exchange) -> dict[str, Any]:
    return dataclasses.asdict(exchange)


def _done(action: Callable[[], None]) -> SimulatedReply:
    action()
    return SimulatedReply({"done": True})


def refuse_on_order(call: Call) -> None:
    """End the call as a fault `status` says, if it meets one."""
    if fault := call.fault("status"):
        message = fault.message or f"a fault on order: {fault.status}"
        raise Refused(fault.status, message, code=fault.code, headers=fault.headers)


def new_id(prefix: str) -> str:
    """An id as vendors make them."""
    return f"{prefix}{uuid.uuid4().hex[:24]}"
