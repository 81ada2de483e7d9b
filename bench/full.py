"""The full-ingest benchmark: a folder read, cut, embedded and written, against a script that does only that.

`python -m bench full [--documents 5060] [--few 1265] [--runs 3]` prints a table, medians of runs in turn. The script is
`bench.barest`, which shares no line with the pipeline. Processor time is of all processes, waited for by their parents
or by us; memory is what all of them take at once, what they share counted once.
"""

import argparse
import ctypes
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from statistics import median
from typing import Self

import psutil

SEED = 7
CHARACTERS = 4_100
"""Of a document, which makes 8.6 chunks of 128 tokens."""
PARAGRAPH_SENTENCES = 5
CHUNK_TOKENS = 128
SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2): processes whose parent is gone become ours to wait for."""
LOOKED_AT_EVERY = 0.25
"""Seconds between two looks at memory, which take some of the machine that is measured."""


@dataclass(frozen=True, slots=True)
class FullRun:
    """A finished command with all its processes: seconds, seconds of processors, chunks, peak memory in MB."""

    wall: float
    processor: float
    chunks: int
    peak_mb: float

    @property
    def each_ms(self) -> float:
        """Processor time of a chunk."""
        return 1000 * self.processor / self.chunks


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="bench full", description=__doc__)
    parser.add_argument("--documents", type=int, default=5060)
    parser.add_argument("--few", type=int, default=1265, help="documents of a second, smaller corpus; 0 for none")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--against", type=Path, help="another checkout with a .venv, which takes its turn too")
    options = parser.parse_args(arguments)
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors before, "
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        for documents in filter(None, (options.documents, options.few)):
            for line in measure(Path(folder), documents, runs=options.runs, against=options.against):
                print(line, flush=True)
    print(f"{load}{os.getloadavg()[0]:.1f} after")


def measure(folder: Path, documents: int, *, runs: int, against: Path | None = None) -> Iterator[str]:
    """Lines of a table."""
    corpus = make_corpus(folder / f"corpus-{documents}", documents)
    sides: dict[str, Callable[[], FullRun]] = {
        "bare script": lambda: _bare(folder, corpus),
        "pipeline": lambda: _ingest(folder, corpus, Path(sys.prefix)),
    }
    if against is not None:
        sides["the other checkout"] = lambda: _ingest(folder, corpus, against / ".venv")
    done: dict[str, list[FullRun]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, run in sides.items():
            done[name].append(run())
    yield f"| {documents} documents | chunks | wall, s | / bare | processor ms a chunk | / bare | peak MB |"
    yield "|---|---|---|---|---|---|---|"
    bare = _middle(done["bare script"])
    for name in sides:
        one = _middle(done[name])
        yield (
            f"| {name} | {one.chunks} | {one.wall:.2f} | {one.wall / bare.wall:.2f} | "
            f"{one.each_ms:.3f} | {one.each_ms / bare.each_ms:.2f} | {one.peak_mb:.0f} |"
        )


def _middle(runs: Sequence[FullRun]) -> FullRun:
    return FullRun(
        median(run.wall for run in runs),
        median(run.processor for run in runs),
        runs[0].chunks,
        max(run.peak_mb for run in runs),
    )


def make_corpus(folder: Path, documents: int) -> Path:
    """Text files of English sentences, those of Python's own manual in any order; the same for the same count."""
    choose, sentences = random.Random(SEED), _sentences()
    for number in range(documents):
        path = folder / f"{number // 500:03d}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Report {number}\n\n{_prose(choose, sentences)}\n", "utf-8")
    return folder


def _sentences() -> list[str]:
    whole = " ".join("\n".join(topics.values()).split())
    return [one for one in re.split(r"(?<=[.!?])\s+", whole) if 40 < len(one) < 300 and one[0].isupper()]


def _prose(choose: random.Random, sentences: Sequence[str]) -> str:
    paragraphs, length = list[str](), 0
    while length < CHARACTERS:
        paragraphs.append(" ".join(choose.choices(sentences, k=PARAGRAPH_SENTENCES)))
        length += len(paragraphs[-1])
    return "\n\n".join(paragraphs)[:CHARACTERS]


def _bare(folder: Path, corpus: Path) -> FullRun:
    home = _empty(folder / "bare")
    return _run([sys.executable, "-m", "bench.barest", str(corpus), str(home / "rows.db")], home, int)


def _ingest(folder: Path, corpus: Path, prefix: Path) -> FullRun:
    home = _empty(folder / "home")
    command = str(prefix / "bin" / "embedmill")
    create = [command, "collections", "create", "full", "--chunk-tokens", str(CHUNK_TOKENS), "--embedding", "hash"]
    subprocess.run(create, env=_environment(home), check=True, stdout=subprocess.DEVNULL)
    ingest = [command, "ingest", str(corpus), "--collection", "full", "--json"]
    return _run(ingest, home, lambda out: int(json.loads(out)["chunks"]["indexed"]))


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _environment(home: Path) -> dict[str, str]:
    return os.environ | {"EMBEDMILL_HOME": str(home), "EMBEDMILL_EMBEDDING": "hash"}


def _run(command: Sequence[str], home: Path, count: Callable[[str], int]) -> FullRun:
    """A command in a session of its own, until the last of its processes; raises SystemExit when it fails."""
    before, began = _processor_seconds(), time.perf_counter()
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, env=_environment(home), start_new_session=True, text=True
        )
        with _Watched() as watched:
            out, _ = process.communicate()
            wall = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {(home / 'log').read_text()[-2000:]}")
    _wait_for_left()
    return FullRun(wall, _processor_seconds() - before, count(out), watched.peak_mb)


def _wait_for_left() -> None:
    try:
        while os.waitpid(-1, 0):
            pass
    except ChildProcessError:
        return


def _processor_seconds() -> float:
    """Of all processes that were waited for."""
    times = os.times()
    return times.children_user + times.children_system


class _Watched:
    """The memory of a process and of all below it while they run, and of those that lost their parents."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(LOOKED_AT_EVERY):
            processes = psutil.Process().children(recursive=True)
            self.peak_mb = max(self.peak_mb, sum(map(_own_mb, processes)))


def _own_mb(process: psutil.Process) -> float:
    """What a process takes, with its part of what it shares."""
    try:
        return float(process.memory_full_info().pss / 2**20)
    except psutil.Error:
        return 0.0


if __name__ == "__main__":
    main()
