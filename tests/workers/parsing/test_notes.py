"""What a parser leaves out or guesses is noted: by name, in few words, and without a word of the document's text."""

from email.message import EmailMessage

import pytest
from pptx import Presentation

from embedmill.workers.parsing.draft import NOTE_CHARS, NOTES, Draft, ranges
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.parse import parse
from tests.workers.parsing.making import headings, pdf, read, texts, zipped
from tests.workers.parsing.test_formats import saved

BOOK: dict[str, bytes | str] = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
}


def message(*attachments: tuple[bytes, str, str]) -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"] = "Contract", "ada@example.org"
    made.set_content("See the attached notes.")
    for data, kind, name in attachments:
        maintype, _, subtype = kind.partition("/")
        made.add_attachment(data, maintype=maintype, subtype=subtype, filename=name)
    return made


def test_an_attachment_is_read_as_the_document_that_it_is_under_its_name() -> None:
    table = b"item,eur\ntea,3\n"
    made = message((b"The narwhal clause.", "text/plain", "notes.txt"), (table, "application/octet-stream", "p.csv"))
    document = read(made.as_bytes(), "a.eml")
    assert texts(document)[2:] == [
        "See the attached notes.",
        "notes.txt",
        "The narwhal clause.",
        "p.csv",
        "item | eur",
        "tea | 3",
    ]
    assert headings(document)[1:] == [(2, "notes.txt"), (2, "p.csv")]
    assert document.notes == ()


def test_a_part_with_nothing_but_a_name_is_an_attachment_too() -> None:
    source = b"""Subject: s\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n
--b\nContent-Type: text/plain\n\nbody\n--b\nContent-Type: application/pdf; name="scan.pdf"\n
%s\n--b--\n"""
    document = read(source.replace(b"%s", b"no PDF"), "a.eml")
    assert "Attachment: scan.pdf" in texts(document)
    assert document.notes == ("attachment left out: scan.pdf: it is named .pdf but its content is not PDF",)


def test_what_an_attachment_leaves_out_is_noted_under_its_name() -> None:
    made = message((pdf([["Text."], []]), "application/pdf", "half.pdf"))
    assert read(made.as_bytes(), "a.eml").notes == ("half.pdf: 1 of 2 pages hold no text: 2",)


def test_an_attached_text_is_read_in_the_encoding_that_its_part_declares() -> None:
    made = message()
    made.add_attachment("Größe".encode("cp1252"), maintype="text", subtype="plain", filename="g.txt")
    next(iter(made.iter_attachments())).set_param("charset", "windows-1252")
    document = read(made.as_bytes(), "a.eml")
    assert "Größe" in texts(document)
    assert document.notes == ()


def test_attachments_have_bounds_of_their_own_and_the_message_is_read_all_the_same() -> None:
    limits = ParserLimits(attachments=2, attachment_depth=1, output_chars=400)
    deep = message((b"below", "text/plain", "below.txt")).as_bytes()
    made = message(
        (b"word " * 100, "text/plain", "long.txt"),
        (deep, "application/octet-stream", "deep.eml"),
        (b"late", "text/plain", "late.txt"),
    )
    document = parse(made.as_bytes(), name="a.eml", limits=limits)
    assert [note.rpartition(": ")[0] for note in document.notes] == [
        "attachment left out: long.txt",
        "deep.eml: attachment left out: below.txt",
        "attachment left out: late.txt",
    ]
    assert "See the attached notes." in texts(document)
    assert not {"below", "late"} & set(texts(document))


def test_a_message_without_its_end_says_so() -> None:
    whole = message((b"text", "text/plain", "a.txt")).as_bytes()
    cut = read(whole[: whole.rindex(b"--==")], "a.eml")
    assert "the message is cut short: the end of its parts is missing" in cut.notes


def test_pictures_of_a_page_in_a_message_are_no_attachments() -> None:
    made = EmailMessage()
    made["Subject"] = "Hi"
    made.set_content("<p>Hi</p>", subtype="html")
    made.add_related(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", cid="<logo>")
    assert read(made.as_bytes(), "a.eml").notes == ()


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "a.html", "a.json", "a.rst"])
def test_a_guessed_encoding_is_noted_whatever_the_format(name: str) -> None:
    data = "Die Prüfung läuft über Nacht; größere Dateien dürfen länger brauchen. ".encode("cp1252") * 5
    assert read(data, name).notes[0].startswith("its encoding was guessed: windows-125")


