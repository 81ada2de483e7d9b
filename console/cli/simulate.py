"""`embedmill simulate`: a paid provider's stand-in in the foreground."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_line, print_result
from embedmill.console.dollars import format_usd

if TYPE_CHECKING:
    from embedmill.console.services.simulating import RunningSimulator, SimulatedBill


def simulate(
    name: Annotated[
        str, typer.Argument(metavar="PROVIDER", help="One of openai, anthropic, cohere, bedrock and pinecone.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on; the loopback interface unless told.")] = "127.0.0.1",
    tpm: Annotated[
        int | None, typer.Option("--tpm", min=1, help="Tokens a minute and model; no limit if absent.")
    ] = None,
    rpm: Annotated[int | None, typer.Option("--rpm", min=1, help="Requests a minute and model.")] = None,
    latency_ms: Annotated[int, typer.Option("--latency-ms", min=0, help="Least time of an answer.")] = 0,
    script: Annotated[
        Path | None, typer.Option(help="JSON file with what the model thinks, as POST /_sim/verdicts takes it.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate in PEM, to serve https.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key in PEM.")] = None,
    as_json: AsJson = False,
) -> None:
    """Act as a paid provider, to rehearse a run.

    It prints the variables to set.

    It is told what to do over HTTP, as docs/simulators.md shows: POST /_sim/faults orders refusals, delays, cuts and
    spoiled answers, POST /_sim/verdicts scripts what the model thinks, GET /_sim/bill is what it would charge.
    """
    from embedmill.console.services.simulating import Rehearsal, run_simulator
    from embedmill.shared.configuration import load_settings

    def announce(running: "RunningSimulator") -> None:
        print_result(running, _print_running, as_json=as_json)

    rehearsal = Rehearsal(name, host, port, tpm, rpm, latency_ms, script, tls_cert, tls_key)
    with _ends_quietly():
        bill = run_simulator(load_settings(), rehearsal, on_ready=announce)
    if not as_json:
        print_bill(bill)


def _print_running(running: "RunningSimulator") -> None:
    print_line(f"simulated {running.simulator} at {running.url}; its bill: {running.url}/_sim/bill; Ctrl-C ends it")
    for variable, value in running.environment.items():
        print_line(f"export {variable}={value}")


def print_bill(bill: "SimulatedBill") -> None:
    """What was counted, and its price."""
    counted = ", ".join(f"{name} {amount}" for name, amount in bill.totals.items()) or "nothing"
    without = f", without {', '.join(bill.unpriced)}, which has no price" if bill.unpriced else ""
    print_line(f"billed: {counted}; {format_usd(bill.usd)}{without}")


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
