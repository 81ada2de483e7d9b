"""Containers are read as streams inside one budget; names are harmless, and what cannot be read is named."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest

from embedmill.shared.containers.entries import ContainerEntry, Damage, Damaged, LeftOutEntry
from embedmill.shared.containers.names import MemberNames, clean_path
from embedmill.shared.containers.walk import ContainerBudget, ContainerLimits, is_container, walk
from embedmill.shared.errors import DocumentError, ParserLimitExceeded
from tests.shared.containers.making import mailbox, special, taped, zipped

LIMITS = ContainerLimits(ratio_floor=1024 * 1024)


def contents(data: bytes, name: str, limits: ContainerLimits = LIMITS) -> dict[str, str]:
    """Texts of entries, and reasons of what is none."""
    found: dict[str, str] = {}
    for inside in walk(io.BytesIO(data), name, ContainerBudget(limits, len(data))):
        match inside:
            case ContainerEntry():
                found[inside.path] = inside.open().read().decode("utf-8", "replace")
            case LeftOutEntry() | Damaged():
                found[inside.path] = inside.reason
    return found


TWO = {"a.txt": "first", "folder/b.txt": "second"}


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (zipped(TWO), "x.zip"),
        (taped(TWO), "x.tar"),
        (taped(TWO, mode="w:gz"), "x.tar.gz"),
        (taped(TWO, mode="w:gz"), "x.tgz"),
        (taped(TWO, mode="w:bz2"), "x.tar.bz2"),
        (taped(TWO, mode="w:xz"), "X.TAR.XZ"),
    ],
)
def test_an_archive_holds_its_files(data: bytes, name: str) -> None:
    assert contents(data, name) == TWO


@pytest.mark.parametrize(("compress", "suffix"), [(gzip.compress, "gz"), (bz2.compress, "bz2"), (lzma.compress, "xz")])
def test_a_compressed_file_is_a_container_of_one(compress: object, suffix: str) -> None:
    assert callable(compress)
    assert contents(compress(b"a text" * 5000), f"notes.txt.{suffix}") == {"notes.txt": "a text" * 5000}


def test_messages_are_told_apart_as_mail_programs_do() -> None:
    box = mailbox(
        "Message-ID: <1@x>\nSubject: a\n\nFrom now on it rains.\n\nFrom here on too, said in 2026.\n\n>From the sea",
        "Subject: b\n\nsecond",
    )
    found = contents(box, "in.mbox")
    assert next(iter(found)) == "1@x.eml"
    assert len(found) == 2
    assert "\nFrom now on it rains.\n\nFrom here on too, said in 2026.\n\nFrom the sea\n" in found["1@x.eml"]
    assert contents(box, "Inbox") == found, "a mailbox without a suffix is known by its first lines"
    assert contents(mailbox("Subject: new\n\nx") + box, "in.mbox").items() > found.items(), "names stay"


def test_a_container_in_a_container_is_entered_and_an_office_file_is_not() -> None:
    book = zipped({"mimetype": "application/epub+zip", "a.xhtml": "<p>"})
    inner = taped({"deep.txt": "deep"}, mode="w:gz")
    found = contents(zipped({"in/b.tgz": inner, "c.zip": book, "d.docx": b"PK\x03\x04"}), "x.zip")
    assert found["in/b.tgz!/deep.txt"] == "deep"
    assert list(found) == ["in/b.tgz!/deep.txt", "c.zip", "d.docx"]


def test_links_devices_and_encrypted_files_are_named() -> None:
    tape = taped(
        {},
        special("l", tarfile.SYMTYPE, "/etc/passwd"),
        special("h", tarfile.LNKTYPE, "x"),
        special("f", tarfile.FIFOTYPE),
    )
    assert {path: reason.split(",")[0] for path, reason in contents(tape, "x.tar").items()} == {
        "l": "it is a link", "h": "it is a link", "f": "it is a device or a pipe",
    }  # fmt: skip
    locked = bytearray(zipped({"a.txt": "a", "b.txt": "b"}))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert contents(bytes(locked), "x.zip") == {"a.txt": "it is encrypted in its archive", "b.txt": "b"}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("../../x", "x"), ("/etc/passwd", "etc/passwd"), ("C:\\a\\b.txt", "a/b.txt"), ("a/./b//c", "a/b/c"),
        ("..", "nameless"), ("a\nb\x1b[2J", "ab[2J"), ("", "nameless"), ("x" * 300, "x" * 255),
        ("x/../a.txt", "a.txt"), ("a.txt/../a.txt", "a.txt"), ("a\\b\\..\\c", "a/c"),
        ("a/../../../b", "b"), ("a/..", "nameless"),
    ],
)  # fmt: skip
def test_names_lead_nowhere(name: str, path: str) -> None:
    assert clean_path(name) == path


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.txt", "../a.txt", "x/../a.txt"], ["a.txt", "a~2.txt", "a~3.txt"]),
        (["b", "b"], ["b", "b~2"]),
        (["a.txt", "a.txt", "a~2.txt", "a.txt"], ["a.txt", "a~2.txt", "a~2~2.txt", "a~3.txt"]),
        (["a~2.txt", "a.txt", "a.txt"], ["a~2.txt", "a.txt", "a~3.txt"]),
    ],
)
def test_files_of_one_name_are_two(names: list[str], told: list[str]) -> None:
    taken = MemberNames()
    assert [taken.take(name) for name in names] == told


def test_names_without_a_flag_are_read_as_utf_8_or_as_dos_wrote_them() -> None:
    data = zipped({"gr\xf6\xdfe.txt": "a"})
    assert list(contents(data, "x.zip")) == ["größe.txt"]
    raw = data.replace("größe".encode(), b"gr\x94\xe1e\x80\x80")
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = raw.index(magic) + at
        raw = raw[:place] + b"\0\0" + raw[place + 2 :]
    assert list(contents(raw, "x.zip")) == ["größeÇÇ.txt"]


def test_a_bomb_ends_when_it_has_grown_too_much() -> None:
    with pytest.raises(ParserLimitExceeded, match="bomb"):
        contents(zipped({"a.txt": bytes(4 * 1024 * 1024)}), "x.zip")
    with pytest.raises(ParserLimitExceeded, match="bomb"):
        contents(gzip.compress(bytes(4 * 1024 * 1024)), "x.gz")
    with pytest.raises(ParserLimitExceeded, match="bomb"):
        contents(zipped({"in.zip": zipped({"a.txt": bytes(4 * 1024 * 1024)})}), "x.zip")


def test_a_container_may_hold_so_many_files_and_bytes() -> None:
    many = zipped({f"{n}.txt": "x" for n in range(10)})
    with pytest.raises(ParserLimitExceeded, match="5 files"):
        contents(many, "x.zip", ContainerLimits(members=5))
    with pytest.raises(ParserLimitExceeded, match="8 bytes"):
        contents(many, "x.zip", ContainerLimits(bytes=8))


def test_containers_are_opened_so_deep() -> None:
    data = zipped({"a.txt": "a"})
    for _ in range(4):
        data = zipped({"n.zip": data, "b.txt": "b"})
    found = contents(data, "x.zip")
    assert found["n.zip!/n.zip!/b.txt"] == "b"
    assert found["n.zip!/n.zip!/n.zip"].startswith("containers in 3 others are not opened")
    assert contents(data, "x.zip", ContainerLimits(nested_bytes=10))["n.zip"].startswith("a container in a container")


def test_a_size_that_lies_is_damage_and_no_more_is_read() -> None:
    data = bytearray(zipped({"a.txt": "a" * 1000}))
    for magic, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.index(magic) + at, 10)
    found = next(iter(walk(io.BytesIO(data), "x.zip", ContainerBudget(LIMITS, len(data)))))
    assert isinstance(found, Damaged)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (zipped(TWO)[:-30], "x.zip"),
        (b"PK\x03\x04 and no more", "x.zip"),
        (taped(TWO, mode="w:gz")[:40], "x.tgz"),
        (b"no tape at all" * 100, "x.tar"),
        (b"no gzip", "x.gz"),
        (lzma.compress(b"a" * 1000)[:30], "x.xz"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\xff" * 100, "x.gz"),
    ],
    # The time is in what gzip writes, and each process of a run makes its own.
    ids=["zip cut", "zip begun", "tape cut", "no tape", "no gzip", "xz cut", "gzip of nonsense"],
)
def test_what_is_damaged_is_said_to_be(data: bytes, name: str) -> None:
    with pytest.raises(Damage):
        contents(data, name)


def test_a_chain_of_headers_is_damage() -> None:
    info = special("x", tarfile.XHDTYPE)
    with pytest.raises(Damage):
        contents(info.tobuf() * 5000, "x.tar")


def test_whatever_is_changed_in_a_container_its_errors_are_ours() -> None:
    random = Random(7)
    made = {
        "x.zip": zipped(TWO),
        "x.tar": taped(TWO),
        "x.tgz": taped(TWO, mode="w:gz"),
        "x.txz": taped(TWO, mode="w:xz"),
    }
    for _ in range(300):
        name = random.choice(list(made))
        data = bytearray(made[name])
        for _ in range(random.randint(1, 5)):
            data[random.randrange(len(data))] = random.randrange(256)
        with suppress(DocumentError):
            contents(bytes(data), name)


@pytest.mark.parametrize(("compress", "name"), [(bytes, "x.tar"), (gzip.compress, "x.tar.gz")])
def test_nothing_is_looked_for_behind_the_end_of_a_member_that_claims_a_petabyte(
    compress: Callable[[bytes], bytes], name: str
) -> None:
    info = tarfile.TarInfo("x.txt")
    info.size = 10**15
    found = walk(io.BytesIO(compress(info.tobuf() + bytes(2048))), name, ContainerBudget(LIMITS, 2560))
    assert next(found).path == "x.txt"
    with pytest.raises(Damage):
        next(found)


def test_a_header_that_claims_gigabytes_is_damage() -> None:
    info = special("x", tarfile.XHDTYPE)
    info.size = 8 * 1024**3
    with pytest.raises(Damage):
        contents(info.tobuf() + bytes(2048), "x.tar")


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (zipped(TWO), "a.zip", True),
        (zipped({"word/document.xml": "<x/>"}), "a.zip", False),
        (zipped({"word/document.xml": "<x/>"}), "a.docx", False),
        (b"no archive", "a.zip", False),
        (mailbox("Subject: a\n\nb"), "Sent", True),
        (b"From here on\nit rains", "notes", False),
        (b"no mailbox", "a.mbox", False),
        (b"", "a.mbox", True),
        (b"", "notes", False),
    ],
)
def test_a_container_is_known_by_its_name_and_its_content(data: bytes, name: str, *, expected: bool) -> None:
    assert is_container(io.BytesIO(data), name) == expected
