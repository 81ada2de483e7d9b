"""The benchmark of a remote embedder: a bare asyncio script against the whole command, a longer run, and after kills.

`python -m bench remote [--documents 1265] [--steady 4000] [--pairs 3] [--workers 2]` runs against our simulated OpenAI
at 60 ms a request, 8 requests at once. Requests are held against the ideal, that of one packer which has all texts from
the start and counts as the provider does. In the longer run the rate is that between a fifth and four fifths of the
tokens. Killed is the whole command, or the process that asks the provider, once half of the tokens are answered; what
was paid twice is held against what was in flight at that moment.
"""

import argparse
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

from bench.bare_remote import as_provider_counts
from bench.ingest import make_corpus
from embedmill.shared.asking.packing import ItemSize, Room, lower_bound
from embedmill.simulators.base import Call, Handler, Options, Refused, SimulatedReply
from embedmill.simulators.openai import MAX_INPUTS, MAX_REQUEST_TOKENS, OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running

LATENCY_SECONDS, AT_ONCE = 0.06, 8
MODEL, DIMENSIONS = "openai/text-embedding-3-small", 1536
PARAGRAPHS = 11
"""Of a document: some 8 kB, which are eight or nine chunks."""
POLL_SECONDS = 0.01
STORED_SECONDS = 0.5
"""So long after it left an answer may not be stored."""
LONGEST_SECONDS = 600.0
ROW = np.eye(1, DIMENSIONS, dtype="<f4").tobytes()
LIMITS = {
    "x-ratelimit-limit-tokens": "10000000",
    "x-ratelimit-remaining-tokens": "9999999",
    "x-ratelimit-reset-tokens": "1s",
}


@dataclass(slots=True)
class AnsweredRequest:
    """One that was answered, or is being answered."""

    came: float
    inputs: int
    tokens: int
    left: float = math.inf


@dataclass(slots=True)
class Log:
    """What the provider was asked."""

    requests: list[AnsweredRequest] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    repeated: int = 0
    """Texts that had been answered before."""
    refused: int = 0
    """Requests that were too large."""

    @property
    def tokens(self) -> int:
        """All that were paid for."""
        return sum(request.tokens for request in self.requests)

    def ideal(self) -> int:
        """Fewer requests cannot have the different texts."""
        sizes = [ItemSize(as_provider_counts(text)) for text in self.texts]
        return lower_bound(sizes, Room(MAX_INPUTS, MAX_REQUEST_TOKENS))

    def note(self, request: AnsweredRequest, texts: Sequence[str]) -> None:
        """A request came."""
        self.repeated += len(self.texts.intersection(texts))
        self.texts.update(texts)
        self.requests.append(request)

    @property
    def answered_tokens(self) -> int:
        """Those of requests whose answers left."""
        return sum(request.tokens for request in self.requests if request.left < math.inf)

    def least_since(self, before: int) -> int:
        """Requests that what was asked since the first so many takes at least, as large as the largest of all."""
        largest = max((request.tokens for request in self.requests), default=1)
        return math.ceil(sum(request.tokens for request in self.requests[before:]) / largest)

    @property
    def most_at_once(self) -> int:
        """Requests in flight at the same time."""
        return max((self._at(request.came) for request in self.requests), default=0)

    def _at(self, moment: float) -> int:
        return sum(request.came <= moment < request.left for request in self.requests)

    @property
    def in_flight(self) -> int:
        """Texts that are being answered, or whose answers may not have been stored yet."""
        since = time.monotonic() - STORED_SECONDS
        return sum(request.inputs for request in self.requests if request.left > since)

    def rate(self) -> float:
        """Tokens a second between a fifth and four fifths of them."""
        ordered = sorted(self.requests, key=lambda request: request.left)
        sums = np.cumsum([request.tokens for request in ordered])
        first, last = (int(np.searchsorted(sums, share * sums[-1])) for share in (0.2, 0.8))
        return float(sums[last] - sums[first]) / max(ordered[last].left - ordered[first].left, 1e-9)


