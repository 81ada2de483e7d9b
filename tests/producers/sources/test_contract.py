"""Folders and files of rows keep what every source promises."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedmill.producers.sources.base import Source
from embedmill.producers.sources.folder import FolderSource
from embedmill.producers.sources.jsonl import JsonlSource
from embedmill.shared.uris import path_to_uri
from tests.contracts.sources import Shelf, SourceContract, desk
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]


class Folder(Shelf):
    """Files of a folder."""

    odd = ("ä", "a\u0308", "a b", "a%20b", "q?x=1", "h#1", "[x]", "back\\slash", "new\nline", "😀", "trailing ")

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()

    def put(self, name: str, text: str) -> None:
        (self.place / name).write_text(text)

    def remove(self, name: str) -> None:
        (self.place / name).unlink()

    def open(self) -> Source:
        return FolderSource(bytes(self.place))

    def uri(self, name: str) -> str:
        return path_to_uri(bytes(self.place / name))

    @contextmanager
    def away(self) -> Iterator[None]:
        aside = self.place.rename(self.place.with_name("aside"))
        yield
        aside.rename(self.place)


class Lines(Shelf):
    """Rows of a JSONL file."""

    odd = (*Folder.odd, "../../up", "/", "{}", "a\u2028b", "x" * 2000)

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows: dict[str, str] = {}

    def put(self, name: str, text: str) -> None:
        self.rows[name] = json.dumps({"id": name, "text": text})
        self._write()

    def remove(self, name: str) -> None:
        del self.rows[name]
        self._write()

    def _write(self) -> None:
        self.file.write_text("".join(f"{row}\n" for row in self.rows.values()))

    def open(self) -> Source:
        return JsonlSource(bytes(self.file))

    def uri(self, name: str) -> str:
        return name

    @contextmanager
    def away(self) -> Iterator[None]:
        aside = self.file.rename(self.file.with_suffix(".aside"))
        yield
        aside.rename(self.file)

    @contextmanager
    def spoiled(self, name: str) -> Iterator[None]:
        whole = self.rows[name]
        self.rows[name] = whole[:-9]
        self._write()
        yield
        self.rows[name] = whole
        self._write()

    def many(self, count: int) -> Source:
        self.file.write_text("".join(f'{{"id": {number}, "text": "row"}}\n' for number in range(count)))
        return self.open()


class TestFolders(SourceContract):
    """A folder."""

    @pytest.fixture
    def shelf(self, tmp_path: Path) -> Shelf:
        return Folder(tmp_path / "documents")


class TestRows(SourceContract):
    """A JSONL file."""

    @pytest.fixture
    def shelf(self, tmp_path: Path) -> Shelf:
        return Lines(tmp_path / "rows.jsonl")
