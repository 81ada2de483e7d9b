"""The benchmark of the audit: what a record costs beside the search that it is of.

`python -m bench audit [--documents 2000] [--searches 200] [--rounds 5]` searches an embedded home with and without the
audit, in turns, and prints the processor's time of a search and the share of it that the audit takes; and what a record
alone takes, of which writing and committing are the most.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import embedmill
from embedmill.api import Mill
from embedmill.console.services.opening import open_runtime
from embedmill.shared.audit.chain import mac_of, write_body
from embedmill.shared.audit.trail import AuditEntry
from embedmill.shared.configuration import load_settings
from embedmill.shared.db.audit import GENESIS
from embedmill.shared.settings import Settings

WARM_UP = 20
ENTRY = AuditEntry("search", "done", "", {"hits": 10}, {"query": "0" * 32, "scores": "0" * 32})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Audit benchmark.")
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        settings = load_settings(home=Path(folder), embedding="local", workers=1)
        with embedmill.open(settings=settings) as mill:
            mill.ingest(documents=[make_document(n) for n in range(options.documents)])
        times = measure_searches(settings, searches=options.searches, rounds=options.rounds)
        plain, audited = (statistics.median(times[mode]) for mode in ("off", "on"))
        print(f"a search without the audit, ms of the processor     {1000 * plain:.3f}")
        print(f"a search with the audit                              {1000 * audited:.3f}")
        print(f"share of it                                          {100 * (audited / plain - 1):.1f} %")
        record, hashing = measure_record(settings, records=options.searches)
        print(f"a record by itself, ms                               {1000 * record:.3f}")
        print(f"share of a search without the audit                  {100 * record / plain:.1f} %")
        print(f"its text and hash alone, ms                          {1000 * hashing:.4f}")


def make_document(n: int) -> dict[str, object]:
    """A document of some hundred words, a few of them its own."""
    text = f"Pump {n} of line {n % 17} lifts water over a weir. Its valve {n % 7} opens at {n % 90} bar. "
    return {"id": str(n), "text": text * 12}


def measure_searches(settings: Settings, *, searches: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of the processor of a search, by mode: a round of each in turn."""
    times: dict[str, list[float]] = {"off": [], "on": []}
    for n in range(rounds):
        for mode, found in times.items():
            with embedmill.open(settings=settings.model_copy(update={"audit": mode})) as mill:
                search(mill, range(WARM_UP))
                found.append(timed(lambda mill=mill, n=n: search(mill, range(n, n + searches))) / searches)  # type: ignore[misc]
    return times


def search(mill: Mill, numbers: range) -> None:
    """One search for each number."""
    for n in numbers:
        mill.search(f"which valve opens at {n % 90} bar")


def measure_record(settings: Settings, *, records: int) -> tuple[float, float]:
    """Seconds of the processor of a record, written and committed; and of its text and hash alone."""
    with open_runtime(settings) as runtime:
        principal, key = runtime.principal, runtime.trail.key("default")

        def write() -> None:
            for _ in range(records):
                runtime.trail.write("default", principal, ENTRY)

        def hash_() -> None:
            for n in range(records):
                mac_of(key.material, GENESIS, write_body({"action": "search", "seq": n, "counts": {"hits": 10}}))

        write()
        return timed(write) / records, timed(hash_) / records


def timed(work: Callable[[], None]) -> float:
    """Seconds of the processor that some work took."""
    begin = time.process_time()
    work()
    return time.process_time() - begin
