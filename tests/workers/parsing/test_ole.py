"""Objects of other programs are read as the files that they are, or named."""

import io
import struct
from zipfile import ZipFile

import pytest

from embedmill.shared.errors import UnreadableDocument, UnsupportedDocument
from embedmill.workers.parsing.ole import unwrapped
from tests.workers.parsing.making import WORD, read, texts, word, word_paragraph, zipped
from tests.workers.parsing.old_workbooks import compound
from tests.workers.parsing.test_formats import workbook


def packed(name: str, content: bytes) -> bytes:
    """A file as Windows packs it into an object."""
    named = name.encode() + b"\0"
    body = struct.pack("<H", 2) + named + b"C:\\" + named + bytes(4) + struct.pack("<I", len(named)) + named
    body += struct.pack("<I", len(content)) + content
    return compound(struct.pack("<I", len(body)) + body, "\x01Ole10Native")


def test_a_packed_file_is_read_under_its_own_name() -> None:
    assert unwrapped(packed("C:\\list.csv", b"a,b\n1,2\n"), "oleObject1.bin") == (b"a,b\n1,2\n", "list.csv")


def test_a_package_of_office_is_the_file_itself() -> None:
    inside = word(word_paragraph("inside"))
    data, name = unwrapped(compound(inside, "Package"), "oleObject1.bin")
    assert (data[: len(inside)], name) == (inside, "oleObject1")


def test_an_object_without_a_file_says_what_it_is() -> None:
    kind = b"Microsoft Equation 3.0\0"
    data = compound(bytes(28) + struct.pack("<I", len(kind)) + kind, "\x01CompObj")
    with pytest.raises(UnsupportedDocument, match=r"an object of another program \(Microsoft Equation 3\.0\)"):
        unwrapped(data, "oleObject1.bin")


@pytest.mark.parametrize("cut", [8, 600, 1030])
def test_a_damaged_object_is_named_as_such(cut: int) -> None:
    with pytest.raises((UnreadableDocument, UnsupportedDocument)):
        unwrapped(packed("a.csv", b"x")[:cut], "oleObject1.bin")


def test_objects_of_a_word_file_are_read_below_it() -> None:
    relation = '<Relationship Id="o" Type="x/oleObject" Target="embeddings/oleObject1.bin"/>'
    document = f"<w:document xmlns:w='{WORD}'><w:body>{word_paragraph('body')}</w:body></w:document>"
    parts: dict[str, bytes | str] = {
        "word/document.xml": document,
        "word/_rels/document.xml.rels": f"<Relationships>{relation}</Relationships>",
        "word/embeddings/oleObject1.bin": packed("list.csv", b"a,b\n1,2\n"),
    }
    assert texts(read(zipped(parts), "a.docx")) == ["body", "list.csv", "a | b", "1 | 2"]


def test_objects_of_a_sheet_are_read_below_its_workbook() -> None:
    stream = io.BytesIO(workbook(("One", [["x", "y"]])))
    relation = '<Relationship Id="o" Type="x/package" Target="../embeddings/list.csv"/>'
    with ZipFile(stream, "a") as archive:
        archive.writestr("xl/worksheets/_rels/sheet1.xml.rels", f"<Relationships>{relation}</Relationships>")
        archive.writestr("xl/embeddings/list.csv", "a,b\n1,2\n")
    assert texts(read(stream.getvalue(), "a.xlsx")) == ["One", "x | y", "list.csv", "a | b", "1 | 2"]
