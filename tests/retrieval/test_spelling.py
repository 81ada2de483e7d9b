"""What the query writes as one, rows may write as two words: these come before rows that hold the words apart."""

import pytest

from embedmill.retrieval import look
from embedmill.retrieval.search import Searcher
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from tests.contracts.rows import make_row
from tests.retrieval.orchard import Tracker, angle, documents, write

APART = {
    "rfc": "The RFC index: an RFC and another RFC. Of 2616 words, 2616 are new.",
    "windows": "Windows in 11 halls, 11 windows.",
    "nothing": "Nothing of the kind.",
}


@pytest.fixture
def filled(store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher) -> Searcher:
    for n, (document, text) in enumerate(APART.items()):
        write(store, tracker, make_row(document, text=text, title="Page", vector=angle(n)), shard=f"s{n % 2}")
    return searcher


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (query, text)
        for text, queries in {
            "HTTP is defined by RFC 2616, among others.": (
                "RFC-2616",
                "rfc2616",
                "RFC_2616",
                "RFC 2616",
                "what is RFC-2616?",
            ),
            "It was written for Windows 11 and later.": ("Windows11", "windows-11", "WINDOWS_11"),
        }.items()
        for query in queries
    ],
)
def test_an_identifier_is_found_in_another_spelling_before_its_parts(
    filled: Searcher, store: EmbeddedVectorStore, tracker: Tracker, query: str, text: str
) -> None:
    write(store, tracker, make_row("spelled", text=text, title="Page", vector=angle(90)), shard="s1")
    found = filled.search(query, mode="lexical")
    assert documents(found.hits)[0] == "spelled"
    (step,) = (step for step in found.steps if step.name == look.SPELLING)
    assert (step.ran, step.out) == (True, 1)


def test_as_it_is_written_it_comes_first_all_the_same(
    filled: Searcher, store: EmbeddedVectorStore, tracker: Tracker
) -> None:
    write(store, tracker, make_row("spelled", text="See RFC 2616, RFC 2616, RFC 2616.", vector=angle(1)), shard="s0")
    write(
        store,
        tracker,
        make_row("written", text="Of all that was said here, see RFC-2616.", vector=angle(9)),
        shard="s1",
    )
    found = filled.search("RFC-2616", mode="lexical")
    assert documents(found.hits)[0] == "written"
    assert not any(step.ran for step in found.steps if step.name == look.SPELLING), "nothing is read for it"


@pytest.mark.parametrize("query", ["red apples", "co-operate", "2024-03-17", "10-24", "parse_retry_after", "A320"])
def test_what_has_no_other_spelling_costs_no_reading(filled: Searcher, query: str) -> None:
    (step,) = (step for step in filled.search(query, mode="lexical").steps if step.name == look.SPELLING)
    assert (step.ran, step.why) == (False, look.NOT_SPELLED_OTHERWISE)
