"""The redacted sample: it helps to find out what is wrong, and nothing of the document can be read in it."""

import hashlib
import json
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.console.services.collections import create_collection
from embedmill.console.services.sampling import (
    EXCERPT_CHARACTERS,
    describe_bytes,
    describe_text,
    excerpt,
    mask,
    take_sample,
)
from embedmill.shared.db.collections import get_collection
from embedmill.shared.runtime import Runtime
from embedmill.shared.uris import path_to_uri
from tests.console.letters import letter
from tests.workers.parsing.making import word, word_paragraph

PII = Path("/work/shared/data/pii/docs.jsonl")
PEOPLE = [
    {"text": "Dear Ms Anna Kowalska, call +48 601 234 567 or write to anna.k@example.org.", "spans": ["Anna Kowalska"]},
    {"text": "IBAN DE89 3704 0044 0532 0130 00, card 4111 1111 1111 1111", "spans": ["DE89", "4111 1111 1111 1111"]},
    {"text": "inet6 ea11:427b:72e6:b4e4::7cac ether 90:a6:75:ed:10:51", "spans": ["ea11:427b", "90:a6:75:ed:10:51"]},
    {"text": "Имя: Иван Петров, 氏名: 山田太郎, الاسم: محمد", "spans": ["Иван Петров", "山田太郎", "محمد"]},
]


@given(st.text(max_size=300))
def test_no_letter_and_no_digit_of_a_text_is_left(text: str) -> None:
    masked = mask(text)
    assert set(filter(str.isalnum, masked)) <= {"x", "X", "9"}
    assert mask(masked) == masked


def test_the_shape_of_a_text_is_kept() -> None:
    assert mask("Anna owes 42.50 €\n(see #7)") == "Xxxx xxxx 99.99 ·\n(xxx #9)"


@pytest.mark.parametrize("known", PEOPLE, ids=lambda known: known["spans"][0])
def test_no_name_and_no_number_of_a_person_can_be_read(known: dict[str, object]) -> None:
    text = str(known["text"])
    shown = json.dumps({"facts": describe_text(text), "excerpt": excerpt(text, 0)}, ensure_ascii=False)
    assert isinstance(known["spans"], list)
    assert not [span for span in known["spans"] if span in shown]


@pytest.mark.skipif(not PII.exists(), reason="the corpus of personal data is not on this machine")
def test_nothing_that_is_labelled_as_personal_is_in_the_sample_of_its_document() -> None:
    labelled = 0
    for line in PII.read_bytes().splitlines():
        document = orjson.loads(line)
        text = document["text"]
        shown = [
            json.dumps({"facts": describe_text(text), "excerpt": excerpt(text, at)}, ensure_ascii=False)
            for at in range(0, len(text), EXCERPT_CHARACTERS)
        ]
        raw = json.dumps(describe_bytes(text.encode(), name=f"{document['id']}.txt"))
        for span in document["spans"]:
            labelled += 1
            assert not any(span["text"] in sample for sample in [*shown, raw]), document["id"]
    assert labelled > 100


def test_a_row_is_sampled_around_the_line_that_the_error_names(runtime: Runtime) -> None:
    text = "Anna Kowalska\nsecond line\n" + "x" * 40
    (reference,) = runtime.blobs.put_pack([orjson.dumps({"title": "", "text": text})])
    sample = take_sample(runtime, letter(origin={"kind": "row", "ref": reference}, error="line 2 is odd"))
    assert sample.source == "the stored row"
    assert sample.excerpt.startswith("xxxxxx xxxx\n")
    assert (sample.facts["lines"], sample.facts["characters"]) == (3, len(text))


def test_a_file_that_is_no_text_gives_facts_and_no_excerpt(runtime: Runtime, tmp_path: Path) -> None:
    whole = word(word_paragraph("Confidential quokka dossier"))
    path = tmp_path / "torn.docx"
    path.write_bytes(whole[: len(whole) // 2])
    sample = take_sample(runtime, letter(uri=path_to_uri(bytes(path))))
    assert sample.excerpt == ""
    assert sample.facts["bytes"] == len(whole) // 2
    assert sample.facts["signature"] == "50 4b 03 04"
    assert "quokka" not in str(sample)


@pytest.mark.parametrize(
    ("died", "said"),
    [
        (hashlib.sha256(b"as it died").hexdigest(), "the file"),
        (hashlib.sha256(b"").hexdigest(), "the file, which is not what died any more"),
        ("", "the file"),
    ],
)
def test_a_file_that_changed_since_is_told_from_what_died(
    runtime: Runtime, tmp_path: Path, died: str, said: str
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"as it died")
    create_collection(runtime, "notes")
    known = runtime.database.query(lambda connection: get_collection(connection, "notes"))
    sample = take_sample(runtime, letter(uri=path_to_uri(bytes(path)), content_hash=died, collection_id=known.id))
    assert sample.source == said


def test_a_text_with_a_bad_byte_says_where_it_is(runtime: Runtime, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"plain words \xff\xfe and more")
    facts = take_sample(runtime, letter(uri=path_to_uri(bytes(path)))).facts
    assert (facts["first_bad_utf8"], facts["nul_bytes"]) == (12, 0)


@pytest.mark.parametrize("uri", ["file:///nowhere/a.txt", "https://example.com/a", "s3://bucket/key"])
def test_a_document_that_cannot_be_reached_says_so(runtime: Runtime, uri: str) -> None:
    sample = take_sample(runtime, letter(uri=uri))
    assert sample.source.startswith("cannot be read from here")


def test_language_and_script_are_told() -> None:
    english = describe_text("The contract is for the tenant and it was signed with the owner of the house.")
    dutch = describe_text("De huurder heeft het contract niet getekend en dat is van belang voor een huis.")
    assert (english["script"], english["language"]) == ("Latin", "English")
    assert dutch["language"] == "Dutch"
    assert describe_text("Договор подписан")["script"] == "Cyrillic"
