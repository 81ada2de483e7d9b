"""`embedmill simulate`: a paid provider's stand-in in the foreground, to rehearse a run and its bill without a key."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from console.output import print_json, print_line
from shared.errors import SettingsError
from shared.simulators.table import simulator_class


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
    from shared.simulators.base import Options
    from shared.simulators.serving import listen, serve, url_of

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
        print_line("billed: " + (", ".join(f"{name} {amount}" for name, amount in totals.items()) or "nothing"))


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
