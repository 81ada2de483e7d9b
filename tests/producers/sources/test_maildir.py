"""A maildir as a source: its contract, and what is peculiar to mail."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from embedmill.producers.sources import maildir
from embedmill.producers.sources.base import FileItem, Item, Problem, ReadContext, Source
from embedmill.producers.sources.folder import FolderSource
from embedmill.producers.sources.maildir import MaildirSource
from embedmill.producers.sources.memory import Memory
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import FileSelection, SourceOptions
from embedmill.shared.errors import SourceError, SourceGone
from embedmill.shared.loading.loaders import Located
from embedmill.shared.loading.maildirs import MaildirLoader
from embedmill.shared.loading.members import member_uri
from embedmill.shared.uris import path_to_uri
from embedmill.workers.runtime import WorkerRuntime
from tests.contracts.sources import Shelf, SourceContract, desk
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]

MESSAGE = "From: ada@example.com\nSubject: mill\n{id}\n\n{text}\n"


class Mail(Shelf):
    """Messages in a maildir, whose files are never written again: a change is another file."""

    odd = ("ä", "a+b", "a%2Bb", "q?x=1", "h#1", "[x]", "back\\slash", "../../up", "{}", "&'\"", "x" * 140)

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self._files: dict[str, Path] = {}
        self._count = self._reads = 0
        for name in ("cur", "new", "tmp"):
            (path / name).mkdir(parents=True)
        for owner, name in ((maildir, "_read_name"), (MaildirLoader, "load")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, read: Any) -> Any:
        def counted(*given: Any) -> Any:
            self._reads += 1
            return read(*given)

        return counted

    def put(self, name: str, text: str) -> None:
        self.deliver(name, text)

    def deliver(self, name: str, text: str) -> Path:
        if name in self._files:
            self._files.pop(name).unlink()
        self._count += 1
        file = self.path / "new" / f"1700000{self._count:03}.M1P1.host"
        file.write_text(MESSAGE.format(id=f"Message-ID: <{name}>" if name else "X-Nothing: 1", text=text))
        self._files[name] = file
        return file

    def remove(self, name: str) -> None:
        self._files.pop(name).unlink()

    def open(self) -> Source:
        return MaildirSource(bytes(self.path))

    def uri(self, name: str) -> str:
        cleaned = name.replace("/", "_").replace("\\", "/")
        return member_uri(path_to_uri(bytes(self.path)), f"{cleaned}.eml")

    @contextmanager
    def away(self) -> Iterator[None]:
        aside = self.path.rename(self.path.with_name("aside"))
        yield
        aside.rename(self.path)

    def count_reads(self) -> int:
        count, self._reads = self._reads, 0
        return count


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mail:
    return Mail(tmp_path / "Maildir", monkeypatch)


class TestMaildirs(SourceContract):
    """A maildir."""


def read(shelf: Mail, memory: Memory | None = None) -> dict[str, Item]:
    items = shelf.open().read(ReadContext(memory or Memory()))
    return {item.uri.rpartition("!/")[2]: item for item in items}


def states(shelf: Mail, memory: Memory) -> dict[str, str]:
    return {name: item.state for name, item in read(shelf, memory).items() if isinstance(item, FileItem)}


def test_flags_and_a_move_within_the_maildir_change_nothing_and_nothing_is_read(shelf: Mail) -> None:
    memory, file = Memory(), shelf.deliver("a@b", "text")
    before = states(shelf, memory)
    shelf.count_reads()
    seen = file.rename(shelf.path / "cur" / f"{file.name}:2,S")
    assert states(shelf, memory) == before
    for name in ("cur", "new", "tmp"):
        (shelf.path / ".Archive" / name).mkdir(parents=True)
    seen.rename(shelf.path / ".Archive" / "cur" / f"{file.name}:2,RS")
    assert states(shelf, memory) == before == {"a@b.eml": file.name}
    assert shelf.count_reads() == 0


def test_the_second_message_of_an_id_has_a_number_and_keeps_it(shelf: Mail) -> None:
    memory, first = Memory(), shelf.deliver("a@b", "one")
    shelf._files.clear()
    second = shelf.deliver("a@b", "two")
    assert states(shelf, memory) == {"a@b.eml": first.name, "a@b~2.eml": second.name}
    first.unlink()
    assert states(shelf, memory) == {"a@b~2.eml": second.name}
    shelf._files.clear()
    third = shelf.deliver("a@b", "three")
    assert states(shelf, memory) == {"a@b.eml": third.name, "a@b~2.eml": second.name}
    assert len(list(memory.walk())) == 4


def test_a_message_without_an_id_is_known_by_its_file(shelf: Mail) -> None:
    file = shelf.deliver("", "text")
    assert list(read(shelf)) == [f"{file.name}.eml"]


def test_what_is_being_delivered_hidden_or_a_link_is_no_message(shelf: Mail) -> None:
    (shelf.path / "tmp" / "170.x").write_text("half")
    (shelf.path / "cur" / ".hidden").write_text("x")
    (shelf.path / "cur" / "link").symlink_to("/etc/hostname")
    (shelf.path / "dovecot.index").write_text("x")
    assert read(shelf) == {}


def test_a_folder_that_cannot_be_listed_hides_all(shelf: Mail) -> None:
    shelf.put("a@b", "text")
    (shelf.path / "cur").rmdir()
    problems = [item for item in read(shelf).values() if isinstance(item, Problem)]
    assert [problem.uri for problem in problems] == [path_to_uri(bytes(shelf.path))]


def test_a_worker_finds_a_message_that_was_moved_since(shelf: Mail, runtime: WorkerRuntime) -> None:
    file = shelf.deliver("a@b", "text")
    (item,) = read(shelf).values()
    assert isinstance(item, FileItem)
    located = Located(item.uri, item.origin)
    loader = MaildirLoader(runtime, [located])
    assert b"text" in loader.load(located).data
    moved = file.rename(shelf.path / "cur" / f"{file.name}:2,S")
    assert b"text" in loader.load(located).data
    moved.unlink()
    with pytest.raises(SourceGone):
        loader.load(located)


def test_a_folder_that_is_a_maildir_is_read_as_one_unless_files_were_asked_for(shelf: Mail) -> None:
    def opened(argument: str, options: SourceOptions) -> Source:
        import io

        return open_sources([argument], options=options, stdin=io.BytesIO())[0]

    usual = SourceOptions()
    assert opened(str(shelf.path), usual) == opened(f"maildir:{shelf.path}", usual) == shelf.open()
    shelf.put("a@b", "text")
    (shelf.path / "new").rename(shelf.path / "cur.new")
    (shelf.path / "cur").rmdir()
    (shelf.path / "cur.new").rename(shelf.path / "cur")
    assert opened(str(shelf.path), usual) == shelf.open(), "a copy leaves out what is empty"
    assert list(read(shelf)) == ["a@b.eml"]
    (shelf.path / "tmp").rmdir()
    assert opened(str(shelf.path), usual) == shelf.open()
    (shelf.path / "cur" / "notes.txt").write_text("no mail")
    assert isinstance(opened(str(shelf.path), usual), FolderSource)
    (shelf.path / "cur" / "notes.txt").unlink()
    wanted = SourceOptions(selection=FileSelection(include=("*.eml",)))
    assert isinstance(opened(str(shelf.path), wanted), FolderSource)
    with pytest.raises(SourceError, match="no maildir"):
        opened(f"maildir:{shelf.path / 'cur'}", usual)
