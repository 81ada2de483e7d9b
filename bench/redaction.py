"""Measures redaction: `python -m bench redaction [PII.jsonl] [--plain FILE…] [--ingest FOLDER] [--names]`.

What share of planted values is covered, how many look-alikes are touched, on a set of lines `{"text", "spans",
"hard_negatives"}` and on texts in formats of the bench's own; and how much text is looked through in a second of
processor time, beside a bare loop of Python in the same run. `--ingest` compares the processor time of whole ingests
with and without patterns, in turns; `--names` measures the model of the extra.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.invented import Specimen, invent
from embedmill.shared.redaction.finding import Finding
from embedmill.shared.redaction.names import find_names
from embedmill.shared.redaction.redactor import Redactor
from embedmill.shared.redaction.scanning import scan

LOOP = 10_000_000
SEEDS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Print recall, look-alikes and speeds."""
    options = _parser().parse_args(arguments)
    invented = [case for seed in range(SEEDS) for case in invent(seed)]
    sets = {"invented": invented} | ({options.pii.stem: _read(options.pii)} if options.pii else {})
    for name, cases in sets.items():
        _judge(name, cases, names=options.names)
    texts = {name: "\n\n".join(dict.fromkeys(case.text for case in cases)) for name, cases in sets.items()}
    texts |= {path.name: path.read_text(encoding="utf-8", errors="replace") for path in options.plain}
    _time(texts)
    if options.ingest:
        _compare_ingests(options.ingest, options.turns)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench redaction", description=__doc__)
    parser.add_argument("pii", nargs="?", type=Path, help="JSONL with text, spans and hard_negatives")
    parser.add_argument("--plain", nargs="*", type=Path, default=[], help="texts whose speed is measured")
    parser.add_argument("--ingest", type=Path, help="a folder that is ingested with and without redaction")
    parser.add_argument("--turns", type=int, default=3, help="so many ingests of each")
    parser.add_argument("--names", action="store_true", help="look for names with the extra's model, too")
    return parser


def _read(path: Path) -> list[Specimen]:
    cases = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        cases += [Specimen(row["text"], s["start"], s["end"], s["label"], s["label"]) for s in row["spans"]]
        cases += [Specimen(row["text"], s["start"], s["end"], "", s["kind"]) for s in row["hard_negatives"]]
    return cases


def _judge(name: str, cases: Iterable[Specimen], *, names: bool) -> None:
    planted, covered, touched, looks = Counter[str](), Counter[str](), Counter[str](), 0
    known: dict[str, list[Finding]] = {}
    for case in cases:
        if case.text not in known:
            known[case.text] = [*scan(case.text), *(find_names(case.text, seconds=600) if names else ())]
        found = known[case.text]
        if case.label:
            planted[case.label] += 1
            covered[case.label] += _covers(found, case)
        else:
            looks += 1
            touched[case.kind] += any(f.start < case.end and case.start < f.end for f in found)
    for label, count in sorted(planted.items()):
        print(f"{name:10} {label:12} {covered[label]:6} of {count:6}  {covered[label] / count:7.2%}")
    patterned = [label for label in planted if label != "PERSON"]
    share = sum(covered[label] for label in patterned) / sum(planted[label] for label in patterned)
    print(f"{name:10} patterned {share:.2%}; look-alikes touched: {touched.total()} of {looks} {dict(+touched)}")


def _covers(found: Sequence[Finding], case: Specimen) -> bool:
    inside = {place for f in found for place in range(max(f.start, case.start), min(f.end, case.end))}
    return len(inside) == case.end - case.start


def _time(texts: dict[str, str]) -> None:
    begin = time.process_time()
    for _ in range(LOOP):
        pass
    loop = time.process_time() - begin
    print(f"a bare loop of {LOOP:,} turns: {loop:.2f} s")
    redactor = Redactor("patterns")
    for name, text in texts.items():
        size = len(text.encode()) / 1e6
        seconds = {"patterns": _spent(lambda t=text: scan(t)), "redacted": _spent(lambda t=text: redactor.redact(t))}
        told = ", ".join(
            f"{what} {size / spent:.1f} MB/s ({spent / size / loop:.2f} loops a MB)" for what, spent in seconds.items()
        )
        print(f"{name:10} {size:.1f} MB: {told}")


def _spent(work: object) -> float:
    assert callable(work)
    spent = []
    for _ in range(3):
        begin = time.process_time()
        work()
        spent.append(time.process_time() - begin)
    return min(spent)


def _compare_ingests(folder: Path, turns: int) -> None:
    spent: dict[str, list[float]] = {"off": [], "patterns": []}
    for turn in range(turns):
        for policy in ("off", "patterns") if turn % 2 else ("patterns", "off"):
            spent[policy].append(_ingest(folder, policy))
    off, on = median(spent["off"]), median(spent["patterns"])
    print(f"ingest of {folder.name}: {off:.1f} s without, {on:.1f} s with patterns: {on / off:.2f} times")


def _ingest(folder: Path, policy: str) -> float:
    """Seconds of processor time of one ingest, its workers' included."""
    with TemporaryDirectory() as home:
        environment = os.environ | {"EMBEDMILL_HOME": home, "EMBEDMILL_EMBEDDING": "hash"}
        command = [sys.executable, "-m", "embedmill.console"]
        subprocess.run(
            [*command, "collections", "create", "default", "--redact", policy],
            env=environment,
            check=True,
            capture_output=True,
        )
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, "ingest", str(folder)], env=environment, check=False, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