class QuickOpenAI(OpenAISimulator):
    """Answers as the simulator does, with one vector for all texts, and counts a token for four characters.

    Otherwise most of what is measured on two cores would be its own work. Refused is what is too large by its count,
    which is not OpenAI's own: for English it counts more.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.log = Log()
        self._being_answered: dict[int, AnsweredRequest] = {}
        self._vector = b64encode(ROW)

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        return (("POST", "/v1/embeddings", self._embed),)

    def _embed(self, call: Call) -> SimulatedReply:
        texts = call.body["input"]
        request = AnsweredRequest(time.monotonic(), len(texts), sum(map(as_provider_counts, texts)))
        if request.tokens > MAX_REQUEST_TOKENS:
            self.log.refused += 1
            raise Refused(400, f"Requested {request.tokens} tokens", code="max_tokens_per_request")
        self._being_answered[id(call.body)] = request
        self.log.note(request, texts)
        rows = (b'{"object":"embedding","index":%d,"embedding":"%s"}' % (n, self._vector) for n in range(len(texts)))
        usage = b'{"prompt_tokens":%d,"total_tokens":%d}' % (request.tokens, request.tokens)
        body = b'{"object":"list","data":[%s],"model":"%s","usage":%s}'
        return SimulatedReply(body % (b",".join(rows), call.body["model"].encode(), usage), headers=LIMITS)

    def _remember(self, call: Call, response: Any, seconds: float) -> None:
        super()._remember(call, response, seconds)
        # The call itself is another once its path was read.
        if id(call.body) in self._being_answered:
            self._being_answered.pop(id(call.body)).left = time.monotonic()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m bench remote", description=__doc__)
    parser.add_argument("--documents", type=int, default=1265)
    parser.add_argument("--steady", type=int, default=4000, help="documents of the longer run; 0 leaves it out")
    parser.add_argument("--pairs", type=int, default=3, help="bare and pipeline runs, in turn")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-kills", dest="kills", action="store_false")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        bench = Bench(Path(folder), options.workers)
        for line in bench.measure(options.documents, steady=options.steady, pairs=options.pairs, kills=options.kills):
            print(line, flush=True)
    print(f"load {os.getloadavg()[0]:.1f}")


@dataclass(frozen=True, slots=True)
class Ran:
    """A command and what it asked of the provider."""

    seconds: float
    cpu_seconds: float
    log: Log

    def __str__(self) -> str:
        log = self.log
        asked = f"{len(log.requests):4} requests, {log.refused} refused, ideal {log.ideal()}"
        return f"{self.seconds:6.2f} s, {self.cpu_seconds:5.2f} s of processors, {asked}, {log.most_at_once} at once"


class Bench:
    """Commands over one folder, each with a provider of its own."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder = folder
        self._workers = workers
        self._homes = 0

    def measure(self, documents: int, *, steady: int, pairs: int, kills: bool) -> Iterator[str]:
        """A line for each figure."""
        corpus = make_corpus(self._folder / "corpus", documents, paragraphs=PARAGRAPHS)
        runs = [(self.bare(corpus), self.ingest(corpus)) for _ in range(pairs)]
        for bare, ours in runs:
            yield f"bare {bare}"
            yield f"ours {ours}"
        ratio = median(bare.seconds / ours.seconds for bare, ours in runs)
        yield f"throughput of the bare script, whole command, median (target >= 60 %): {ratio:.0%}"
        if steady:
            yield from self._steady(steady)
        if kills:
            yield from self._killed(corpus, "command")
            yield from self._killed(corpus, "worker")

    def bare(self, corpus: Path) -> Ran:
        """The bare script."""
        with self._provider() as (provider, environment):
            command = [sys.executable, "-m", "bench.bare_remote", str(corpus), environment["EMBEDMILL_HOME"]]
            return self._run(command, environment, provider)

    def ingest(self, corpus: Path) -> Ran:
        """The whole command, in a fresh home."""
        with self._provider() as (provider, environment):
            return self._run(_ingest(corpus), environment, provider)

    def _steady(self, documents: int) -> Iterator[str]:
        corpus = make_corpus(self._folder / "steady", documents, paragraphs=PARAGRAPHS)
        bare, ours = self.bare(corpus), self.ingest(corpus)
        yield f"{documents} documents, bare {bare}"
        yield f"{documents} documents, ours {ours}"
        yield f"rate of the bare script in the middle (target >= 95 %): {ours.log.rate() / bare.log.rate():.0%}"

    def _killed(self, corpus: Path, what: str) -> Iterator[str]:
        with self._provider() as (provider, environment):
            whole = self._run(_ingest(corpus), environment, provider).log.tokens
        with self._provider() as (provider, environment):
            log = provider.simulator.log
            with _started(_ingest(corpus), environment) as process:
                _await(lambda: log.answered_tokens >= whole / 2 or process.poll() is not None)
                in_flight = _kill(process, what, provider)
                before = len(log.requests)
                _await(lambda: process.poll() is not None)
            if what == "command":
                yield f"restarted in {self._run(_ingest(corpus), environment, provider).seconds:.2f} s"
            after = len(log.requests) - before
            yield (
                f"kill -9 of the {what}: {after} requests after it, {log.least_since(before)} would do "
                f"(target <= 1.5 times); paid twice {log.repeated} texts, in flight {in_flight}"
            )

    @contextmanager
    def _provider(self) -> Iterator[tuple[SimulatorServer[QuickOpenAI], dict[str, str]]]:
        self._homes += 1
        home = self._folder / f"home-{self._homes}"
        home.mkdir()
        with running(QuickOpenAI(Options(latency_seconds=LATENCY_SECONDS, requests_at_once=AT_ONCE))) as provider:
            environment = {
                "EMBEDMILL_HOME": str(home),
                "EMBEDMILL_EMBEDDING": MODEL,
                "EMBEDMILL_WORKERS": str(self._workers),
            }
            yield provider, {**os.environ, **provider.environment, **environment}
        shutil.rmtree(home)

    def _run(
        self, command: Sequence[str], environment: Mapping[str, str], provider: SimulatorServer[QuickOpenAI]
    ) -> Ran:
        began, before = time.monotonic(), _used()
        with _started(command, environment) as process:
            _await(lambda: process.poll() is not None)
            if process.returncode:
                raise SystemExit(f"{command} ended with {process.returncode}")
        return Ran(time.monotonic() - began, _used() - before, provider.simulator.log)


def _ingest(corpus: Path) -> list[str]:
    return [str(Path(sys.executable).with_name("embedmill")), "ingest", str(corpus), "--json"]


def _used() -> float:
    """Processor seconds of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def _started(command: Sequence[str], environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing after {LONGEST_SECONDS:g} s")
        time.sleep(POLL_SECONDS)


def _kill(process: "subprocess.Popen[bytes]", what: str, provider: SimulatorServer[QuickOpenAI]) -> int:
    """Kill the command with all of its processes, or the worker that is connected to the provider.

    Returns how many texts were in flight.
    """
    if what == "command":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        port = int(provider.url.rpartition(":")[2])
        children = psutil.Process(process.pid).children(recursive=True)
        found = [child for child in children if any(c.raddr and c.raddr.port == port for c in child.net_connections())]
        for child in found[:1]:
            child.kill()
    return provider.simulator.log.in_flight


if __name__ == "__main__":
    main()