def test_damage_in_unicode_is_noted_and_the_sign_for_it_is_not() -> None:
    damaged = "Größe über alles, für jeden Prüfling. ".encode() * 10
    assert read(damaged + b"\xff", "a.txt").notes == (
        "its encoding was guessed: utf-8; damaged characters that could not be read: 1",
    )
    assert read("The sign \ufffd means damage.".encode(), "a.txt").notes == ()


def test_a_page_that_declares_its_encoding_is_no_guess() -> None:
    page = '<meta charset="windows-1252"><p>Größe über alles</p>'.encode("cp1252")
    assert read(page, "a.html").notes == ()


def test_chapters_of_a_book_that_are_not_read_are_named() -> None:
    package = """<package><manifest>
        <item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>
        <item id="b" href="b.xhtml" media-type="application/xhtml+xml"/>
        <item id="c" href="c.pdf" media-type="application/pdf"/></manifest>
        <spine><itemref idref="a"/><itemref idref="b"/><itemref idref="c"/><itemref idref="d"/></spine></package>"""
    book = zipped({**BOOK, "OPS/book.opf": package, "OPS/a.xhtml": "<p>One</p>"}, stored=True)
    document = read(book, "a.epub")
    assert texts(document) == ["One"]
    assert sorted(document.notes) == [
        "chapter left out: OPS/b.xhtml: it is missing",
        "chapter left out: c.pdf: it is application/pdf",
        "chapter left out: d: the book does not say where it is",
    ]


def test_a_damaged_chapter_does_not_cost_the_book() -> None:
    package = """<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>
        <item id="b" href="b.xhtml" media-type="application/xhtml+xml"/></manifest>
        <spine><itemref idref="a"/><itemref idref="b"/></spine></package>"""
    members: dict[str, bytes | str] = {
        **BOOK,
        "OPS/book.opf": package,
        "OPS/a.xhtml": "<p>One</p>",
        "OPS/b.xhtml": "<p>Two</p>",
    }
    book = zipped(members, stored=True).replace(b"<p>Two</p>", b"<p>Twx</p>")
    document = read(book, "a.epub")
    assert texts(document) == ["One"]
    assert document.notes == ("chapter left out: OPS/b.xhtml: its ZIP container is damaged or cut short",)


def test_slides_without_text_are_noted() -> None:
    deck = Presentation()
    deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = "One"
    deck.slides.add_slide(deck.slide_layouts[6])
    assert read(saved(deck.save), "a.pptx").notes == ("1 of 2 slides hold no text: 2",)


@pytest.mark.parametrize(
    ("data", "name", "note"),
    [
        (
            rb"{\rtf1 a{\object{\*\objdata 00}}b}",
            "a.rtf",
            "embedded file left out: object 1: the object is damaged or cut short",
        ),
        (b"Text\n\n.. include:: other.rst\n", "a.rst", "a file that it includes was left out: other.rst"),
        (b'<p>a</p><iframe src="b.html"></iframe>', "a.html", "1 embedded page left out"),
        (b'{"a": 1}\n// two\n{"a": 2}\n', "a.json", "not valid JSON; kept as plain text"),
    ],
)
def test_what_other_formats_leave_out_is_noted(data: bytes, name: str, note: str) -> None:
    assert read(data, name).notes == (note,)


def test_a_file_attached_to_a_pdf_and_what_is_filled_in_are_noted() -> None:
    from pypdfium2 import PdfDocument

    with PdfDocument(pdf([["Text."]])) as document:
        document.new_attachment("accounts.xlsx").set_data(b"data")
        data = saved(document.save)
    assert read(data, "a.pdf").notes == ("attachment left out: accounts.xlsx",)


def test_notes_are_bounded_said_once_and_harmless() -> None:
    draft = Draft("text/plain", name="", limits=ParserLimits())
    draft.note("left out: \x1b[31m\u202efdp.exe\nnext")
    draft.note("twice")
    draft.note("twice")
    draft.note("long " * 200)
    for number in range(100):
        draft.note(f"attachment left out: {number}")
    notes = draft.finish().notes
    assert notes[:2] == ("left out: \\u202efdp.exe next", "twice")
    assert (len(notes), notes[-1]) == (NOTES, "and 84 more things of this kind")
    assert max(len(note) for note in notes) <= NOTE_CHARS


def test_numbers_are_written_as_ranges() -> None:
    assert ranges([2, 3, 4, 9, 11, 12]) == "2-4, 9, 11-12"
    assert ranges([]) == ""
