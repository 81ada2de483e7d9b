"""The benchmark of limits: real ingests under a simulated provider's tokens a minute, by one worker process and eight.

`python -m bench limits [--seconds 20] [--tpm 240000] [--workers 1 8] [--buckets 60 6] [--told]` prints for each how
much of what the provider granted was used, from the first request to the last, and how many requests it refused. It
grants what its bucket holds at the start, and then an even flow: a bucket of a minute's worth, or of six seconds', as
vendors enforce a minute's limit over shorter spans. The job is as large as what is granted in so many seconds. With
`--told` the limit is set beforehand; otherwise it is learned from headers.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.ingest import make_corpus
from embedmill.simulators.base import Options
from embedmill.simulators.limits import MINUTE_SECONDS
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running

TOKENS_PER_DOCUMENT = 600
"""About."""
POLL_SECONDS = 0.01
LONGEST_SECONDS = 150.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m bench limits", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long a job takes after the full bucket")
    parser.add_argument("--tpm", type=int, default=240_000, help="tokens a minute that the provider allows")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--buckets", type=float, nargs="+", default=[60.0, 6.0], help="seconds that a bucket holds")
    parser.add_argument("--told", action="store_true", help="set the limit, instead of having it learned")
    options = parser.parse_args(arguments)
    for bucket_seconds in options.buckets:
        for workers in options.workers:
            bucket = Bucket(options.tpm, bucket_seconds)
            print(measure(bucket, options.seconds, workers=workers, told=options.told), flush=True)
    print(f"load {os.getloadavg()[0]:.1f}")


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a provider grants."""

    tpm: int
    seconds: float

    def granted(self, seconds: float) -> float:
        """Tokens within so many seconds of the first request."""
        return self.tpm * (self.seconds + seconds) / MINUTE_SECONDS


def measure(bucket: Bucket, seconds: float, *, workers: int, told: bool) -> str:
    """One ingest, as a line."""
    options = Options(tokens_per_minute=bucket.tpm, bucket_seconds=bucket.seconds, latency_seconds=0.06)
    with (
        tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder,
        running(OpenAISimulator(options)) as provider,
    ):
        corpus = make_corpus(Path(folder, "corpus"), int(bucket.granted(seconds) / TOKENS_PER_DOCUMENT))
        environment = {
            **os.environ,
            **provider.environment,
            "EMBEDMILL_HOME": str(Path(folder, "home")),
            "EMBEDMILL_EMBEDDING": "openai/text-embedding-3-small@64",
            "EMBEDMILL_WORKERS": str(workers),
            "EMBEDMILL_LIMITS": json.dumps({"openai": {"tpm": bucket.tpm}} if told else {}),
        }
        flow = _watch(corpus, environment, provider)
    used = flow.tokens / bucket.granted(flow.seconds)
    return (
        f"bucket of {bucket.seconds:2g} s, {workers} workers: {used:6.1%} used of what was granted (target >= 95 %), "
        f"{flow.refused} of {flow.calls} requests refused (target <= 1 %), {flow.seconds:.1f} s, "
        f"longest pause {flow.longest_pause:.1f} s"
    )


@dataclass(slots=True)
class Flow:
    """What a provider was asked between the first answer and the last."""

    first: float = 0.0
    last: float = 0.0
    tokens: int = 0
    calls: int = 0
    refused: int = 0
    longest_pause: float = 0.0

    @property
    def seconds(self) -> float:
        """From the first answer to the last."""
        return self.last - self.first

    def note(self, *, status: int, tokens: int) -> None:
        """A request was answered just now; `tokens` are all until now."""
        self.calls += 1
        self.refused += status == 429
        if status == 200:
            now = time.monotonic()
            self.first = self.first or now
            self.longest_pause = max(self.longest_pause, now - (self.last or now))
            self.last, self.tokens = now, tokens


def _watch(corpus: Path, environment: dict[str, str], provider: SimulatorServer[OpenAISimulator]) -> Flow:
    command = [str(Path(sys.executable).with_name("embedmill")), "ingest", str(corpus), "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    flow, deadline, simulator = Flow(), time.monotonic() + LONGEST_SECONDS, provider.simulator
    try:
        while process.poll() is None and time.monotonic() < deadline:
            while simulator.exchanges:
                flow.note(status=simulator.exchanges.popleft().status, tokens=simulator.bill.total("tokens_in"))
            time.sleep(POLL_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return flow


if __name__ == "__main__":
    main()
