"""Measures what parsing costs: `python -m bench parsing FOLDER [--against COMMIT] [--formats pdf,html] [--profile]`.

Processor time of all files of a format, pass by pass. With a commit, its parsers and ours read the same files in turns,
each in a process that stays, under the same interpreter and libraries: what one gains from a quiet moment the other
does, too. The commit's checkout is a work tree in a temporary folder, which goes at the end. `--profile` shows for each
format the functions that take most of our time.
"""

import argparse
import cProfile
import io
import os
import pstats
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import orjson

from embedmill.shared.errors import DocumentError
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.parse import parse

HERE = Path(__file__).parent.parent
PASSES = 7
# What a pass takes at least, in files, so that clocks and collections of garbage even out.
LEAST_FILES = 40
SHOWN_FUNCTIONS = 25
FORMATS = "csv docx eml epub html ipynb json md odt pdf pptx rst rtf txt xlsx".split()

Read = Callable[[Sequence[str]], tuple[float, int]]
"""Processor seconds for files, and how many were refused."""

READER = """
import sys, time, json
from pathlib import Path
from embedmill.shared.errors import DocumentError
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.parse import parse
for line in sys.stdin:
    files = [(path, Path(path).read_bytes()) for path in json.loads(line)]
    begin, refused = time.process_time(), 0
    for path, data in files:
        try:
            parse(data, name=path, limits=ParserLimits())
        except DocumentError:
            refused += 1
    print(time.process_time() - begin, refused, flush=True)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line a format."""
    options = _parser().parse_args(arguments)
    files = _files(options.folder, options.formats.split(","))
    with ExitStack() as stack:
        checkouts = {"now": HERE}
        if options.against:
            checkouts = {"before": stack.enter_context(_checkout(options.against)), "now": HERE}
        readers = {name: stack.enter_context(_reader(checkout)) for name, checkout in checkouts.items()}
        print(f"| format | files | {' | '.join(f'{name}, ms' for name in readers)} | ratio |")
        print("|---|---|" + "---|" * (len(readers) + 1))
        for format_, paths in files.items():
            print(_line(format_, paths, _measure(paths, readers, options.passes)), flush=True)
    for format_, paths in files.items() if options.profile else ():
        print(f"\n{format_}\n{_profile(paths)}")
    return 0


def _files(folder: Path, formats: Sequence[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix[1:].lower() in formats and path.is_file():
            found[path.suffix[1:].lower()].append(str(path.absolute()))
    return dict(sorted(found.items()))


@contextmanager
def _checkout(commit: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        _git("worktree", "add", "--detach", "--quiet", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=HERE, check=True)  # noqa: S607 - the one that made this checkout


@contextmanager
def _reader(checkout: Path) -> Iterator[Read]:
    """Reads files in a process of its own, with the packages of a checkout."""
    command = [sys.executable, "-c", READER]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    with subprocess.Popen(
        command, cwd=checkout, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        asking, answers = process.stdin, process.stdout

        def read(paths: Sequence[str]) -> tuple[float, int]:
            asking.write(orjson.dumps(paths) + b"\n")
            asking.flush()
            seconds, refused = answers.readline().split()
            return float(seconds), int(refused)

        yield read
        asking.close()


def _measure(paths: Sequence[str], readers: Mapping[str, Read], passes: int) -> dict[str, list[tuple[float, int]]]:
    """Seconds of each pass over the files once, and how many were refused; the first, which loads libraries, goes."""
    times = -(-LEAST_FILES // len(paths))
    asked = list(paths) * times
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in readers}
    for number in range(passes + 1):
        for name, read in readers.items():
            seconds, refused = read(asked)
            if number:
                found[name].append((seconds / times, refused))
    return found


def _line(format_: str, paths: Sequence[str], found: Mapping[str, Sequence[tuple[float, int]]]) -> str:
    """Without a ratio where one refuses what the other reads, as for want of a library that is gone."""
    told = " | ".join(f"{1000 * median(seconds for seconds, _ in passes):.1f}" for passes in found.values())
    turns = list(zip(*found.values(), strict=True))
    is_fair = len(found) > 1 and turns[0][0][1] == turns[0][-1][1]
    ratio = f"{median(turn[-1][0] / turn[0][0] for turn in turns):.2f}" if is_fair else ""
    return f"| {format_} | {len(paths)} | {told} | {ratio} |"


def _profile(paths: Sequence[str]) -> str:
    files = [(path, Path(path).read_bytes()) for path in paths]
    profile = cProfile.Profile()
    for _ in range(2):
        profile.clear()
        profile.enable()
        for path, data in files:
            try:
                parse(data, name=path, limits=ParserLimits())
            except DocumentError:
                continue
        profile.disable()
    told = io.StringIO()
    pstats.Stats(profile, stream=told).strip_dirs().sort_stats("tottime").print_stats(SHOWN_FUNCTIONS)
    return told.getvalue().partition("ncalls")[2]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench parsing", description=__doc__)
    parser.add_argument("folder", type=Path, help="files of all formats")
    parser.add_argument("--against", help="a commit whose parsers read the same files in turns")
    parser.add_argument("--formats", default=",".join(FORMATS), help="suffixes")
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--profile", action="store_true", help="the functions that take most of the time")
    return parser
