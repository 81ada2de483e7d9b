"""Measures how faithfully files are read: `python -m bench fidelity FOLDER [--against CHECKOUT]`.

For each format: the words of independent extractors that are missing, those that are added, and the pairs of
neighbours that are torn apart, each as a share of the reference's words; the rows of tables and the headings that are
found; and the processor time. Of a file's references the one that agrees most is taken: a reference is another opinion
and no truth. With another checkout, which has a `.venv/`, its parser reads the same files in the same run, so that
times are ratios.
"""

import argparse
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import orjson

from bench.references import REFERENCES, Reference, words_of
from bench.webpages import SITES, chosen_part

HERE = Path(__file__).parent.parent

READER = """
import sys, time, json
from pathlib import Path
from embedmill.shared.errors import DocumentError
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.parse import parse
limits = ParserLimits()
for line in sys.stdin:
    path = json.loads(line)
    data, spent, found = Path(path).read_bytes(), [], None
    for _ in range(RUNS):
        begin = time.process_time()
        try:
            found = parse(data, name=path, limits=limits)
        except DocumentError:
            break
        spent.append(time.process_time() - begin)
    blocks = found.blocks if found else ()
    text = {k: [b.text for b in blocks if b.kind == k] for k in ("table_row", "heading")}
    print(json.dumps({"text": "\\n".join(b.text for b in blocks), "rows": text["table_row"],
                      "headings": text["heading"], "seconds": min(spent, default=0.0)}), flush=True)
"""
RUNS = 3


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a parser read of a file, and the processor time it took."""

    words: list[str]
    rows: list[Counter[str]]
    by_key: Mapping[str, Counter[str]]
    headings: list[str]
    seconds: float

    def has_heading(self, heading: str) -> bool:
        """Whether a heading says it, with or without its number."""
        return any(found == heading or found.endswith(f" {heading}") for found in self.headings)

    def holds(self, row: Sequence[str]) -> bool:
        """Whether one row holds all of a row's words, or several that begin with the same word together.

        The bands of a wide table begin so. A cell that spans others is repeated, so a row may hold more.
        """
        wanted = Counter(row)
        return wanted <= self.by_key.get(row[0], Counter()) or any(wanted <= found for found in self.rows)


@dataclass(slots=True)
class FileScore:
    """Sums over files; `words`, `rows` and `headings` are the references'."""

    files: int = 0
    words: int = 0
    missing: int = 0
    added: int = 0
    torn: int = 0
    rows: int = 0
    rows_found: int = 0
    headings: int = 0
    headings_found: int = 0
    seconds: float = 0.0

    def add(self, reading: ReadFile, reference: Reference) -> None:
        """Add a file."""
        mine, theirs = Counter(reading.words), Counter(reference.words)
        pairs = Counter(pairwise(reference.words))
        self.files += 1
        self.words += len(reference.words)
        self.missing += (theirs - mine).total()
        self.added += (mine - theirs).total()
        self.torn += (pairs - Counter(pairwise(reading.words))).total()
        self.rows += len(reference.rows)
        self.rows_found += sum(map(reading.holds, reference.rows))
        self.headings += len(reference.headings)
        self.headings_found += sum(map(reading.has_heading, reference.headings))
        self.seconds += reading.seconds

    def line(self, base: "FileScore | None") -> str:
        """The cells of a line of the table."""
        shares = [_share(number, self.words) for number in (self.missing, self.added, self.torn)]
        found = [_share(self.rows_found, self.rows), _share(self.headings_found, self.headings)]
        time = "1" if base is None else f"{self.seconds / max(base.seconds, 1e-9):.2f}"
        return " | ".join([*shares, *found, time])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of formats."""
    options = _parser().parse_args(arguments)
    found = (path for path in options.folder.rglob("*") if path.suffix.lower() in REFERENCES)
    files = sorted(path for path in found if path.is_file())
    parsers = {"before": options.against, "now": HERE} if options.against else {"now": HERE}
    readings = {name: _read(checkout, files) for name, checkout in parsers.items()}
    scores: dict[str, dict[str, FileScore]] = defaultdict(lambda: {name: FileScore() for name in parsers})
    for number, path in enumerate(files):
        data = _part_of_page(path, options.folder)
        opinions = [reference(data) for reference in REFERENCES[path.suffix.lower()]]
        for name in parsers:
            reading = readings[name][number]
            best = min((one for one in opinions if one), key=lambda one: _distance(reading, one), default=None)
            if best is not None:
                scores[path.suffix[1:].lower()][name].add(reading, best)
    _print(scores)
    return 0


def _part_of_page(path: Path, folder: Path) -> bytes:
    """What is compared: of a page of a site that `webpages.toml` knows, the part that was chosen by hand."""
    site = path.relative_to(folder).parts[0]
    rules = tomllib.loads(SITES.read_text("utf-8")).get(site)
    data = path.read_bytes()
    return chosen_part(data, rules).encode() if rules and path.suffix == ".html" else data


def _read(checkout: Path, files: Sequence[Path]) -> list[ReadFile]:
    script = READER.replace("RUNS", str(RUNS))
    asked = "".join(orjson.dumps(str(path.absolute())).decode() + "\n" for path in files)
    command = [str(checkout / ".venv/bin/python"), "-c", script]
    run = subprocess.run(command, input=asked, capture_output=True, text=True, cwd=checkout, check=False)
    if run.returncode:
        sys.exit(run.stderr[-2000:])
    return [_reading(orjson.loads(line)) for line in run.stdout.splitlines()]


def _reading(read: dict[str, object]) -> ReadFile:
    rows = [words for row in list(read["rows"]) if (words := words_of(row))]  # type: ignore[call-overload]
    by_key: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        by_key[row[0]].update(row)
    headings = [" ".join(words_of(heading)) for heading in list(read["headings"])]  # type: ignore[call-overload]
    counted = [Counter(row) for row in rows]
    return ReadFile(words_of(str(read["text"])), counted, by_key, headings, float(str(read["seconds"])))


def _distance(reading: ReadFile, reference: Reference) -> int:
    mine, theirs = Counter(reading.words), Counter(reference.words)
    return (theirs - mine).total() + (mine - theirs).total()


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else ""


def _print(scores: dict[str, dict[str, FileScore]]) -> None:
    print("| format | files | words | parser | missing % | added % | torn % | rows % | headings % | time |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for line in _lines(scores):
        print(f"| {line} |")


def _lines(scores: dict[str, dict[str, FileScore]]) -> Iterator[str]:
    for format_, by_parser in sorted(scores.items()):
        base = by_parser.get("before")
        for name, score in by_parser.items():
            told = score.line(None if name == "before" else base)
            yield f"{format_} | {score.files} | {score.words:,} | {name} | {told}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench fidelity", description=__doc__)
    parser.add_argument("folder", type=Path, help="files of all formats")
    parser.add_argument("--against", type=Path, help="another checkout, with its .venv/")
    return parser
