"""Documents in archives and mailboxes are items of their own, below a folder and by themselves."""

import hashlib
import os
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from embedmill.producers.sources.base import FileItem, Item, Problem, Skipped
from embedmill.producers.sources.folder import FolderSource
from embedmill.producers.sources.named import FileSource
from embedmill.shared.containers.places import MOST_PLACES, Places
from embedmill.shared.errors import ParserLimitExceeded, SourceGone, UnreadableDocument
from embedmill.shared.loading.loaders import Loading, Located
from tests.shared.containers.making import mailbox, taped, zipped


def runtime() -> Any:
    return SimpleNamespace(settings=SimpleNamespace(max_document_bytes=1000), places=Places())


RUNTIME = runtime()


def by_path(items: list[Item], root: Path) -> dict[str, str]:
    """`ok`, or the reason, by the URI below the folder."""
    return {item.uri.removeprefix(root.as_uri() + "/"): getattr(item, "reason", "ok") for item in items}


def located(path: Path, member: str) -> Located:
    return Located(f"{path.as_uri()}!/{member}", {"kind": "member", "container": path.as_uri()})


def test_a_folder_holds_what_its_archives_hold(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"b/c d.txt": "text", "in.tgz": taped({"e.txt": "e"}, mode="w:gz")}))
    (tmp_path / "f.txt").write_text("f")
    (tmp_path / "g.mbox").write_bytes(mailbox("Message-ID: <1@x>\n\nhi"))
    items = list(FolderSource(bytes(tmp_path)))
    assert list(by_path(items, tmp_path)) == ["a.zip!/b/c%20d.txt", "a.zip!/in.tgz!/e.txt", "f.txt", "g.mbox!/1@x.eml"]
    container = (tmp_path / "a.zip").as_uri()
    uri = f"{container}!/b/c%20d.txt"
    assert items[0] == FileItem(uri, 4, hashlib.sha256(b"text").hexdigest(), kind="member", container=container)


def test_an_archive_that_is_named_is_opened_and_an_office_file_in_a_zip_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"b.txt": "b"}))
    assert by_path(list(FileSource(bytes(path))), tmp_path) == {"a.zip!/b.txt": "ok"}
    path.write_bytes(zipped({"word/document.xml": "<x/>"}))
    assert by_path(list(FileSource(bytes(path))), tmp_path) == {"a.zip": "ok"}


def test_what_a_walk_leaves_out_is_left_out_of_an_archive_too(tmp_path: Path) -> None:
    names = ["ok.txt", ".git/a", ".git/b", "node_modules/x/y.js", "__MACOSX/._ok", ".env", "pic.png", "x/.hidden/z"]
    (tmp_path / "a.zip").write_bytes(
        zipped(dict.fromkeys(names, "text") | {"k.pem": "-----BEGIN RSA PRIVATE KEY-----\n"})
    )
    items = list(FolderSource(bytes(tmp_path)))
    skipped = {path: reason for path, reason in by_path(items, tmp_path).items() if reason != "ok"}
    assert sorted(skipped) == [
        f"a.zip!/{path}" for path in (".env", ".git/", "__MACOSX/", "k.pem", "node_modules/", "pic.png", "x/.hidden/")
    ]
    assert all(isinstance(item, Skipped | FileItem) for item in items)
    everything = by_path(list(FolderSource(bytes(tmp_path), hidden=True)), tmp_path)
    assert [path for path, reason in everything.items() if reason != "ok"] == ["a.zip!/.git/", "a.zip!/pic.png"]


def test_an_archive_that_is_damaged_is_a_problem_so_that_nothing_of_it_leaves(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("b")
    for damaged in (zipped({"b.txt": "b"})[:-10], b"\0" * 100, b""):
        (tmp_path / "a.zip").write_bytes(damaged)
        first, second = FolderSource(bytes(tmp_path))
        assert isinstance(first, Problem)
        assert isinstance(second, FileItem)


def test_a_mailbox_that_was_emptied_has_no_message_and_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(b"")
    assert list(FileSource(bytes(tmp_path / "a.mbox"))) == []


def test_a_member_is_loaded_in_any_order_and_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    inner = zipped({"deep é.txt": "deep"})
    path.write_bytes(taped({"a.txt": "a", "b.txt": "b", "c.zip": inner, "big": "x" * 2000}, mode="w:gz"))
    wanted = [located(path, name) for name in ("a.txt", "b.txt", "c.zip!/deep%20%C3%A9.txt", "big", "gone")]
    loading = Loading(RUNTIME, wanted)
    assert [loading.load(wanted[n]).data for n in (2, 0, 1, 1)] == [b"deep", b"a", b"b", b"b"]
    with pytest.raises(ParserLimitExceeded, match="1,000 bytes"):
        loading.load(wanted[3])
    with pytest.raises(SourceGone):
        loading.load(wanted[4])


def test_a_member_of_a_container_that_is_gone_or_broken_is_said_to_be(tmp_path: Path) -> None:
    wanted = located(tmp_path / "a.zip", "b.txt")
    with pytest.raises(SourceGone):
        Loading(RUNTIME, [wanted]).load(wanted)
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(UnreadableDocument):
        Loading(RUNTIME, [wanted]).load(wanted)


def load_all(batch: list[Located], of: Any) -> list[bytes]:
    loading = Loading(of, batch)
    return [loading.load(each).data for each in batch]


def test_batches_of_a_tape_in_its_order_go_on_where_the_one_before_stopped(tmp_path: Path) -> None:
    noise = random.Random(1)
    members = {f"{number}.txt": noise.randbytes(900) for number in range(120)}
    path = tmp_path / "a.tgz"
    path.write_bytes(taped(members | {"in.zip": zipped({"x.txt": "x", "y.txt": "y"})}, mode="w:gz"))
    names = [*members, "in.zip!/x.txt", "in.zip!/y.txt"]
    wanted, of = [located(path, name) for name in names], runtime()
    assert load_all(wanted[:10], of) == list(members.values())[:10]
    before = path.stat()
    with path.open("r+b") as file:
        file.write(bytes(500))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    # Whoever began anew would find the damage.
    assert load_all(wanted[20:30], of) == list(members.values())[20:30]
    assert load_all(wanted[60:121], of) == [*list(members.values())[60:], b"x"]
    for passed in (wanted[121:], wanted[:1]):
        with pytest.raises(UnreadableDocument):
            load_all(passed, of)


def test_a_tape_that_changed_or_waits_behind_too_many_others_is_begun_anew(tmp_path: Path) -> None:
    paths, of = [tmp_path / f"{number}.tar" for number in range(MOST_PLACES + 1)], runtime()
    for path in paths:
        path.write_bytes(taped({"a.txt": "a", "b.txt": "b", "c.txt": "c"}))
        assert load_all([located(path, "a.txt")], of) == [b"a"]
    paths[1].write_bytes(taped({"a.txt": "other", "b.txt": "new"}))
    assert [load_all([located(path, "b.txt")], of) for path in paths] == [[b"b"], [b"new"], [b"b"]]
    with pytest.raises(SourceGone):
        load_all([located(paths[1], "c.txt")], of)
