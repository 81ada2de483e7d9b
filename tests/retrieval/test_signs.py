"""The user's signs mean the same by meaning and by words: a phrase, what is excluded, and text."""

import pytest

from embedmill.retrieval import look
from embedmill.retrieval.question import MODES, Mode
from embedmill.retrieval.search import PHRASES_SHOWN, Searcher
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from tests.contracts.rows import make_row
from tests.retrieval.orchard import Tracker, angle, documents, write

TEXTS = {
    "together": "The safety valve of the pump is red.",
    "apart": "The valve is for safety, and the pump is blue.",
    "plural": "Pumps have valves, and safety valves are tested.",
    "neither": "Nothing of the kind.",
}


@pytest.fixture
def filled(store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher) -> Searcher:
    for n, (document, text) in enumerate(TEXTS.items()):
        write(store, tracker, make_row(document, text=text, title=f"Page {n}", vector=angle(n)), shard=f"s{n % 2}")
    return searcher


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"safety valve" 0', {"together"}),
        ('pump -"safety valve" 0', {"apart", "plural"}),
        ("valve -red 0", {"apart", "plural"}),
        ("valve -pump 0", set()),
        ('"page 1" valve 0', {"apart"}),
        ('"no such phrase" 0', set()),
    ],
)
def test_a_sign_holds_in_every_mode(filled: Searcher, mode: Mode, query: str, expected: set[str]) -> None:
    result = filled.search(query, mode=mode)
    assert set(documents(result.hits)) - {"neither"} == expected
    if query.startswith('"'):
        assert "neither" not in documents(result.hits)
    assert "-" not in result.query.normalised


def test_rows_that_only_hold_the_words_of_a_phrase_are_made_up_for(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(300):
        write(store, tracker, make_row(f"apart{n:03}", text="valve valve safety", vector=angle(0)))
    write(store, tracker, make_row("together", text="the long text of a safety valve " * 9, vector=angle(80)))
    result = searcher.search('"safety valve" 0')
    assert documents(result.hits) == ["together"]
    assert (result.notes, result.degraded) == ([], False)
    monkeypatch.setattr(look, "MOST_READ", 200)
    result = searcher.search('"safety valve" 0')
    assert any("best rows that hold the words were read" in step.why for step in result.steps)


def test_a_phrase_that_nothing_holds_is_named(filled: Searcher) -> None:
    (note,) = filled.search('pump "no such phrase" 0').notes
    assert '"no such phrase" as it is quoted' in note
    (note,) = filled.search(f'"{"no such phrase " * 1_000}" 0').notes
    assert len(note) < 2 * PHRASES_SHOWN
    assert filled.search('"safety valve" 0').notes == []
    for query in ('"safety valve" -valve', '"safety valve" -"safety valve"'):
        (note,) = filled.search(query).notes
        assert '"safety valve" as it is quoted and nothing of what is excluded' in note, "the quoted words are there"


def test_what_an_option_keeps_out_is_told_where_nothing_good_is_found(filled: Searcher) -> None:
    (note,) = filled.search("blue -valve -pump 0").notes
    assert 'what has valve or pump is left out, as the minus before it asks; "-valve" or "-pump"' in note
    assert filled.search("the valve is for safety and the pump is blue -red 1").notes == [], "what is found is good"
