"""The benchmark of a store that stumbles: the same ingest into a Pinecone that fails a random share of its requests.

`python -m bench stumbling [--documents 400] [--shares 0 2 5 10 20]` prints seconds and their ratio to a store that
never fails, for each share in percent; half of the failures are 429, half 503. Nothing is asserted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ingest import make_corpus
from embedmill.simulators.base import Options
from embedmill.simulators.faults import Fault
from embedmill.simulators.pinecone import PineconeSimulator
from embedmill.simulators.serving import SimulatorServer, running

STATUSES = (429, 503)
TARGETS = {10: 1.5, 20: 3.0}
"""Ratios to aim at, by the share in percent."""
GIVEN_UP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Stumble:
    """One ingest: `seconds` is None when it was given up."""

    share: int
    seconds: float | None
    requests: int
    failed: int
    completed: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Benchmark of a store that stumbles.")
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--shares", type=int, nargs="+", default=[0, 2, 5, 10, 20], help="failing requests, in percent")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="of every request to the store")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        corpus = make_corpus(Path(folder, "corpus"), options.documents)
        with running(PineconeSimulator(Options(latency_seconds=options.latency_ms / 1000))) as store:
            runs = [measure(corpus, Path(folder), store, share, workers=options.workers) for share in options.shares]
    for line in report(runs):
        print(line)


def measure(
    corpus: Path, folder: Path, store: SimulatorServer[PineconeSimulator], share: int, *, workers: int
) -> Stumble:
    """Ingest into a new home and a new index."""
    simulator = store.simulator
    simulator.faults.clear()
    simulator.bill.clear()
    # Each of the second status meets what the first has left, so that together they strike the share.
    first = share / 200
    for status, chance in zip(STATUSES, (first, first / (1 - first)), strict=True):
        fault = Fault(kind="status", status=status, path="/i/", times=None, probability=chance)
        simulator.faults.add(*([fault] if share else []))
    environment = {
        **os.environ,
        **store.environment,
        "EMBEDMILL_HOME": str(folder / f"home-{share}"),
        "EMBEDMILL_VECTOR_URL": f"pinecone://share-{share}",
        "EMBEDMILL_EMBEDDING": "hash",
        "EMBEDMILL_WORKERS": str(workers),
    }
    command = [str(Path(sys.executable).with_name("embedmill")), "ingest", str(corpus), "--json"]
    began = time.perf_counter()
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=GIVEN_UP_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Stumble(share, None, _requests(simulator), _failed(simulator), 0)
    seconds = time.perf_counter() - began
    completed = int(json.loads(done.stdout)["documents"]["completed"])
    return Stumble(share, seconds, _requests(simulator), _failed(simulator), completed)


def _failed(simulator: PineconeSimulator) -> int:
    return sum(int(fault["happened"]) for fault in simulator.faults.left())


def _requests(simulator: PineconeSimulator) -> int:
    return int(simulator.bill.total("requests")) + _failed(simulator)


def report(runs: Sequence[Stumble]) -> list[str]:
    """A line for each run."""
    base = next((run.seconds for run in runs if run.share == 0), None)
    return [_line(run, base) for run in runs]


def _line(run: Stumble, base: float | None) -> str:
    if run.seconds is None:
        return f"{run.share:3} %: not done within {GIVEN_UP_SECONDS:g} s"
    ratio = f"{run.seconds / base:.2f}" if base else "-"
    target = f" (target <= {TARGETS[run.share]:g})" if run.share in TARGETS else ""
    counts = f"{run.completed} documents, {run.failed} of {run.requests} requests failed"
    return f"{run.share:3} %: {run.seconds:6.2f} s, ratio {ratio}{target}; {counts}"
