"""A collection with redaction: nothing that is stored, shown or sent has a value, and everything else is as before."""

import base64
import io
import logging
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import orjson
import pytest

from embedmill.console.services.collections import update_collection
from embedmill.console.services.document_reports import show_document
from embedmill.console.services.documents import list_documents
from embedmill.console.services.exporting import export
from embedmill.console.services.jobs import describe_job
from embedmill.console.services.searching import search
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import SourceOptions
from embedmill.producers.submission import Submitter, create_collection, ensure_collection
from embedmill.shared.db import jobs
from embedmill.shared.db.redactions import find_documents_of
from embedmill.shared.errors import MissingExtra, RedactionFailed
from embedmill.shared.providers.blobs.compression import MARK, restore
from embedmill.shared.redaction import scanning
from embedmill.shared.redaction.finding import Finding
from embedmill.shared.redaction.glance import Glance
from embedmill.workers.chores.dispatcher import dispatch
from embedmill.workers.redacting import BARE_KEY, find_bare_keys
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.chunk import TOGETHER, parse_row
from tests.workers.working import work_through

MAIL, OTHER = "jane.doe@example.com", "kim@example.net"
PHONE, CARD, IBAN, SSN = "+1 714 719 5847", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "735-22-1604"
KEY = "AKIAQ3EGRWTZ7HVN2K4D"
PLANTED = (MAIL, OTHER, PHONE, CARD, IBAN, SSN, KEY, "7147195847", "735221604", "1984-03-12")
ROW = {
    "id": MAIL,
    "title": f"About {MAIL}",
    "text": f"Write to {MAIL}, call {PHONE}. Card {CARD}, IBAN {IBAN}. She asked {MAIL} twice. Key {KEY}.",
    "metadata": {"phone": 7147195847, "ssn": "735221604", "birth date": "1984-03-12", "cc": [OTHER], "year": 2021},
}


def ingest(runtime: WorkerRuntime, *paths: Path) -> int:
    """One ingest with everything that it takes to the end; the job."""
    sources = open_sources([str(path) for path in paths], options=SourceOptions(), stdin=io.BytesIO())
    collection = ensure_collection(runtime, "default")
    submitter = Submitter(runtime)
    submitted = submitter.open(sources, collection, options={})
    submitter.enumerate(submitted, sources, collection, allow_deletes=False)
    work_through(runtime, dispatch(runtime.database, runtime.settings))
    runtime.database.transact(jobs.complete_jobs)
    runtime.forget_collections()
    return submitted.job_id


def write_sources(folder: Path) -> tuple[Path, Path]:
    """A file of rows, and a folder with values in names and headings."""
    rows = folder / "rows.jsonl"
    rows.write_bytes(orjson.dumps(ROW))
    inside = folder / "in"
    (inside / OTHER).mkdir(parents=True)
    (inside / OTHER / f"{SSN}.md").write_text(f"# Mail to {OTHER}\n\nSSN {SSN}\n\n- card {CARD}\n", encoding="utf-8")
    return rows, inside


def write_formats(inside: Path) -> None:
    """A mail, an archive and what cannot be read, with values in headers and in names of members."""
    (inside / "broken.pdf").write_bytes(b"%PDF-1.7\n" + OTHER.encode())
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"Jane <{MAIL}>", OTHER, f"Call {PHONE}"
    mail.set_content(f"My IBAN is {IBAN}")
    mail.add_attachment(b"text", maintype="text", subtype="x-odd", filename=f"{OTHER}.odd")
    (inside / "mail.eml").write_bytes(bytes(mail))
    with zipfile.ZipFile(inside / "archive.zip", "w") as archive:
        archive.writestr(f"{MAIL}/note.txt", f"card {CARD}")
        archive.writestr(f"{OTHER}.xyz", b"\0\1\2")


@pytest.fixture
def redacting(runtime: WorkerRuntime) -> WorkerRuntime:
    """With a collection that hides values."""
    create_collection(runtime, "default", redact="patterns", embedding="hash")
    return runtime


def forms(value: str) -> Iterator[bytes]:
    """How a value may stand somewhere."""
    data = value.encode()
    yield data
    yield data.hex().encode()
    for shift in range(3):
        yield base64.b64encode(b"." * shift + data)[4 if shift else 0 : -4]


