"""A paid provider's stand-in, to rehearse a run and its bill without a key."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedmill.shared.errors import SettingsError, SourceError, UnknownPrice
from embedmill.shared.ledger import Lane, Tokens
from embedmill.shared.settings import Settings
from embedmill.shared.spend.prices import Prices
from embedmill.simulators.table import simulator_class

if TYPE_CHECKING:
    from embedmill.simulators.base import Simulator
    from embedmill.simulators.serving import Certificate

MICRO = 1_000_000
STORE, STORE_MODEL = "pinecone", "serverless"
OPERATIONS = {"generate": "message"}
"""What the price file calls what a simulator's bill calls otherwise."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What to simulate, where, and how."""

    name: str
    host: str
    port: int
    tokens_per_minute: int | None
    requests_per_minute: int | None
    latency_ms: int
    script: Path | None = None
    """What the model thinks, in a file as `POST /_sim/verdicts` takes it."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    """A certificate and its private key in PEM: connections are encrypted with them."""


@dataclass(frozen=True, slots=True)
class RunningSimulator:
    """Where a simulator listens, and the variables that send a vendor's SDK there."""

    simulator: str
    url: str
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SimulatedBill:
    """What a simulator counted, and what it comes to at the prices of the price file; models without one are named."""

    totals: Mapping[str, int]
    usd: float
    unpriced: Sequence[str]


def run_simulator(
    settings: Settings, rehearsal: Rehearsal, *, on_ready: Callable[[RunningSimulator], None]
) -> SimulatedBill:
    """Serve until SIGINT or SIGTERM, which the server listens to; raises SettingsError, MissingExtra.

    `on_ready` is told where, once requests are answered.
    """
    found = simulator_class(rehearsal.name)
    from embedmill.simulators.base import Options
    from embedmill.simulators.serving import listen, serve, url_of

    tls = _find_certificate(rehearsal)

    limits = Options(
        tokens_per_minute=rehearsal.tokens_per_minute,
        requests_per_minute=rehearsal.requests_per_minute,
        latency_seconds=rehearsal.latency_ms / 1000,
    )
    simulator = found(limits)
    if rehearsal.script is not None:
        _follow(simulator, rehearsal.script)
    try:
        listener = listen(rehearsal.host, rehearsal.port)
    except OSError as error:
        message = f"cannot listen on {rehearsal.host}:{rehearsal.port}: {error.strerror or error}"
        raise SettingsError(message, hint="Choose another --port; 0 takes a free one.") from None
    url = url_of(listener, scheme="https" if tls else "http")
    running = RunningSimulator(rehearsal.name, url, simulator.environment(url))
    with listener:
        serve(simulator, listener, ready=lambda: on_ready(running), tls=tls)
    return price_bill(Prices.load(settings.prices_path), rehearsal.name, simulator.bill.as_json())


def _find_certificate(rehearsal: Rehearsal) -> "Certificate | None":
    """Raises SettingsError for one file without the other, or one that is none of a certificate."""
    from embedmill.simulators.serving import Certificate

    if rehearsal.tls_cert is None or rehearsal.tls_key is None:
        if rehearsal.tls_cert or rehearsal.tls_key:
            raise SettingsError("a certificate is two files: give --tls-cert and --tls-key")
        return None
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(rehearsal.tls_cert, rehearsal.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"{rehearsal.tls_cert} and its key cannot be used: {error}") from None
    return Certificate(rehearsal.tls_cert, rehearsal.tls_key)


def _follow(simulator: "Simulator", path: Path) -> None:
    """Script what the model thinks; raises SourceError, and SettingsError for a simulator that has no opinions."""
    from pydantic import ValidationError

    from embedmill.simulators.prompts import VERDICTS, AnswerWriter

    writer = getattr(simulator, "writer", None)
    if not isinstance(writer, AnswerWriter):
        raise SettingsError(f"{simulator.name} thinks nothing that a script could say", hint="Leave --script out.")
    try:
        writer.add(*VERDICTS.validate_json(path.read_bytes()))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SourceError(f"{path} is no script: {place or 'the file'}: {first['msg']}") from None


def price_bill(prices: Prices, provider: str, bill: Mapping[str, Any]) -> SimulatedBill:
    """What the lines of a simulator's bill come to."""
    total, unpriced = 0, set[str]()
    for line in bill["lines"]:
        try:
            total += _cost(prices, provider, line)
        except UnknownPrice:
            unpriced.add(line["model"])
    return SimulatedBill(bill["totals"], total / MICRO, sorted(unpriced))


def _cost(prices: Prices, provider: str, line: Mapping[str, Any]) -> int:
    """Micro-dollars of a line of a bill; raises UnknownPrice."""
    operation, _, batch = line["operation"].partition(".")
    if provider == STORE:
        milliunits = line.get("told_milliunits", 1000 * line.get("write_units", 0))
        return prices.find(STORE, STORE_MODEL, operation).cost(Tokens(), milliunits=milliunits) or 0
    tokens = _tokens_of(line)
    found = prices.find(
        provider,
        line["model"],
        OPERATIONS.get(operation, operation),
        lane=Lane.BULK if batch else Lane.LIVE,
        prompt_tokens=tokens.prompt // max(line.get("requests", 1), 1),
    )
    return found.cost(tokens) or 0


def _tokens_of(line: Mapping[str, Any]) -> Tokens:
    for_an_hour = line.get("cache_write_1h", 0)
    written = line.get("cache_write", line.get("cache_write_5m", 0) + for_an_hour)
    return Tokens(line.get("tokens_in", 0), line.get("tokens_out", 0), line.get("cache_read", 0), written, for_an_hour)
