"""Office files, books, mail and data keep headings, pages and table rows."""

import io
from collections.abc import Callable
from email.message import EmailMessage

import pytest
import xlsxwriter
from docx import Document
from pptx import Presentation
from pptx.util import Inches

from embedmill.shared.errors import EncryptedDocument, NoText, UnreadableDocument
from embedmill.workers.parsing.document import BlockKind
from tests.workers.parsing.making import WORD, headings, pages, pdf, read, shape, texts, word, word_paragraph, zipped

H, P, L, T = BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.TABLE_ROW
ODF = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
)


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


def test_docx_keeps_headings_lists_and_tables_in_order() -> None:
    made = Document()
    made.core_properties.title = "Handbook"
    made.add_heading("Chapter", level=1)
    made.add_paragraph("Text")
    made.add_paragraph("Point", style="List Bullet")
    table = made.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "k", "v"
    made.add_heading("Section", level=2)
    document = read(saved(made.save), "a.docx")
    assert document.title == "Handbook"
    assert shape(document) == [(H, "Chapter"), (P, "Text"), (L, "- Point"), (T, "k | v"), (H, "Section")]
    assert [level for level, _ in headings(document)] == [1, 2]


def test_docx_text_boxes_are_read_once_and_deleted_text_not_at_all() -> None:
    box = f"<w:txbxContent>{word_paragraph('boxed')}</w:txbxContent>"
    body = (
        '<w:p><w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f"<mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r>"
        "<w:r><w:t>around</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>"
    )
    assert texts(read(word(body), "a.docx")) == ["around", "boxed"]


def test_docx_footnotes_are_kept() -> None:
    notes = f'<w:footnotes xmlns:w="{WORD}"><w:footnote>{word_paragraph("the note")}</w:footnote></w:footnotes>'
    assert texts(read(word(word_paragraph("text"), footnotes=notes), "a.docx")) == ["text", "the note"]


def test_xml_entities_are_never_expanded() -> None:
    document = (
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname"><!ENTITY y "expanded">]>'
        f'<w:document xmlns:w="{WORD}"><w:body>{word_paragraph("a &amp;x; &x; &y;")}</w:body></w:document>'
    )
    [text] = texts(read(zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": document}), "a.docx"))
    assert text == "a &x;"


def test_pptx_slides_are_pages_with_titles_tables_and_notes() -> None:
    made = Presentation()
    for title in ("First", "Second"):
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, f"Body of {title}"
    table = slide.shapes.add_table(1, 2, Inches(1), Inches(4), Inches(4), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "k", "v"
    slide.notes_slide.notes_text_frame.text = "Say it slowly"
    document = read(saved(made.save), "a.pptx")
    assert pages(document) == [
        (1, "First"), (1, "- Body of First"), (2, "Second"), (2, "- Body of Second"), (2, "k | v"),
        (2, "Say it slowly"),
    ]  # fmt: skip
    assert document.title == "First"


def workbook(*sheets: tuple[str, list[list[object]]]) -> bytes:
    stream = io.BytesIO()
    made = xlsxwriter.Workbook(stream)
    for name, rows in sheets:
        sheet = made.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    made.close()
    return stream.getvalue()


def test_xlsx_sheets_are_headings_and_rows_are_rows() -> None:
    data = workbook(("Prices", [["item", "eur"], ["tea", 3], ["", ""], ["milk", 1.5]]), ("Empty", []))
    assert shape(read(data, "a.xlsx")) == [(H, "Prices"), (T, "item | eur"), (T, "tea | 3"), (T, "milk | 1.5")]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (workbook(("Empty", [])), "a.xlsx"),
        (word(""), "a.docx"),
        (saved(Presentation().save), "a.pptx"),
        (b"{\\rtf1 }", "a.rtf"),
    ],
)
def test_a_blank_office_file_is_empty_as_a_blank_text_is(data: bytes, name: str) -> None:
    assert shape(read(data, name)) == shape(read(b" \n", "a.txt")) == []


PICTURED = zipped({
    "[Content_Types].xml": "<Types/>", "word/document.xml": f'<w:document xmlns:w="{WORD}"/>',
    "word/media/image1.png": b"", "word/media/image2.JPG": b"", "docProps/thumbnail.jpeg": b"",
})  # fmt: skip


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (pdf([[]]), "scan.pdf", "it was read and holds no text"),
        (PICTURED, "a.docx", "it was read and holds no text, but 2 pictures"),
        (b"{\\rtf1 {\\pict 00}}", "a.rtf", "it was read and holds no text, but 1 picture"),
    ],
)
def test_a_scan_says_that_it_holds_no_text(data: bytes, name: str, reason: str) -> None:
    with pytest.raises(NoText) as caught:
        read(data, name)
    assert str(caught.value) == reason


