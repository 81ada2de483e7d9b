"""A mail is read with all that it carries: each version once, what is attached and forwarded below it."""

import gzip
from binascii import b2a_uu
from email.message import EmailMessage

import pytest

from embedmill.workers.chunking.normalise import normalise
from embedmill.workers.parsing.document import ParsedDocument
from tests.shared.containers.making import taped
from tests.workers.parsing.making import headings, read, texts, zipped


def message(text: str = "See below.", *attachments: tuple[bytes, str]) -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"] = "S", "ada@example.com"
    made.set_content(text)
    for data, name in attachments:
        made.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return made


def shown(made: EmailMessage) -> ParsedDocument:
    return read(made.as_bytes(), "a.eml")


def test_an_archive_that_is_attached_is_opened() -> None:
    inner = zipped(
        {"b.md": "# B\n\nA walrus.", "c.png": b"\x89PNG\r\n\x1a\n", "d.tgz": taped({"e.txt": "e"}, mode="w:gz")}
    )
    document = shown(message("x", (inner, "a.zip"), (gzip.compress(b"An ibis."), "f.txt.gz")))
    assert headings(document)[1:] == [
        (2, "a.zip"), (3, "b.md"), (4, "B"), (3, "d.tgz!/e.txt"), (2, "f.txt.gz"), (3, "f.txt"),
    ]  # fmt: skip
    assert {"A walrus.", "e", "An ibis."} <= set(texts(document))
    assert document.notes == ("a.zip: left out: c.png: it is a PNG image",)
    assert len({block.part for block in document.blocks}) >= 4


def test_archives_in_attachments_are_opened_so_deep_and_no_bomb_goes_off() -> None:
    deep = zipped({"deep.txt": "deep"})
    for _ in range(4):
        deep = zipped({"n.zip": deep})
    bomb = zipped({"a.txt": bytes(60 * 1024 * 1024)})
    document = shown(message("x", (deep, "a.zip"), (bomb, "b.zip")))
    assert "deep" not in texts(document)
    assert "a.zip: left out: n.zip!/n.zip: containers in 2 others are not opened" in document.notes[0]
    assert document.notes[1].startswith("attachment left out: b.zip: it expands")


@pytest.mark.parametrize(
    ("end", "notes"), [(" \nend\n", ()), ("", ("the attachment a b.md is cut short: some of it is missing",))]
)
def test_files_in_the_text_of_a_mail_are_attachments(end: str, notes: tuple[str, ...]) -> None:
    body = f"See below.\n\nbegin 644 a b.md\n{b2a_uu(b'# B: A walrus.').decode()}{end}"
    document = shown(message(body + ("Yours, Ada" if end else "")))
    assert headings(document) == [(1, "S"), (2, "a b.md"), (3, "B: A walrus.")]
    assert ("Yours, Ada" in texts(document)) == bool(end)
    assert document.notes == notes
    assert "begin 100 times\nand end" in texts(shown(message("begin 100 times\nand end")))


def test_a_mailbox_that_is_attached_is_its_messages() -> None:
    box = b"From a@b Thu Jan  1 10:00:00 2026\nMessage-ID: <1@x>\nSubject: In a box\n\nA toucan.\n"
    assert (4, "In a box") in headings(shown(message("x", (box, "in.mbox"))))


def test_what_is_attached_to_the_version_that_is_not_read_is_read() -> None:
    made = message("The plain words of this mail.")
    made.add_alternative("<p>The plain words of this mail.</p>", subtype="html")
    html = list(made.iter_parts())[1]
    assert isinstance(html, EmailMessage)
    html.add_attachment(b"A narwhal.", maintype="text", subtype="plain", filename="n.txt")
    assert texts(shown(made)) == ["S", "From: ada@example.com", "The plain words of this mail.", "n.txt", "A narwhal."]


def test_a_plain_version_that_says_nothing_gives_way() -> None:
    made = message("Your program shows no HTML.")
    made.add_alternative("<p>" + "What was to be said, " * 20 + "</p>", subtype="html")
    assert "What was to be said" in texts(shown(made))[2]


def test_what_became_of_a_message_is_read() -> None:
    report = b"From: a@b\nContent-Type: multipart/report; boundary=Q\n\n--Q\n\nFailed.\n--Q\nContent-Type: message/"
    report += b"delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; z@y\nStatus: 5.1.1\n--Q--\n"
    told = ["Failed.", "Reporting-MTA: dns; x", "Final-Recipient: rfc822; z@y\nStatus: 5.1.1"]
    assert texts(read(report, "a.eml"))[-3:] == told


def test_text_behind_an_attachment_belongs_to_the_mail() -> None:
    made = message("before", (b"A narwhal.", "n.txt"))
    made.attach(message_part("behind"))
    assert texts(shown(made))[2:] == ["before", "behind", "n.txt", "A narwhal."]


