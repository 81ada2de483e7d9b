"""An export of Slack that is named as a folder or a zip."""

from pathlib import Path

import pytest

from embedmill.producers.sources.base import ReadContext, Source
from embedmill.producers.sources.folder import FolderSource
from embedmill.producers.sources.named import FileSource
from embedmill.shared.errors import SourceError
from tests.producers.sources.slack.exports import LISTS, by_day, opened, said, stamp, write_export, write_folder

FILES = {**LISTS, **by_day("general", [said("hello", stamp(5, 1))])}


def remarks(source: Source) -> list[str]:
    context = ReadContext()
    list(source.read(context))
    return [remark.reason for remark in context.remarks if "Slack" in remark.reason]


def told(path: Path) -> list[str]:
    return [f"looks like a Slack export: name it slack:{path} to read its threads and days"]


def test_an_export_is_told_how_it_is_read_as_one(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "unpacked", FILES)
    assert remarks(FolderSource(bytes(folder))) == told(folder)
    path = write_export(tmp_path / "full.zip", FILES)
    assert remarks(FileSource(bytes(path))) == told(path)
    wrapped = write_export(tmp_path / "wrapped.zip", {f"export/{name}": content for name, content in FILES.items()})
    assert remarks(FileSource(bytes(wrapped))) == told(wrapped)
    assert remarks(FolderSource(bytes(tmp_path))) == told(path) + told(folder) + told(wrapped)


def test_other_json_is_no_export(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "site", {"users.json": [], "2026-05-01.json": [], "log/today.json": []})
    assert remarks(FolderSource(bytes(folder))) == []


def test_a_folder_or_an_archive_that_is_no_export_is_refused_before_it_is_on_record(tmp_path: Path) -> None:
    (tmp_path / "general").mkdir()
    (tmp_path / "general" / "notes.txt").write_text("no export")
    for path in (tmp_path, write_export(tmp_path / "other.zip", {"general/notes.txt": []})):
        with pytest.raises(SourceError, match="is no export of Slack"):
            opened(path)
    assert list(opened(write_export(tmp_path / "quiet.zip", {"channels.json": []}))) == []