def test_csv_rows_follow_their_own_delimiter_and_formulas_stay_text() -> None:
    assert texts(read(b'a;b\n"x;y";=SUM(1,2)\n\n', "a.csv")) == ["a | b", "x;y | =SUM(1,2)"]
    assert texts(read(b"a\tb,c\n", "a.tsv")) == ["a | b,c"]


def test_json_records_become_lines_of_path_and_value() -> None:
    document = read(b'[{"name": "Ann", "pets": [{"kind": "cat"}], "age": 3, "ok": true}, {"name": "Bo"}]', "a.json")
    assert texts(document) == ["name: Ann\npets.kind: cat\nage: 3\nok: true", "name: Bo"]


def test_tokens_of_an_export_of_slack_are_cut_from_json() -> None:
    link = b"https://files.slack.com/T1-F1/plan.pdf?t=xoxe-1357908642-AbCdEf"
    for data in (b'[{"url_private": "' + link + b'"}]', b'{"url_private": "' + link + b'",}'):
        (text,) = texts(read(data, "2026-05-01.json"))
        assert "plan.pdf" in text
        assert "xoxe" not in text


def test_broken_json_is_kept_as_text() -> None:
    document = read(b'{"a": 1,}', "a.json")
    assert (texts(document), bool(document.notes)) == (['{"a": 1,}'], True)


def test_pdf_pages_are_counted_and_lines_joined_into_paragraphs() -> None:
    page = ["A line of text that runs to the edge of its column and", "goes on here.", "Another paragraph begins."]
    document = read(pdf([page, ["Second page."]]), "a.pdf")
    assert pages(document) == [
        (1, "A line of text that runs to the edge of its column and goes on here."),
        (1, "Another paragraph begins."),
        (2, "Second page."),
    ]


def test_pdf_pages_without_text_are_counted_in_a_note() -> None:
    document = read(pdf([["Text."], [], []]), "a.pdf")
    assert document.notes == ("2 of 3 pages hold no text: 2-3",)


def test_pdf_bookmarks_make_headings() -> None:
    data = pdf([["7", "1.2 The Setup", "Install it first."]], outline="The Setup")
    assert shape(read(data, "a.pdf")) == [(P, "7"), (H, "1.2 The Setup"), (P, "Install it first.")]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (pdf([["x"]])[:300], "a.pdf"),
        (b"%PDF-1.7 nothing more", "a.pdf"),
        (word(word_paragraph("x" * 500))[:300], "a.docx"),
        (workbook(("S", [["a"]]))[:-200], "a.xlsx"),
        (word("<w:p><w:r>"), "a.docx"),
    ],
)
def test_damaged_files_are_unreadable_and_the_reason_quotes_nothing(data: bytes, name: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read(data, name)
    assert not isinstance(caught.value, NoText)
    assert "\n" not in str(caught.value)


def test_mail_keeps_headers_and_the_plain_body_and_names_attachments() -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Größe", "Ann <a@example.org>", "b@example.org"
    message.set_content("Plain body")
    message.add_alternative("<p>HTML body</p>", subtype="html")
    message.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="data.bin")
    document = read(message.as_bytes(), "a.eml")
    assert texts(document) == [
        "Größe",
        "From: Ann <a@example.org>\nTo: b@example.org",
        "Plain body",
        "Attachment: data.bin",
    ]
    assert document.title == "Größe"
    assert document.notes == ("attachment left out: data.bin: it is binary data of no known kind",)


