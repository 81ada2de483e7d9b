"""`embedmill simulate`: a paid provider's stand-in in the foreground, to rehearse a run and its bill without a key."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from embedmill.console.cli.output import print_json, print_line
from embedmill.console.dollars import format_usd
from embedmill.shared.errors import SettingsError, UnknownPrice
from embedmill.shared.ledger import Lane, Tokens
from embedmill.shared.settings import load_settings
from embedmill.shared.spend.prices import Prices
from embedmill.simulators.table import simulator_class

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


def simulate(rehearsal: Rehearsal, *, as_json: bool) -> None:
    """Serve until SIGINT or SIGTERM, after one line that says where; prints the bill at the end for people."""
    found = simulator_class(rehearsal.name)
    from embedmill.simulators.base import Options
    from embedmill.simulators.serving import listen, serve, url_of

    limits = Options(
        tokens_per_minute=rehearsal.tokens_per_minute,
        requests_per_minute=rehearsal.requests_per_minute,
        latency_seconds=rehearsal.latency_ms / 1000,
    )
    simulator = found(limits)
    try:
        listener = listen(rehearsal.host, rehearsal.port)
    except OSError as error:
        message = f"cannot listen on {rehearsal.host}:{rehearsal.port}: {error.strerror or error}"
        raise SettingsError(message, hint="Choose another --port; 0 takes a free one.") from None
    url = url_of(listener)

    def announce() -> None:
        if as_json:
            print_json({"simulator": rehearsal.name, "url": url, "environment": simulator.environment(url)})
            return
        print_line(f"simulated {rehearsal.name} at {url}; its bill: {url}/_sim/bill; Ctrl-C ends it")
        for variable, value in simulator.environment(url).items():
            print_line(f"export {variable}={value}")

    with listener, _ends_quietly():
        serve(simulator, listener, ready=announce)
    if not as_json:
        totals = simulator.bill.as_json()["totals"]
        counted = ", ".join(f"{name} {amount}" for name, amount in totals.items()) or "nothing"
        print_line(f"billed: {counted}; {price_bill(rehearsal.name, simulator.bill.as_json()['lines'])}")


def price_bill(provider: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """What a bill comes to at the prices of the price file; what has none there is named."""
    prices = Prices.load(load_settings().prices_path)
    total, unpriced = 0, set[str]()
    for line in lines:
        try:
            total += _cost(prices, provider, line)
        except UnknownPrice:
            unpriced.add(line["model"])
    told = format_usd(total / MICRO)
    return f"{told}, without {', '.join(sorted(unpriced))}, which has no price" if unpriced else told


def _cost(prices: Prices, provider: str, line: Mapping[str, Any]) -> int:
    """Micro-dollars of a line of a bill; raises UnknownPrice."""
    operation, _, batch = line["operation"].partition(".")
    if provider == STORE:
        milliunits = line.get("told_milliunits", 1000 * line.get("write_units", 0))
        return prices.find(STORE, STORE_MODEL, operation).cost(Tokens(), milliunits=milliunits) or 0
    for_an_hour = line.get("cache_write_1h", 0)
    written = line.get("cache_write", line.get("cache_write_5m", 0) + for_an_hour)
    tokens = Tokens(
        line.get("tokens_in", 0), line.get("tokens_out", 0), line.get("cache_read", 0), written, for_an_hour
    )
    found = prices.find(
        provider,
        line["model"],
        OPERATIONS.get(operation, operation),
        lane=Lane.BULK if batch else Lane.LIVE,
        prompt_tokens=tokens.prompt // max(line.get("requests", 1), 1),
    )
    return found.cost(tokens) or 0


@contextmanager
def _ends_quietly() -> Iterator[None]:
    """The server raises the signal that ended it once more when it has stopped, which would end the command with it."""

    def ignore(number: int, frame: FrameType | None) -> None:
        """It has done its work."""

    before = {number: signal.signal(number, ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
