"""The name of a file is searched as a title is."""

import pytest

from embedmill.shared.words.counts import UNITS
from embedmill.shared.words.cutting import FIELDS, count_terms, term_id
from embedmill.shared.words.naming import read_name
from embedmill.shared.words.phrases import Phrase
from embedmill.shared.words.queries import parse_query

URI = "https://host.example.org/srv/tenants/Lease%20Agreement-2031.txt?version=3#row%2017"


def found(query: str, uri: str) -> bool:
    """Whether each word of a query is held, or an identifier of which it is a part."""
    held = set(count_terms(uri=uri).terms.tolist())
    return all(held & {*word.terms, *word.part_of} for word in parse_query(query).words)


@pytest.mark.parametrize(
    ("query", "uri"),
    [
        ("lease-agreement-2031.txt", "file:///in/lease-agreement-2031.txt"),
        ("lease-agreement-2031", "file:///in/lease-agreement-2031.txt"),
        ("lease agreement 2031", "file:///in/lease-agreement-2031.txt"),
        ("lease agreements", URI),
        ("row 17", URI),
        ("tenants", URI),
        ("AnnualReport", "s3://bucket/AnnualReport_v2.final.pdf"),
        ("annual report", "s3://bucket/AnnualReport_v2.final.PDF"),
        ("archive.tar.gz", "file:///in/archive.tar.gz"),
        ("日報", "file:///in/%E6%97%A5%E5%A0%B1.txt"),
        (".bashrc", "file:///home/.bashrc"),
    ],
)
def test_a_document_is_found_by_the_name_of_its_file(query: str, uri: str) -> None:
    assert found(query, uri)


@pytest.mark.parametrize("query", ["https", "host", "example", "txt", "version"])
def test_what_is_no_name_is_not_searched(query: str) -> None:
    assert not found(query, URI)


@pytest.mark.parametrize("phrase", ["lease agreement", "row 17", "Lease Agreement-2031.txt", "srv tenants"])
def test_a_phrase_may_stand_in_a_name(phrase: str) -> None:
    assert Phrase(phrase).held_by(read_name(URI).text)
    assert found(f'"{phrase}"', URI)


def test_fields_have_their_weights() -> None:
    counted = count_terms(title="2031", section="2032", text="2033", uri="file:///2034/2035.txt")
    held = dict(zip(counted.terms.tolist(), counted.counts.tolist(), strict=True))
    fields = ("title", "section", "text", "path", "name")
    assert [held[term_id(str(2031 + at))] for at in range(5)] == [FIELDS[name] * UNITS for name in fields]


def test_a_name_adds_no_length() -> None:
    assert count_terms(title="two words", section="one", text="three more words", uri=URI).length == 6


def test_a_count_ends_with_its_byte() -> None:
    assert count_terms(text="more " * 1000).counts.tolist() == [255]


def test_a_name_is_held_as_it_is_written_with_its_extension_and_without() -> None:
    name = read_name("file:///in/report_v1.2.3.final.txt")
    for phrase in ("report_v1.2.3.final.txt", "report_v1.2.3.final"):
        assert any(map(Phrase(phrase).held_by, (name.text, name.bare_text))), phrase
