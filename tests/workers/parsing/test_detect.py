"""What a document is follows from its content; its name breaks ties."""

import bz2
import gzip

import pytest

from embedmill.shared.errors import EncryptedDocument, UnreadableDocument, UnsupportedDocument
from embedmill.workers.parsing import detect
from embedmill.workers.parsing.detect import is_plain_utf8, suffix_of
from tests.shared.containers.making import mailbox
from tests.workers.parsing.making import LIMITS, pdf, read, word, word_paragraph, zipped


@pytest.mark.parametrize(
    ("data", "name", "media_type"),
    [
        (b"# hi", "a.md", detect.MARKDOWN),
        (b"hi", "notes", detect.PLAIN),
        (b"int main() {}", "a.c", "text/x-c"),
        (b"<!DOCTYPE html><p>x", "a.txt", detect.HTML),
        (b"<p>x", "https://example.org/a.html?v=1.2#top", detect.HTML),
        (b"a,b", "A.CSV", detect.CSV),
        (b"{}", "a.json", detect.JSON),
        (b"{}\n{}", "a.jsonl", detect.JSON),
        (b"From: a@b\nSubject: s\nDate: today\n\nhi", "message", detect.EML),
        (b"{\\rtf1 hi}", "a.txt", detect.RTF),
        (pdf([["x"]]), "report.txt", detect.PDF),
        (b"junk\n" + pdf([["x"]]), "report.pdf", detect.PDF),
        (word(word_paragraph("x")), "a.zip", detect.DOCX),
        (zipped({"a.txt": "hi"}), "a.dat", detect.ZIP),
        (gzip.compress(b"hi", mtime=0), "a", detect.GZIP),
        (bz2.compress(b"hi"), "a", detect.BZIP2),
        (b"BZh is how a word begins", "a", detect.PLAIN),
        (mailbox("Subject: a\n\nb"), "Inbox", detect.MBOX),
        (b"1\n00:00:01,000 --> 00:00:02,000\nHi\n", "a.txt", detect.SRT),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\nHi\n", "a", detect.VTT),
        (b'<?xml version="1.0"?><a>b</a>', "a.txt", detect.XML),
        (b'<?xml version="1.0"?><html><p>b</p></html>', "a", detect.HTML),
        (b'<?xml version="1.0"?><!DOCTYPE html><html><p>b</p></html>', "a.xml", detect.HTML),
        (b'{"cells": [], "nbformat": 4}', "a", detect.NOTEBOOK),
        (b'{"cells": [], "nbformat": 4}', "a.json", detect.JSON),
        (b"import os\n", "a.py", "text/x-python"),
        (b"a\tb\n", "a.TSV", detect.CSV),
        (b"[info] started\n", "a.log", detect.PLAIN),
    ],
)
def test_content_decides_before_the_name(data: bytes, name: str, media_type: str) -> None:
    assert detect.detect(data, name=name, limits=LIMITS) == media_type


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n1234", "PNG"),
        (b"\x89PNG is damaged", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"MZ\x90\x00\x03\x00\x00", "Windows program"),
        (b"\x7fELF\x02\x01", "ELF"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"), ".doc"),
        (bytes(range(256)) * 8, "binary data"),
    ],
)
def test_foreign_binary_is_refused_by_its_name(data: bytes, kind: str) -> None:
    with pytest.raises(UnsupportedDocument, match=kind):
        read(data, "thing.dat")


def test_letters_that_open_a_foreign_format_are_text_in_text() -> None:
    assert read(b"MZ is a signature. BM is one too.", "a.txt").media_type == detect.PLAIN


@pytest.mark.parametrize("name", ["a.docx", "a.pdf", "a.xlsx", "a.epub", "a.rtf", "a.odt", "a.pptx"])
def test_an_empty_office_file_is_unreadable(name: str) -> None:
    with pytest.raises(UnreadableDocument, match="empty \\(0 bytes\\)"):
        read(b"", name)


@pytest.mark.parametrize("data", [b"", b" \n\t \n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.csv", "a.json", "a.rst", "a"])
def test_an_empty_text_is_a_document_without_blocks(name: str, data: bytes) -> None:
    assert read(data, name).blocks == ()


def test_text_under_an_office_name_is_unreadable() -> None:
    with pytest.raises(UnreadableDocument, match="not DOCX"):
        read(b"only text", "a.docx")


def test_an_encrypted_office_container_asks_for_a_password() -> None:
    container = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(EncryptedDocument, match="password"):
        read(container, "a.xlsx")


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a/b.TXT", ".txt"),
        (".bashrc", ""),
        ("a.b/c", ""),
        ("C:\\x\\y.PDF", ".pdf"),
        ("http://h/p.html?q=a.pdf", ".html"),
    ],
)
def test_a_suffix_belongs_to_the_last_part_of_a_name(name: str, suffix: str) -> None:
    assert suffix_of(name) == suffix


def test_only_certain_plain_text_skips_the_child_process() -> None:
    assert is_plain_utf8("früh".encode(), name="a.txt")
    assert not is_plain_utf8("früh".encode("cp1252"), name="a.txt")
    assert not is_plain_utf8(b"# hi", name="a.md")
    assert not is_plain_utf8(b"%PDF-1.4", name="a.txt")
    assert not is_plain_utf8(b"BZh91AY&SY and so on", name="a.txt")
    assert not is_plain_utf8(b"", name="a.docx")
