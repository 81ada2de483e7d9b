"""A folder is enumerated whole, once, in order, as a stream, and nothing in it can lead out or block."""

import hashlib
import os
import shutil
import socket
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from embedmill.producers.sources.base import FileItem, Item, Problem, Skipped
from embedmill.producers.sources.folder import FolderSource
from embedmill.shared.errors import UsageError
from embedmill.shared.left_out.names import LeftOut
from embedmill.shared.uris import path_to_uri, uri_to_path


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def source(root: Path, *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> FolderSource:
    return FolderSource(bytes(root), include, exclude)


def names(items: Iterable[Item], root: Path) -> list[str]:
    return [os.fsdecode(os.path.relpath(item.path, bytes(root))) for item in items if isinstance(item, FileItem)]


def reasons(items: Iterable[Item], kind: type[Skipped] | type[Problem]) -> dict[str, str]:
    return {os.fsdecode(os.path.basename(uri_to_path(i.uri))): i.reason for i in items if isinstance(i, kind)}


def test_a_file_item_says_where_the_file_is_and_what_it_holds(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    expected = FileItem((tmp_path / "a.md").as_uri(), 4, hashlib.sha256(b"a.md").hexdigest())
    assert list(source(tmp_path)) == [expected]


def test_files_come_by_name_and_before_the_folders_beside_them(tmp_path: Path) -> None:
    write(tmp_path, "b/z.md", "b/a/x.md", "c.md", "a.md", "a/q.md")
    expected = ["a.md", "c.md", "a/q.md", "b/z.md", "b/a/x.md"]
    assert names(source(tmp_path), tmp_path) == expected
    assert list(source(tmp_path)) == list(source(tmp_path))


def test_version_control_is_left_out_at_every_depth(tmp_path: Path) -> None:
    write(tmp_path, ".git/config", "sub/.hg/x", "sub/.svn/y", "worktree/.git", ".github/ci.yml", ".gitignore")
    everything = FolderSource(bytes(tmp_path), hidden=True)
    assert names(everything, tmp_path) == [".gitignore", ".github/ci.yml"]
    assert set(reasons(everything, Skipped).values()) == {LeftOut.VERSION_CONTROL}
    left = [reason for item in source(tmp_path) if (reason := getattr(item, "reason", None))]
    assert sorted(left) == sorted([LeftOut.VERSION_CONTROL] * 4 + [LeftOut.HIDDEN] * 2)


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (("*.md",), (), ["a.md", "docs/b.md", "docs/deep/er/c.md"]),
        (("/*.md",), (), ["a.md"]),
        (("docs/**/*.md",), (), ["docs/b.md", "docs/deep/er/c.md"]),
        (("**/er/*",), (), ["docs/deep/er/c.md"]),
        (("docs/",), ("deep",), ["docs/b.md", "docs/d.txt"]),
        ((), ("docs/**",), ["a.md", "n.txt"]),
        ((), ("*.md", "!b.md"), ["n.txt", "docs/b.md", "docs/d.txt"]),
        (("*.{md,txt}",), (), []),
        (("[ab].md", "?.txt"), ("/n.*",), ["a.md", "docs/b.md", "docs/d.txt"]),
    ],
)
def test_patterns_mean_what_they_mean_in_a_gitignore(
    tmp_path: Path, include: tuple[str, ...], exclude: tuple[str, ...], expected: list[str]
) -> None:
    write(tmp_path, "a.md", "n.txt", "docs/b.md", "docs/d.txt", "docs/deep/er/c.md")
    assert names(source(tmp_path, include=include, exclude=exclude), tmp_path) == expected


def test_an_excluded_folder_is_not_even_opened(guarded: Path) -> None:
    write(guarded, "locked/a.md", "b.md")
    (guarded / "locked").chmod(0)
    assert names(source(guarded, exclude=("locked/",)), guarded) == ["b.md"]
    assert not reasons(source(guarded, exclude=("locked/",)), Problem)


@pytest.mark.parametrize("pattern", ["", "#note", "!", "/", "\udcff"])
def test_a_pattern_without_a_meaning_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match="pattern"):
        source(tmp_path, include=(pattern,))