def message_part(text: str) -> EmailMessage:
    part = EmailMessage()
    part.set_content(text)
    return part


def test_forwarded_messages_are_parts_and_end_somewhere() -> None:
    made = message("deepest")
    for number in range(12):
        outer = message(f"forward {number}")
        outer.add_attachment(made)
        made = outer
    document = shown(made)
    assert texts(document).count("S") == 10
    assert document.notes == ("messages that lie in more than 10 others were left out",)
    assert len({block.part for block in document.blocks}) == 10


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        ("> q1\nr1\n> q2\nr2", ["> q1", "r1", "> q2", "r2"]),
        (">> older\n> newer\n\nmine", [">> older\n> newer", "mine"]),
        ("a\n\nb\n-- \nAda\n", ["a", "b", "-- \nAda"]),
        ("a > b\nc", ["a > b\nc"]),
    ],
)
def test_replies_stand_apart_from_what_they_reply_to(text: str, paragraphs: list[str]) -> None:
    assert texts(shown(message(text)))[2:] == paragraphs


@pytest.mark.parametrize(
    "value", ['"' * 50_000, "\\" * 50_000, ", ".join(f"a{n}@b.c" for n in range(30_000)), "(" * 9000]
)
@pytest.mark.parametrize("name", ["To", "Subject"])
def test_a_header_without_end_is_cut_before_it_is_parsed(name: str, value: str) -> None:
    document = read(f"From: ada@example.com\n{name}: {value}\n\nThe body.\n".encode(), "a.eml")
    assert document.blocks[-1].text == "The body."
    assert document.notes[0] == f"the header {name} is longer than 8,192 characters: the rest was left out"
    assert all(len(block.text) < 20_000 for block in document.blocks)


def test_parameters_without_end_cost_no_body() -> None:
    parameters = "".join(f"; x*{number}=a" for number in range(30_000))
    document = read(f"Subject: S\nContent-Type: text/plain{parameters}\n\nThe body.\n".encode(), "a.eml")
    assert texts(document) == ["S", "The body."]


def test_what_nobody_reads_may_be_long() -> None:
    document = read(f"Subject: S\nX-Scores: {'a ' * 9000}\n\nThe body.\n".encode(), "a.eml")
    assert document.notes == ()


def sections(made: EmailMessage) -> dict[str, str]:
    normalised = normalise(shown(made))
    return {normalised.text[span.start : span.end]: span.section for span in normalised.blocks}


@pytest.mark.parametrize("first", [0, 1])
def test_what_cannot_be_read_takes_the_subject_off_nothing(first: int) -> None:
    attachments = [(b"\x89PNG\r\n\x1a\n", "photo.png"), (b"The terms.", "terms.txt"), (b"More.", "more.txt")]
    made = message("See below.", *attachments[first:], *attachments[:first])
    made.replace_header("Subject", "Contract 77")
    found = sections(made)
    assert found["The terms."] == "Contract 77 > terms.txt"
    assert found["More."] == "Contract 77 > more.txt"
    assert found["Attachment: photo.png"] == "Contract 77"


def test_a_part_without_a_heading_stays_below_what_its_document_lies_in() -> None:
    inner = zipped({"a.csv": "a,b\n1,2\n"})
    found = sections(message("x", (inner, "a.zip"), (b"The terms.", "terms.txt")))
    assert found["1 | 2"] == "S > a.zip > a.csv"
    assert found["The terms."] == "S > terms.txt"


def test_what_a_mail_in_html_quotes_is_marked() -> None:
    inner = "Will it <b>grind</b>?<ul><li>oats</ul><blockquote>Old</blockquote>"
    page = f"<p>Yes.</p><blockquote type=cite>{inner}</blockquote>No.".encode()
    mail = b"Subject: S\nContent-Type: text/html\n\n" + page
    assert texts(read(mail, "a.eml")) == ["S", "Yes.", "> Will it grind?", "> - oats", "> > Old", "No."]


@pytest.mark.parametrize(("parameter", "joined"), [("", "a long line"), ("; delsp=yes", "a longline")])
def test_flowing_lines_are_joined_and_those_of_a_signature_are_not(parameter: str, joined: str) -> None:
    body = "a long \nline\nshort\n> they \n> said\n> it \nmine\n\n-- \nAda\n"
    mail = f"Subject: S\nContent-Type: text/plain; format=flowed{parameter}\n\n{body}".encode()
    blank = "" if parameter else " "
    assert texts(read(mail, "a.eml"))[1:] == [f"{joined}\nshort", f"> they{blank}said\n> it", "mine", "-- \nAda"]
