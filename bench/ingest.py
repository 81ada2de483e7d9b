"""The ingest benchmark: the pipeline against the bare script, re-runs, memory, statements and messages, in one run.

`python -m bench.ingest [--documents 5000] [--pairs 3] [--memory]` prints a table of ratios; nothing is asserted.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

WORDS = (
    "queue worker lease chunk vector shard index budget token ledger broker message retry document parser heading "
    "offset section memory cache disk network latency throughput batch stage epoch claim rescue dispatch replay "
    "wing slipstream boundary layer pressure heat transfer supersonic flow plate cylinder shock experiment theory"
).split()
SEED = 7
PARAGRAPHS, SENTENCES, SENTENCE_WORDS = 4, 8, 14


@dataclass(frozen=True, slots=True)
class IngestRun:
    """One finished process: wall seconds, peak memory of its largest process in MB, what it printed."""

    seconds: float
    peak_mb: float
    out: bytes
    err: bytes

    @property
    def report(self) -> dict[str, Any]:
        """Its stdout as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Ingest benchmark.")
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--pairs", type=int, default=3, help="bare and pipeline runs, in turn")
    parser.add_argument("--memory", action="store_true", help="also ingest 1,000 and 20,000 documents")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        for name, value in measure(Path(folder), options.documents, pairs=options.pairs, memory=options.memory):
            print(f"{name:46} {value}")


def measure(folder: Path, documents: int, *, pairs: int, memory: bool) -> list[tuple[str, str]]:
    """(figure, value) rows."""
    corpus = make_corpus(folder / "corpus", documents)
    runs = [_pair(folder, corpus) for _ in range(pairs)]
    ratios = [ours.seconds / bare.seconds for bare, ours in runs]
    home = folder / "home"
    again = _ingest(home, corpus)
    change(corpus, documents // 100)
    changed = _ingest(home, corpus)
    bare_seconds = median(bare.seconds for bare, _ in runs)
    ended = _ended(runs[-1][1])
    rows = [
        ("bare script, median seconds", f"{bare_seconds:.2f}"),
        ("pipeline / bare, by pair", " ".join(f"{ratio:.2f}" for ratio in ratios)),
        ("pipeline / bare, median (target <= 2.0)", f"{median(ratios):.2f}"),
        ("unchanged re-run / bare (target <= 0.5)", f"{again.seconds / bare_seconds:.2f}"),
        ("chunks embedded by the re-run (target 0)", str(again.report["chunks"]["embedded"])),
        ("1 % changed: documents, chunks embedded", _changes(changed.report)),
        ("1 % changed: stale or missing (target ok)", "ok" if _verify(home) else "DIFFERS"),
        ("statements per document (target <= 1)", f"{sum(e['statements'] for e in ended) / documents:.3f}"),
        ("messages per document (target <= 0.1)", f"{sum(e['messages'] for e in ended) / documents:.4f}"),
    ]
    return rows + (_memory(folder) if memory else [])


def make_corpus(folder: Path, documents: int, *, paragraphs: int = PARAGRAPHS) -> Path:
    """Text files of about 3 kB, unless more paragraphs are wanted, the same for the same count."""
    choose = random.Random(SEED)
    for number in range(documents):
        path = folder / f"{number // 500:03d}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Report {number}\n\n" + "\n\n".join(_paragraph(choose, number) for _ in range(paragraphs)))
    return folder


def _paragraph(choose: random.Random, number: int) -> str:
    sentences = (" ".join(choose.choices(WORDS, k=SENTENCE_WORDS)) for _ in range(SENTENCES))
    return " ".join(f"{sentence.capitalize()} {number}." for sentence in sentences)


def change(corpus: Path, count: int) -> None:
    """Append a paragraph to `count` documents."""
    for number in range(count):
        with (corpus / f"{number // 500:03d}" / f"{number}.txt").open("a") as file:
            file.write(f"\n\nAn addendum to report {number}.")


def _pair(folder: Path, corpus: Path) -> tuple[IngestRun, IngestRun]:
    for name in ("bare", "home"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "bare").mkdir()
    bare = run([sys.executable, "-m", "bench.bare", str(corpus), str(folder / "bare")], home=folder / "bare")
    return bare, _ingest(folder / "home", corpus)


def _ingest(home: Path, corpus: Path) -> IngestRun:
    return run([sys.executable, "-m", "embedmill.console", "ingest", str(corpus), "--json"], home=home)


def _verify(home: Path) -> bool:
    verified = run([sys.executable, "-m", "embedmill.console", "verify", "--json"], home=home)
    return bool(verified.report["ok"])


def _changes(report: dict[str, Any]) -> str:
    return f"{report['documents']['completed']} {report['chunks']['embedded']} of {report['chunks']['expected']}"


def _ended(run: IngestRun) -> list[dict[str, Any]]:
    """What every process of a run counted, from its log."""
    lines = (line for line in run.err.splitlines() if b'"process.ended"' in line)
    return [json.loads(line) for line in lines]


def _memory(folder: Path) -> list[tuple[str, str]]:
    peaks = {}
    for documents in (1_000, 20_000):
        corpus = make_corpus(folder / f"memory-{documents}", documents)
        peaks[documents] = _ingest(folder / f"memory-home-{documents}", corpus).peak_mb
    rows = [(f"peak memory at {documents} documents, MB", f"{peak:.0f}") for documents, peak in peaks.items()]
    return [*rows, ("peak memory 20,000 / 1,000 (target 0.9 to 1.1)", f"{peaks[20_000] / peaks[1_000]:.2f}")]


def run(command: list[str], *, home: Path, embedding: str = "hash") -> IngestRun:
    """One process with a home of its own; raises SystemExit when it fails."""
    environment = os.environ | {
        "EMBEDMILL_HOME": str(home),
        "EMBEDMILL_EMBEDDING": embedding,
        "EMBEDMILL_LOG_LEVEL": "info",
    }
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read())
    if process.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(command)} failed: {texts[1].decode(errors='replace')[-2000:]}")
    return IngestRun(seconds, usage.ru_maxrss / 1024, *texts)


if __name__ == "__main__":
    main()
