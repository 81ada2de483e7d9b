"""Containers that swell and documents without end are refused before they cost anything."""

import io
import struct
import sys
from dataclasses import replace
from zipfile import ZipFile

import pytest

from embedmill.shared.errors import EncryptedDocument, ParserLimitExceeded, ReaderMissing, UnreadableDocument
from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.directory import read_directory
from embedmill.workers.parsing.frames import pack_answer, unpack_answer
from embedmill.workers.parsing.parse import parse
from tests.workers.parsing.making import LIMITS, read, texts, word, word_paragraph, zipped
from tests.workers.parsing.test_formats import workbook


def with_declared_size(data: bytes, member: bytes, size: int) -> bytes:
    """The archive with another uncompressed size in the central directory, which is what readers believe."""
    out = bytearray(data)
    position = out.index(b"PK\x01\x02")
    while out[position + 46 : position + 46 + len(member)] != member:
        position = out.index(b"PK\x01\x02", position + 1)
    struct.pack_into("<I", out, position + 24, size)
    return bytes(out)


def test_a_container_over_the_ratio_is_refused() -> None:
    data = word(word_paragraph("x" * 25_000_000))
    with pytest.raises(ParserLimitExceeded, match="times"):
        read(data, "a.docx")


def test_a_container_over_the_size_is_refused_for_members_that_nobody_reads() -> None:
    data = zipped({"[Content_Types].xml": "", "word/document.xml": "<d/>", "extra.bin": bytes(300_000)})
    with pytest.raises(ParserLimitExceeded, match="expands to"):
        parse(data, name="a.docx", limits=replace(LIMITS, archive_bytes=200_000))


def test_a_container_of_too_many_members_is_refused() -> None:
    data = zipped({f"{number}": "" for number in range(50)})
    with pytest.raises(ParserLimitExceeded, match="parts"):
        parse(data, name="a.docx", limits=replace(LIMITS, archive_members=49))


def test_a_small_file_may_compress_well() -> None:
    assert texts(read(word(word_paragraph("y" * 1_000_000)), "a.docx")) == ["y" * 1_000_000]


def test_a_member_never_gives_more_than_its_declared_size() -> None:
    data = with_declared_size(word(word_paragraph("x" * 100_000)), b"word/document.xml", 50)
    with pytest.raises(UnreadableDocument):
        read(data, "a.docx")


@pytest.mark.parametrize(
    ("part", "reason"),
    [(b"xl/worksheets/sheet1.xml", "damaged"), (b"xl/theme/theme1.xml", "larger than the container says")],
)
def test_a_workbook_with_lying_sizes_never_reaches_its_library(
    monkeypatch: pytest.MonkeyPatch, part: bytes, reason: str
) -> None:
    monkeypatch.setattr("python_calamine.CalamineWorkbook.from_filelike", None, raising=False)
    data = with_declared_size(workbook(("S", [["x"]] * 1000)), part, 50)
    with pytest.raises(UnreadableDocument, match=reason):
        read(data, "a.xlsx")


def test_honest_sizes_pass() -> None:
    Archive(workbook(("S", [["x"]] * 1000)), LIMITS).require_honest_sizes()
    Archive(zipped({"a": b"", "b": b"stored"}, stored=True), LIMITS).require_honest_sizes()


def test_a_directory_says_what_pythons_reader_says() -> None:
    data = zipped({"word/a.xml": "x" * 99, "b": b"", "a": "again"})
    found = read_directory(data)
    assert found is not None
    for member, known in zip(found, ZipFile(io.BytesIO(data)).infolist(), strict=True):
        assert member._asdict() == {name: getattr(known, name) for name in member._fields}


@pytest.mark.parametrize(
    "data",
    [
        zipped({"é": "x"}),
        b"before" + zipped({"a": "x"}),
        zipped({"a": "x"}) + b"behind",
        zipped({"a": "x"})[:-1],
        zipped({"a": "x"}).replace(b"PK\x01\x02", b"PK\x01\x03"),
        b"PK",
    ],
)
def test_an_unusual_directory_is_left_to_the_fuller_reader(data: bytes) -> None:
    assert read_directory(data) is None


def test_a_part_is_inflated_once() -> None:
    archive = Archive(zipped({"a": "x" * 99}), LIMITS)
    assert archive.read("a") is archive.read("a")
    assert archive.open("a").read() == archive.read("a")