def test_mail_in_html_alone_is_converted() -> None:
    source = b"Subject: s\nContent-Type: text/html; charset=utf-8\n\n<h2>Hi</h2><p>a &amp; b</p><script>x</script>"
    assert texts(read(source, "a.eml")) == ["s", "Hi", "a & b"]


def test_messages_inside_messages_are_read() -> None:
    source = b"""Subject: Digest\nMIME-Version: 1.0\nContent-Type: multipart/digest; boundary="b"\n
--b\n\nSubject: One\n\nfirst text\n--b\n\nSubject: Two\n\nsecond text\n--b--\n"""
    document = read(source, "a.eml")
    assert texts(document) == ["Digest", "One", "first text", "Two", "second text"]


def epub(**extra: str) -> bytes:
    def chapter(title: str) -> str:
        return f"<html xmlns='http://www.w3.org/1999/xhtml'><body><h1>{title}</h1><p>Text.</p></body></html>"

    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfiles><rootfile full-path="O/p.opf"/></rootfiles></container>',
            "O/p.opf": '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>Book</dc:title>'
            '</metadata><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
            '<item id="b" href="b%20b.xhtml" media-type="application/xhtml+xml"/></manifest>'
            '<spine><itemref idref="b"/><itemref idref="a"/></spine></package>',
            "O/a.xhtml": chapter("Two"),
            "O/b b.xhtml": chapter("One"),
            **{name.replace("__", "/"): content for name, content in extra.items()},
        }
    )


def test_epub_chapters_follow_the_spine() -> None:
    document = read(epub(), "a.epub")
    assert (document.title, headings(document)) == ("Book", [(1, "One"), (1, "Two")])


def test_epub_with_encrypted_chapters_is_encrypted() -> None:
    reference = '<CipherReference URI="O/a.xhtml"/>'
    locked = f"<encryption><EncryptedData><CipherData>{reference}</CipherData></EncryptedData></encryption>"
    with pytest.raises(EncryptedDocument):
        read(epub(**{"META-INF__encryption.xml": locked}), "a.epub")


def odt(body: str, manifest: str = "<manifest/>") -> bytes:
    return opened("text", body, manifest)


def opened(kind: str, body: str, manifest: str = "<manifest/>") -> bytes:
    """The least that is an OpenDocument of a kind."""
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"<office:document-content {ODF}><office:body><office:{kind}>{body}</office:{kind}>"
            "</office:body></office:document-content>",
            "META-INF/manifest.xml": manifest,
        }
    )


DEEP = "<x>" * 300 + "</x>" * 300


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (word(DEEP), "a.docx"),
        (opened("text", DEEP), "a.odt"),
        (opened("spreadsheet", DEEP), "a.ods"),
        (opened("presentation", DEEP), "a.odp"),
        (epub(**{"O/p.opf": DEEP}), "a.epub"),
        (zipped({"[Content_Types].xml": "<Types/>", "ppt/presentation.xml": DEEP}), "a.pptx"),
    ],
)
def test_what_is_nested_too_deeply_is_not_called_malformed(data: bytes, name: str) -> None:
    with pytest.raises(UnreadableDocument, match="nested too deeply"):
        read(data, name)


def test_odt_keeps_headings_lists_and_tables() -> None:
    body = (
        '<text:h text:outline-level="2">Part</text:h><text:p>a<text:s text:c="2"/>b<text:span>c</text:span></text:p>'
        "<text:list><text:list-item><text:p>item</text:p></text:list-item></text:list><table:table><table:table-row>"
        "<table:table-cell><text:p>k</text:p></table:table-cell><table:table-cell><text:p>v</text:p></table:table-cell>"
        "</table:table-row></table:table>"
    )
    assert shape(read(odt(body), "a.odt")) == [(H, "Part"), (P, "a  bc"), (L, "- item"), (T, "k | v")]


def test_odt_behind_a_password_is_encrypted() -> None:
    with pytest.raises(EncryptedDocument):
        read(odt("", "<manifest><encryption-data/></manifest>"), "a.odt")


def test_rtf_becomes_text_with_its_characters() -> None:
    data = rb"{\rtf1\ansi\ansicpg1252 Hello \b bold\b0\par caf\'e9 \u8364?\par}"
    assert texts(read(data, "a.rtf")) == ["Hello bold", "café €"]
