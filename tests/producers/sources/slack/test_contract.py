"""A Slack export promises what every source does: each document is a day of a channel here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from embedmill.producers.sources.base import Source
from embedmill.producers.sources.slack.export import Export
from embedmill.producers.sources.slack.source import SlackSource
from embedmill.shared.db.schema import source as source_table
from tests.contracts.sources import Desk, Shelf, SourceContract, desk
from tests.producers.sources.slack.exports import LISTS, by_day, opened, said, stamp, write_export
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]

TOKEN = "xoxe-1357908642-AbCdEfGhIjKlMnOp"
# Messages that say nothing, from before and after all others: how far an export reaches.
EDGES = [said("", stamp(month, 1), subtype="channel_join") for month in (1, 12)]
FILE = {"name": "plan.pdf", "url_private": f"https://files.slack.com/T1-F1/plan.pdf?t={TOKEN}"}


class Workspace(Shelf):
    """A workspace, and the export that was made of it last."""

    secrets = (TOKEN, "1357908642")

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = path
        self._texts: dict[str, str] = {}
        self._days: dict[str, int] = {}
        self._reads = 0
        entries = Export.entries

        def counted(export: Export, file: Any) -> Any:
            self._reads += 1
            return entries(export, file)

        monkeypatch.setattr(Export, "entries", counted)

    def put(self, name: str, text: str) -> None:
        self._texts[name] = text
        self._days.setdefault(name, len(self._days) + 1)
        self._write()

    def remove(self, name: str) -> None:
        del self._texts[name]
        self._write()

    def _write(self, **spoiled: str) -> None:
        messages = [said(text, stamp(5, self._days[name]), files=[FILE]) for name, text in self._texts.items()]
        write_export(self._path, {**LISTS, **by_day("general", [*EDGES, *messages]), **spoiled})

    def open(self) -> Source:
        return SlackSource(bytes(self._path), "UTC", "T1")

    def uri(self, name: str) -> str:
        return f"slack://T1/C00000001/2026-05-{self._days[name]:02}"

    @contextmanager
    def away(self) -> Iterator[None]:
        aside = self._path.rename(self._path.with_suffix(".aside"))
        yield
        aside.rename(self._path)

    @contextmanager
    def spoiled(self, name: str) -> Iterator[None]:
        self._write(**{f"general/2026-05-{self._days[name]:02}.json": '[{"ts": "'})
        yield
        self._write()

    def count_reads(self) -> int:
        count, self._reads = self._reads, 0
        return count

    def many(self, count: int) -> Source:
        messages = [
            said(f"thread {number}", ts, thread_ts=ts, reply_count=1)
            for number in range(count)
            for ts in [f"{1777626000 + number * 60}.000000"]
        ]
        write_export(self._path, {**LISTS, **by_day("general", messages)})
        return self.open()


class TestSlack(SourceContract):
    """An export of Slack."""

    @pytest.fixture
    def shelf(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
        return Workspace(tmp_path / "export.zip", monkeypatch)


def test_the_source_is_found_where_its_newest_export_is(desk: Desk, tmp_path: Path) -> None:
    old = opened(write_export(tmp_path / "may.zip", {**LISTS, **by_day("general", [said("may", stamp(5, 1))])}))
    new = opened(write_export(tmp_path / "june.zip", {**LISTS, **by_day("general", [said("june", stamp(6, 1))])}))
    for source in (new, old, old):
        desk.ingest(source)
        assert new.spec in [row["spec"] for row in desk.tracker.rows(source_table)]