def encrypted(data: bytes, *, most: int = sys.maxsize) -> bytes:
    """The archive with members that say they are encrypted, the last ones if not all."""
    out, position = bytearray(data), len(data)
    while most and (position := data.rfind(b"PK\x01\x02", 0, position)) >= 0:
        out[position + 8] |= 1
        most -= 1
    return bytes(out)


def test_encrypted_members_are_named_as_such_and_cost_no_other() -> None:
    for most in (1, sys.maxsize):
        with pytest.raises(EncryptedDocument):
            read(encrypted(zipped({"word/document.xml": word_paragraph("x")}), most=most), "a.docx")
    found = read(encrypted(zipped({"a.txt": "Open.", "b.txt": "Secret."}), most=1), "a.zip")
    assert (texts(found), found.notes) == (["a.txt", "Open."], ("left out: b.txt: it is encrypted in its archive",))
    with pytest.raises(EncryptedDocument):
        Archive(encrypted(zipped({"a": "x", "b": "y"}), most=1), LIMITS).read("b")


@pytest.mark.parametrize("name", ["a.txt", "a.html", "a.md", "a.csv", "a.docx"])
def test_text_beyond_the_output_limit_is_refused(name: str) -> None:
    data = word(word_paragraph("long text") * 50) if name == "a.docx" else b"long text\n\n" * 50
    with pytest.raises(ParserLimitExceeded, match="characters") as raised:
        parse(data, name=name, limits=replace(LIMITS, output_chars=40))
    told = unpack_answer(pack_answer(raised.value, is_last=False)).outcome
    assert isinstance(told, ParserLimitExceeded) and "raise EMBEDMILL_PARSER_CHARACTERS and" in told.hint


def test_blocks_beyond_their_limit_are_refused() -> None:
    with pytest.raises(ParserLimitExceeded, match="blocks"):
        parse(word(word_paragraph("x") * 30), name="a.docx", limits=replace(LIMITS, blocks=20))


def test_members_that_point_outside_are_never_written(tmp_path: object) -> None:
    document = word(word_paragraph("inside"))
    escaping = zipped(
        {"../../outside.txt": "x", "word/document.xml": Archive(document, LIMITS).read("word/document.xml")}
    )
    assert texts(read(escaping, f"{tmp_path}/a.docx")) == ["inside"]


def test_a_reader_that_is_not_installed_is_no_damage_of_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "selectolax.lexbor", None)
    with pytest.raises(ReaderMissing, match="selectolax") as caught:
        parse(b"<html><body><p>well</p></body></html>", name="a.html", limits=LIMITS)
    assert repr(unpack_answer(pack_answer(caught.value, is_last=False)).outcome) == repr(caught.value)


def test_a_library_that_finds_no_room_to_be_loaded_is_over_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise ImportError("libpdfium.so: failed to map segment from shared object")

    monkeypatch.setattr("embedmill.workers.parsing.html.read", no_room)
    with pytest.raises(ParserLimitExceeded, match="memory"):
        parse(b"<html><body><p>well</p></body></html>", name="a.html", limits=LIMITS)


_TWO_VERSIONS = (
    "From: a@b.c\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=x\n\n"
    "--x\nContent-Type: text/plain\n\n{} a\n--x\nContent-Type: text/html\n\nMr. Said.\n--x--\n"
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\n" + "<v." * 30_000 + "\nSaid."),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n<v" + " " * 90_000 + "\nSaid."),
        ("a.tex", "\\begin{tabular}{l}" + "\\\\[" * 5_000 + "\\end{tabular} Said."),
        ("a.tex", "\\begin{tabular}{l}" + "\\multirow{" * 10_000 + "\\end{tabular} Said."),
        ("a.tex", "\\begin{equation}" + "\\label{" * 15_000 + "\\end{equation} Said."),
        ("a.html", '<p class="syntaxhighlighter">Said.' + '<div class="syntaxhighlighter"><div class="line">' * 1_000),
        ("a.eml", _TWO_VERSIONS.format("a" * 90_000)),
    ],
)
def test_openings_that_nothing_closes_cost_a_time_linear_in_them(name: str, text: str) -> None:
    assert "Said." in texts(read(text.encode(), name))[-1]
