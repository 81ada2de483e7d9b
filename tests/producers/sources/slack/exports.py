"""Exports of Slack that tests write, and an index that their readings fill."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from embedmill.producers.sources.base import Departed, Kept, Problem, ReadContext, Remark, RowItem
from embedmill.producers.sources.memory import Memory
from embedmill.producers.sources.options import Dates, SourceOptions
from embedmill.producers.sources.slack.source import SlackSource

Files = Mapping[str, Any]
ADA = {"id": "U1", "team_id": "T1", "name": "ada", "profile": {"display_name": "Ada", "real_name": "Ada L."}}
BOB = {"id": "U2", "team_id": "T1", "name": "bob", "profile": {"display_name": "", "real_name": "Bob B."}}
GENERAL = {"id": "C00000001", "name": "general", "members": ["U1", "U2"]}
LISTS: Files = {"users.json": [ADA, BOB], "channels.json": [GENERAL]}


def stamp(month: int, day: int, hour: int = 9, minute: int = 0) -> str:
    """The `ts` of a moment of 2026, UTC."""
    return f"{int(datetime(2026, month, day, hour, minute, tzinfo=UTC).timestamp())}.000000"


def said(text: str, ts: str, **more: Any) -> dict[str, Any]:
    """A message of Ada's."""
    return {"type": "message", "user": "U1", "text": text, "ts": ts} | more


def by_day(folder: str, messages: Sequence[Mapping[str, Any]]) -> Files:
    """The day files of a conversation."""
    days: dict[str, list[Mapping[str, Any]]] = {}
    for message in messages:
        day = datetime.fromtimestamp(float(message["ts"]), UTC).date().isoformat()
        days.setdefault(f"{folder}/{day}.json", []).append(message)
    return days


def write_export(path: Path, files: Files) -> Path:
    """A zip with these files; what is no text is written as JSON."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content if isinstance(content, str | bytes) else json.dumps(content))
    return path


def write_folder(path: Path, files: Files) -> Path:
    """The same unpacked."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def opened(path: Path, *, zone: str = "UTC") -> SlackSource:
    """The source that is named by `slack:PATH`."""
    return SlackSource.open(f"slack:{path}", SourceOptions(dates=Dates(zone)))


def read(path: Path, *, zone: str = "UTC") -> dict[str, str]:
    """The texts of an export by their titles."""
    return {item.title: item.text for item in opened(path, zone=zone).scan() if isinstance(item, RowItem)}


class Index:
    """What one source's readings make of an index."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.texts: dict[str, str] = {}
        self.titles: dict[str, str] = {}
        self.problems: list[Problem] = []
        self.remarks: list[str] = []
        self.kept: list[str] = []
        self.read: list[str] = []
        self.departed: list[str] = []

    def ingest(self, path: Path) -> "Index":
        """Read an export as a scan does."""
        self.problems, self.remarks, self.kept, self.read, self.departed = [], [], [], [], []
        context = ReadContext(self.memory, settled=lambda uris: frozenset(uris) & self.texts.keys())
        for item in list(opened(path).scan(context)):
            match item:
                case RowItem():
                    self.read.append(item.uri)
                    self.texts[item.uri], self.titles[item.uri] = item.text, item.title
                case Kept():
                    assert item.uri in self.texts
                    self.kept.append(item.uri)
                case Departed():
                    self.departed.append(item.uri)
                    self.texts.pop(item.uri, None)
                    self.titles.pop(item.uri, None)
                case Problem():
                    self.problems.append(item)
                case Remark():
                    self.remarks.append(item.reason)
                case _:
                    raise AssertionError(item)
        return self

    def find(self, words: str) -> list[str]:
        """The titles of the documents in which words stand."""
        return sorted(self.titles[uri] for uri, text in self.texts.items() if words in text)