def test_names_that_are_no_text_survive(tmp_path: Path) -> None:
    odd = [b"\xff\xfe.md", b"new\nline.md", b"tab\t%41#?.md", "ünï.md".encode(), b" "]
    folder = bytes(tmp_path) + b"/x\ny\x80"
    os.mkdir(folder)
    for name in odd:
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(name)
    items = list(source(tmp_path))
    assert {uri_to_path(item.uri) for item in items} == {folder + b"/" + name for name in odd}
    assert len(names(source(tmp_path, include=("*.md",)), tmp_path)) == len(odd) - 1


def test_no_link_is_followed_and_each_says_why(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(tmp_path, "root/sub/a.md", "outside.md", "root2/b.md")
    links = {"in": "sub/a.md", "in_dir": "sub", "up": "..", "self": ".", "out": "../outside.md", "out_dir": "../root2"}
    for name, target in (links | {"loop": "loop", "dangling": "nowhere"}).items():
        (root / name).symlink_to(target)
    found = reasons(source(root), Skipped)
    assert names(source(root), root) == ["sub/a.md"]
    assert all("inside the folder" in found[name] for name in ("in", "in_dir", "self"))
    assert all("out of the folder" in found[name] for name in ("out", "out_dir", "up"))
    assert all("to nothing" in found[name] for name in ("loop", "dangling"))
    assert not reasons(source(root), Problem)


def test_two_links_to_one_folder_do_not_make_two_documents_of_a_file(tmp_path: Path) -> None:
    write(tmp_path, "root/real/a.md")
    (tmp_path / "root/one").symlink_to("real")
    (tmp_path / "root/two").symlink_to("real")
    (tmp_path / "root/real/up").symlink_to("..")
    assert names(source(tmp_path / "root"), tmp_path / "root") == ["real/a.md"]


def test_a_root_that_is_a_link_is_walked_under_the_name_it_was_given(tmp_path: Path) -> None:
    write(tmp_path, "release/a.md")
    (tmp_path / "current").symlink_to("release")
    (tmp_path / "release/again").symlink_to("a.md")
    items = list(source(tmp_path / "current"))
    assert items[0].uri == (tmp_path / "current/a.md").as_uri()
    assert "inside" in reasons(items, Skipped)["again"]


@pytest.mark.timeout(60)
def test_pipes_and_sockets_are_skipped_without_being_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock.md")
        found = reasons(source(tmp_path), Skipped)
    assert "FIFO" in found["pipe.md"]
    assert "socket" in found["sock.md"]


def test_devices_are_skipped() -> None:
    found = reasons(FolderSource(b"/dev", ("/null", "/zero")), Skipped)
    # What others keep in there, as tests do in its memory, may be left out too.
    told = {name: reason for name, reason in found.items() if "device" in reason}
    assert told == dict.fromkeys(("null", "zero"), "a character device holds no document")


def test_files_without_text_by_their_name_are_skipped_unread(guarded: Path) -> None:
    write(guarded, "Photo.PNG", "a.7z", "png", "b.docx", "c.unknown")
    (guarded / "Photo.PNG").chmod(0)
    found = reasons(source(guarded), Skipped)
    assert "an image" in found["Photo.PNG"]
    assert "unpack" in found["a.7z"]
    assert names(source(guarded), guarded) == ["b.docx", "c.unknown", "png"]


def test_what_may_not_be_read_is_a_problem_and_the_rest_goes_on(guarded: Path) -> None:
    write(guarded, "a.md", "locked/b.md", "z/c.md")
    (guarded / "a.md").chmod(0)
    (guarded / "locked").chmod(0)
    items = list(source(guarded))
    assert reasons(items, Problem) == {"a.md": "permission denied", "locked": "permission denied"}
    assert names(items, guarded) == ["z/c.md"]


def test_a_folder_whose_files_cannot_be_reached_gives_a_problem_for_each(guarded: Path) -> None:
    write(guarded, "half/a.md", "half/b.md")
    (guarded / "half").chmod(0o400)
    assert reasons(source(guarded), Problem) == {"a.md": "permission denied", "b.md": "permission denied"}


def test_what_vanishes_during_the_walk_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "b.md", "gone/c.md", "z/d.md")
    walk = iter(source(tmp_path))
    next(walk)
    (tmp_path / "b.md").unlink()
    shutil.rmtree(tmp_path / "gone")
    rest = list(walk)
    assert set(reasons(rest, Problem)) == {"b.md", "gone"}
    assert names(rest, tmp_path) == ["z/d.md"]


