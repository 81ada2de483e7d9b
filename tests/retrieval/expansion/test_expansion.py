"""Other names of what a query names: which are found, how many, and what they weigh."""

import pytest

from embedmill.retrieval.expansion.expansion import MOST_NAMES, MOST_SHARE, SHARE, AddedName, expand, weigh_added
from embedmill.retrieval.expansion.thesaurus import Thesaurus
from embedmill.shared.words.queries import parse_query, weight_of
from embedmill.shared.words.weighing import WordCounts

THESAURUS = Thesaurus(
    [
        ["main memory", "RAM"],
        ["memory", "recollection"],
        ["information technology", "IT"],
        ["vector store", "embedding index", "row bank"],
        ["Kubernetes", "k8s"],
        ["error 2041", "stack fault"],
        ["Arbeitsspeicher", "Hauptspeicher"],
        ["東京", "江戸"],
        ["水", "H2O gas"],
    ]
)


def names(query: str, thesaurus: Thesaurus = THESAURUS) -> list[str]:
    return [added.text for added in expand(query, parse_query(query), thesaurus)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("how much RAM does it need", ["main memory"]),
        ("how much main memory does it need", ["RAM"]),
        ("Vector Stores in the cloud", ["embedding index", "row bank"]),
        ("a row bank in the cloud", ["vector store", "embedding index"]),
        ("größe des Hauptspeichers und des Geräts", ["Arbeitsspeicher"]),
        ("東京の天気", ["江戸"]),
        ("a stack fault at night", ["error 2041"]),
        ("Kubernetes upgrade", ["k8s"]),
    ],
)
def test_a_name_is_found_in_both_directions_and_in_every_form(query: str, expected: list[str]) -> None:
    assert names(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        "program", "ramp", "the ram-raid", "store", "vector, store of value", "vectors in a store",
        'what is "main memory" made of', "speed -RAM", "RAM-2041", "error 2041", "error.RAM.log", "path/RAM", "k8s",
        "is it possible to do it now", "水曜日", "", "?!", "\x00",
    ],
)  # fmt: skip
def test_nothing_is_added_within_words_quotes_codes_and_numbers(query: str) -> None:
    assert names(query) == []


def test_the_longest_name_is_taken_and_none_within_it() -> None:
    assert names("main memory of a pump") == ["RAM"]
    assert names("memory of a pump") == ["recollection"]


def test_a_name_of_several_terms_finds_all_of_them() -> None:
    thesaurus = Thesaurus([["automated teller", "ATM"], ["transfer mode", "atm"]])
    assert names("ATM fees", thesaurus) == ["automated teller", "transfer mode"]


def test_added_names_are_bounded_and_each_thing_has_its_turn() -> None:
    thesaurus = Thesaurus([["pump", *(f"pumper{c}" for c in "abcdefghijkl")], ["valve", "stopcock"]])
    found = names("a pump and a valve", thesaurus)
    assert len(found) == MOST_NAMES
    assert "stopcock" in found[:2]


def test_no_word_is_added_twice_nor_one_that_the_user_has_said() -> None:
    thesaurus = Thesaurus([["pump", "Förderpumpe", "forderpumpe", "PUMP", "delivery"], ["conveyor", "delivery"]])
    assert names("pump or conveyor", thesaurus) == ["Förderpumpe", "delivery"]
    assert names("pump delivery", thesaurus) == ["Förderpumpe", "conveyor"]


def added_weights(query: str, thesaurus: Thesaurus, holding: int = 10) -> tuple[float, float]:
    """What the user's words weigh, and what is added, where every word is in as many rows."""
    words = parse_query(query)
    added = expand(query, words, thesaurus)
    terms = {*words.terms, *(term for name in added for word in name.words for term in word.terms)}
    counted = WordCounts(1000, 100_000, dict.fromkeys(terms, holding))
    own = sum(weight_of(word, counted) for word in words.words)
    weights = weigh_added(added, words, counted)
    assert not weights.keys() & set(words.terms)
    return own, sum(weights[name.words[0].terms[0]] * len(name.words) for name in added)


def test_a_name_weighs_a_share_of_what_it_stands_beside_and_all_of_them_half() -> None:
    own, added = added_weights("pump", Thesaurus([["pump", "mover"]]))
    assert added == pytest.approx(SHARE * own)
    own, added = added_weights("pump", Thesaurus([["pump", "water mover engine"]]))
    assert added == pytest.approx(SHARE * own)
    own, added = added_weights("pump", Thesaurus([["pump", "mover", "lifter", "drawer", "pusher"]]))
    assert added == pytest.approx(MOST_SHARE * own)


def test_what_no_row_holds_weighs_nothing() -> None:
    words = parse_query("pump")
    added = expand("pump", words, Thesaurus([["pump", "mover"]]))
    assert weigh_added(added, words, WordCounts(10, 100, {words.terms[0]: 3})) == {}
    assert weigh_added([], words, WordCounts()) == {}
    assert weigh_added([AddedName("x", (), frozenset())], words, WordCounts()) == {}