def stored_bytes(home: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file of a home, expanded where it is compressed."""
    for path in home.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield path, restore(data, path.name) if data.startswith(MARK) else data


def leaks(data: bytes) -> list[str]:
    return [value for value in PLANTED if any(form in data for form in forms(value))]


def test_no_value_is_in_the_home_the_logs_an_export_or_what_is_shown(
    redacting: WorkerRuntime, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    rows, folder = write_sources(tmp_path)
    write_formats(folder)
    job = ingest(redacting, rows, folder)

    report = describe_job(redacting, job)
    shown = [repr(report), repr(list_documents(redacting)), repr(list(export(redacting, collection="default")))]
    found = search(redacting, f"who is {MAIL}?", collection="default", top_k=10, mode="hybrid", where=f'cc = "{OTHER}"')
    redacting.query_log.flush()
    printed = capfd.readouterr()

    assert report.documents.completed == 4
    assert report.documents.dead == 2
    for text in (*shown, repr(found), caplog.text, printed.out, printed.err):
        assert leaks(text.encode()) == []
    for path, data in stored_bytes(redacting.home):
        assert leaks(data) == [], path


def test_counts_and_subjects_of_a_document_are_kept(redacting: WorkerRuntime, tmp_path: Path) -> None:
    job = ingest(redacting, *write_sources(tmp_path))

    (row,) = (d for d in list_documents(redacting).documents if d.uri.startswith("redacted-EMAIL-"))
    collection = ensure_collection(redacting, "default").id
    subjects = sorted(redacting.redactor(collection).subjects_of("(714) 719-5847"))
    found = redacting.database.query(lambda c: find_documents_of(c, collection, subjects))

    assert show_document(redacting, row.id).redactions == {
        "CREDIT_CARD": 1,
        "DATE_OF_BIRTH": 1,
        "EMAIL_ADDRESS": 2,
        "IBAN_CODE": 1,
        "PHONE_NUMBER": 1,
        "SECRET": 1,
        "US_SSN": 1,
    }
    assert row.id in found
    assert describe_job(redacting, job).redactions["EMAIL_ADDRESS"] > 2


def test_a_document_is_found_by_the_name_that_its_source_gave_it(redacting: WorkerRuntime, tmp_path: Path) -> None:
    _, folder = write_sources(tmp_path)
    ingest(redacting, folder)

    assert show_document(redacting, str(folder / OTHER / f"{SSN}.md")).title == "Mail to [EMAIL_1]"


def test_what_has_not_changed_is_unchanged_and_another_policy_makes_it_anew(
    redacting: WorkerRuntime, tmp_path: Path
) -> None:
    sources = write_sources(tmp_path)
    ingest(redacting, *sources)

    again = describe_job(redacting, ingest(redacting, *sources)).documents
    update_collection(redacting, "default", redact="off")
    redacting.forget_collections()
    off = describe_job(redacting, ingest(redacting, *sources)).documents

    assert (again.unchanged, again.completed) == (2, 0)
    assert off.completed == 2
    assert MAIL in repr(list(export(redacting, collection="default")))
    assert any(leaks(data) for _, data in stored_bytes(redacting.home))


def test_a_text_that_cannot_be_redacted_goes_no_further(
    redacting: WorkerRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(glance: Glance) -> Iterator[Finding]:
        if "mail" in glance.lowered:
            raise ValueError(glance.text)
        yield from ()

    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text(f"mail {MAIL}", encoding="utf-8")
    for number in range(TOGETHER + 2):
        (folder / f"b{number}.txt").write_text(f"letter {number}", encoding="utf-8")
    monkeypatch.setattr(scanning, "PATTERNS", (fail,))

    job = ingest(redacting, folder)

    documents = describe_job(redacting, job).documents
    assert (documents.dead, documents.completed) == (1, TOGETHER + 2)
    with pytest.raises(RedactionFailed, match=r"redaction failed \(ValueError\)"):
        redacting.redactor(ensure_collection(redacting, "default").id).redact(f"mail {MAIL}")


def pem(kind: str = "") -> str:
    body = "QWxhZGRpbjpvcGVuIHNlc2FtZQ0123456789" * 4
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        (f"How we deploy.\n\n{pem('RSA ')}\n\nThat is all.", [BARE_KEY]),
        (f"{pem('OPENSSH ')[:90]}", [BARE_KEY]),
        ("A file begins with -----BEGIN PRIVATE KEY----- and has its key in base64.", []),
        (pem().replace("PRIVATE", "PUBLIC"), []),
        ("-----BEGIN RSA PRIVATE KEY-----" * 3000, []),
    ],
)
def test_a_private_key_that_is_not_hidden_is_noted(text: str, notes: list[str]) -> None:
    assert list(find_bare_keys(parse_row(text))) == notes


def test_a_note_of_a_private_key_stays_with_its_document(runtime: WorkerRuntime, tmp_path: Path) -> None:
    (tmp_path / "deploy.md").write_text(f"How we deploy.\n\n{pem()}\n")
    ingest(runtime, tmp_path / "deploy.md")
    (found,) = list_documents(runtime).documents
    assert found.notes == [BARE_KEY]


def test_names_without_their_model_are_refused_at_once(
    redacting: WorkerRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedmill.shared.redaction.names.MODEL", "no_such_model_at_all")

    with pytest.raises(MissingExtra, match="names"):
        update_collection(redacting, "default", redact="names")