def test_a_folder_that_becomes_a_file_or_a_link_leads_nowhere(tmp_path: Path) -> None:
    write(tmp_path, "root/a.md", "root/file/x.md", "root/link/y.md", "secret/s.md")
    walk = iter(source(tmp_path / "root"))
    next(walk)
    shutil.rmtree(tmp_path / "root/file")
    shutil.rmtree(tmp_path / "root/link")
    write(tmp_path, "root/file")
    (tmp_path / "root/link").symlink_to("../secret")
    rest = list(walk)
    assert set(reasons(rest, Problem)) == {"file", "link"}
    assert not names(rest, tmp_path)


@pytest.mark.timeout(60)
def test_a_file_that_becomes_a_link_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, "root/a.md", "root/b.md", "root/c.md", "secret.md")
    walk = iter(source(tmp_path / "root"))
    next(walk)
    (tmp_path / "root/b.md").unlink()
    (tmp_path / "root/b.md").symlink_to("../secret.md")
    (tmp_path / "root/c.md").unlink()
    os.mkfifo(tmp_path / "root/c.md")
    found = reasons(walk, Problem)
    assert "symbolic link" in found["b.md"]
    assert "FIFO" in found["c.md"]


def test_a_missing_root_and_a_file_as_root_are_problems(tmp_path: Path) -> None:
    write(tmp_path, "file")
    for name in ("missing", "file"):
        items = list(source(tmp_path / name))
        assert len(items) == 1
        assert isinstance(items[0], Problem)


@pytest.fixture
def deep_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """3,000 levels, deeper than a path can say and than Python can recurse; a file on level 1,500."""
    root = tmp_path / "deep"
    root.mkdir()
    monkeypatch.chdir(root)
    for level in range(3000):
        if level == 1500:
            Path("middle.md").write_text("x")
        os.mkdir("d")
        os.chdir("d")
    yield root
    for _ in range(3000):
        os.chdir("..")
        os.rmdir("d")
        Path("middle.md").unlink(missing_ok=True)


def test_a_tree_deeper_than_a_path_can_say_is_walked_as_far_as_files_can_be_read(deep_root: Path) -> None:
    items = list(source(deep_root))
    assert len(names(items, deep_root)) == 1
    problems = [item for item in items if isinstance(item, Problem)]
    assert [problem.reason for problem in problems] == ["its path is longer than the system can open"]


def test_items_come_while_the_rest_is_still_unread(tmp_path: Path) -> None:
    for folder in range(80):
        (tmp_path / f"{folder:03}").mkdir()
        for number in range(50):
            (tmp_path / f"{folder:03}/{number}").touch()
    walk = iter(source(tmp_path))
    next(walk)
    # What is written now is found, so it had not been listed.
    write(tmp_path, "060/late.md", "079/late.md")
    rest = names(walk, tmp_path)
    assert len(rest) == 4_001
    assert {"060/late.md", "079/late.md"} <= set(rest)


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    for folder in range(100):
        (tmp_path / f"{folder}").mkdir()
        for number in range(50):
            (tmp_path / f"{folder}/{number}").touch()
    sum(1 for _ in source(tmp_path))
    tracemalloc.start()
    assert sum(1 for _ in source(tmp_path)) == 5000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_walk_that_is_given_up_leaves_no_descriptor_open(tmp_path: Path) -> None:
    write(tmp_path, "a/b/c.md", "a/b/d.md")
    before = len(os.listdir("/proc/self/fd"))
    walk = source(tmp_path).__iter__()
    next(walk)
    del walk
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_identity_is_the_same_for_the_same_command_and_no_other(tmp_path: Path) -> None:
    one = source(tmp_path, include=("*.md",))
    assert one.identity == source(tmp_path, include=("*.md",)).identity
    others = [source(tmp_path), source(tmp_path, exclude=("*.md",)), source(tmp_path / "x", include=("*.md",))]
    assert len({one.identity, *(other.identity for other in others)}) == 4
    assert path_to_uri(bytes(tmp_path)) in one.identity
    assert one.detects_deletions
