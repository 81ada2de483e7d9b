"""Exports of Slack: what reading one costs and how much memory it takes, at first and unchanged again.

`python -m bench slack [--messages 100000]` writes an export and reads one of a tenth of it first, so that memory that
grows with the export is seen. Of an export that has not changed no message is read.
"""

import argparse
import json
import resource
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.tables import KeptMemory
from embedmill.producers.sources.base import ReadContext
from embedmill.producers.sources.options import SourceOptions
from embedmill.producers.sources.slack import export
from embedmill.producers.sources.slack.source import SlackSource

CHANNELS, A_DAY, REPLIES = 10, 100, 10
"""Channels, messages of each a day, and of these so many are of one thread."""
BEGIN = datetime(2020, 1, 1, 9, tzinfo=UTC)
MEGABYTE_KIB = 1024


def main(arguments: list[str]) -> None:
    """Print seconds of processor time, what came, and the most memory after each."""
    parser = argparse.ArgumentParser(prog="python -m bench slack", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        for count in (asked.messages // 10, asked.messages):
            path = Path(folder) / f"export{count}.zip"
            _write(path, count)
            _measure(path, count)


def _measure(path: Path, count: int) -> None:
    memory = KeptMemory()
    for way in ("first", "unchanged"):
        began, parsed = time.process_time(), Counter[str]()
        source = SlackSource.open(f"slack:{path}", SourceOptions())
        with _CountedFiles(parsed):
            kinds = Counter(type(item).__name__ for item in source.scan(ReadContext(memory, settled=frozenset)))
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE_KIB
        told = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
        took = time.process_time() - began
        print(f"{count:>9,} messages {way:<9} {took:6.2f} s of processor; {told}; files of messages read: "
              f"{parsed['files']:,}; most memory so far {most:.0f} MB")  # fmt: skip


class _CountedFiles:
    """Counts the files whose objects are read."""

    def __init__(self, into: Counter[str]) -> None:
        self._into = into
        self._real: Any = vars(export)["read_objects"]

    def __enter__(self) -> None:
        def read(stream: Any) -> Any:
            self._into["files"] += 1
            return self._real(stream)

        vars(export)["read_objects"] = read

    def __exit__(self, *_: object) -> None:
        vars(export)["read_objects"] = self._real


def _write(path: Path, count: int) -> None:
    channels = [{"id": f"C{number:08}", "name": f"channel{number}"} for number in range(CHANNELS)]
    users = [{"id": "U1", "team_id": "T1", "name": "ada", "profile": {"display_name": "Ada"}}]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("users.json", json.dumps(users))
        archive.writestr("channels.json", json.dumps(channels))
        for number in range(count // (CHANNELS * A_DAY)):
            day = BEGIN + timedelta(days=number)
            for channel in channels:
                archive.writestr(f"{channel['name']}/{day:%Y-%m-%d}.json", json.dumps(list(_messages(day))))


def _messages(day: datetime) -> Iterator[Mapping[str, Any]]:
    begin = f"{int(day.timestamp())}.000000"
    for number in range(A_DAY):
        ts = f"{int((day + timedelta(minutes=number)).timestamp())}.000000"
        in_thread = {"thread_ts": begin} if number < REPLIES else {}
        text = f"message {ts} of some words " * 4
        yield {"type": "message", "user": "U1", "team": "T1", "text": text, "ts": ts, **in_thread}
