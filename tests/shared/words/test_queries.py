"""The signs of a query: quotation marks and a leading minus; everything else is text."""

import pytest

from embedmill.shared.words.cutting import count_terms
from embedmill.shared.words.phrases import Phrase
from embedmill.shared.words.queries import (
    MOST_COUNTED,
    MOST_PHRASES,
    MOST_SPELLED,
    MOST_WORDS,
    WordQuery,
    names_identifier,
    parse_query,
    weigh,
)
from embedmill.shared.words.weighing import WordCounts
from tests.shared.words.ranking import rank

LETTERS = str.maketrans("01", "xy")


def texts(query: WordQuery) -> list[str]:
    return [word.text for word in query.words]


def signs(text: str) -> tuple[str, list[str], list[str], list[str]]:
    query = parse_query(text)
    return (
        query.plain,
        [phrase.text for phrase in query.phrases],
        [word.text for word in query.excluded],
        [phrase.text for phrase in query.excluded_phrases],
    )


@pytest.mark.parametrize(
    "quoted", ['"red pump"', "“red pump”", "„red pump“", "„red pump”", "«red pump»", "»red pump«", "「red pump」"]
)
def test_what_is_quoted_is_a_phrase(quoted: str) -> None:
    assert signs(f"{quoted} valve") == ("red pump valve", ["red pump"], [], [])
    assert signs(f"valve -{quoted}") == ("valve", [], [], ["red pump"])


@pytest.mark.parametrize(
    ("text", "plain", "excluded"),
    [
        ("pump -valve", "pump", ["valve"]),
        ("-valve pump", "pump", ["valve"]),
        ("pump \u2212valve", "pump", ["valve"]),
        ("pump -ERR-2041", "pump", ["err-2041"]),
        ("pump -co-operate", "pump", ["cooperate"]),
        ("pump -readme.md", "pump", ["readme.md"]),
        ("pump -天気", "pump", ["天気"]),
        ("one-way valve", "one-way valve", []),
        ("temperature -40", "temperature -40", []),
        ("-40", "-40", []),
        ("pump - valve", "pump - valve", []),
        ("git log --no-merges", "git log --no-merges", []),
        ("-valve", "-valve", []),
        ("-valve -pump", "-valve -pump", []),
    ],
)
def test_a_minus_before_a_word_excludes_it(text: str, plain: str, excluded: list[str]) -> None:
    assert signs(text) == (plain, [], excluded, [])


def test_a_number_is_excluded_in_quotes() -> None:
    assert signs('temperature -"40"') == ("temperature", [], [], ["40"])


def test_what_only_its_order_tells_is_excluded_as_a_phrase() -> None:
    assert signs("電車 -来週休み") == ("電車", [], [], ["来週休み"])


@pytest.mark.parametrize(
    "text",
    [
        'an "open end',
        '5" pipe',
        "pump AND valve OR NOT hose",
        "NEAR(pump valve, 5)",
        "title:pump",
        "pump*",
        "^pump",
        "(pump) [valve] {hose}",
        "pump\0valve",
        "'); DROP TABLE rows; --",
        "a \\ b / c | d & e",
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert signs(text) == (text.strip(), [], [], [])
    assert texts(parse_query(text))


@pytest.mark.parametrize("text", ["", " ", '""', "-", '-""', "???", '"?" -"!"', "\0"])
def test_signs_alone_are_no_words(text: str) -> None:
    query = parse_query(text)
    assert (query.words, query.phrases, query.excluded, query.excluded_phrases) == ((), (), (), ())


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("what is the boiler pressure", ["boiler", "pressure"]),
        ("what is the boiler", ["boiler"]),
        ("Wie hoch ist der Druck in dem Kessel", ["hoch", "druck", "kessel"]),
        ("quelle est la pression de la chaudière", ["pression", "chaudiere"]),
        ("IT support for all of us", ["it", "support"]),
        ("which songs did The Who write", ["songs", "the", "who", "write"]),
        ("what does vitamin A do", ["vitamin", "a"]),
        ("what do I do", ["what", "do", "i"]),
        ("pump AND valve OR NOT hose", ["pump", "valve", "hose"]),
        ("The Who", ["the", "who"]),
        ("the who", ["the", "who"]),
        ("vitamin a", ["vitamin", "a"]),
        ("to be or not to be", ["to", "be", "or", "not"]),
        ("WHAT IS THE BOILER PRESSURE", ["boiler", "pressure"]),
        ("a", ["a"]),
    ],
)
def test_common_function_words_weigh_nothing_beside_others(text: str, counted: list[str]) -> None:
    query = parse_query(text)
    assert [word.text for word in query.words if not word.functional] == counted
    common = WordCounts(100, 1000, dict.fromkeys((term for word in query.words for term in word.terms), 1))
    counted_terms = {term for word in query.words if not word.functional for term in word.terms}
    assert set(weigh(query, common).weights) == counted_terms


def test_a_function_word_of_another_language_is_a_word_where_it_is_rare() -> None:
    query = parse_query("red hat linux")
    assert [word.text for word in query.words if word.functional] == ["hat"]
    assert set(weigh(query, WordCounts(10_000, 90_000, dict.fromkeys(query.terms, 1))).weights) == set(query.terms)


@pytest.mark.parametrize(
    ("phrase", "text", "holds"),
    [
        ("red pump", "The Red\n  PUMP, at last", True),
        ("red pump", "red pumps", False),
        ("red pump", "red and pump", False),
        ("red pump", "pump red", False),
        ("ed pump", "red pump", False),
        ("cafe au lait", "Café au lait", True),
        ("the file", "the \ufb01le", True),
        ("-40", "at -40 degrees", True),
        ("-40", "at 40 degrees", False),
        ("3.11", "Python 3.11", True),
        ("3.11", "3, 11", False),
        ("parse_retry_after", "parse retry after", False),
        ("co-operate", "they co operate", True),
        ("天気は晴れ", "東京都の天気は晴れです", True),
        ("天気が晴れ", "東京都の天気は晴れです", False),
        ("", "anything", False),
    ],
)
def test_a_phrase_is_held_word_for_word(phrase: str, text: str, *, holds: bool) -> None:
    assert Phrase(phrase).held_by("", text) is holds
    if holds:
        held = set(count_terms(text=text).terms.tolist())
        assert all(terms & held for terms in Phrase(phrase).required)


def test_a_phrase_stays_within_one_field() -> None:
    assert not Phrase("red pump").held_by("red", "pump")


def test_words_behind_the_bound_are_named() -> None:
    query = parse_query(" ".join(f"word{number:b}" for number in range(MOST_WORDS + 7)).translate(LETTERS))
    assert len(query.words) == MOST_WORDS
    assert query.notes == (f"the query has {MOST_WORDS + 7:,} different words; the last 7 are not looked for",)
    assert parse_query("word " * MOST_WORDS * 2).notes == ()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (" ".join(f"head{n:b} tail{n:b}-end{n:b}" for n in range(300)).translate(LETTERS), 300 * 4),
        ("".join(chr(0x4E00 + n) for n in range(MOST_WORDS + 8)), MOST_WORDS + 7),
    ],
    ids=["words with hyphens", "signs without spaces"],
)
def test_what_a_note_counts_is_what_is_looked_for(text: str, count: int) -> None:
    query = parse_query(text)
    assert len(query.words) == MOST_WORDS
    left = f"the last {count - MOST_WORDS:,} are not looked for"
    assert query.notes == (f"the query has {count:,} different words, parts of words with them; {left}",)


def test_a_word_is_as_rare_as_all_of_its_forms() -> None:
    query = parse_query("connections")
    first, second = query.words[0].terms[:2]
    apart = weigh(query, WordCounts(100, 1000, {first: 3, second: 4})).weights
    alone = weigh(query, WordCounts(100, 1000, {second: 7})).weights
    assert set(apart.values()) == set(alone.values())


def test_a_short_query_is_about_the_identifier_that_it_names() -> None:
    queries = (
        "ERR-2041",
        "-25 volts",
        "pump",
        "well-known pump",
        "why does the pump of hall 2 show ERR-2041 and stop?",
    )
    parsed = [parse_query(query) for query in queries]
    held = [WordCounts(100, 1000, dict.fromkeys(query.terms, 1)) for query in parsed]
    assert [names_identifier(*pair) for pair in zip(parsed, held, strict=True)] == [True, True, False, False, False]
    assert not any(names_identifier(query, WordCounts(100, 1000, {})) for query in parsed)


def test_parts_stand_for_an_identifier_that_no_row_holds() -> None:
    assert rank("retry_policy", {"both": "a retry policy", "one": "a policy", "none": "nothing"}) == ["both", "one"]


def test_what_is_excluded_is_excluded_in_every_form() -> None:
    [word] = parse_query("jaguar -cars").excluded
    for text in ("Cars are sold here.", "The car is red and it is not for sale."):
        assert set(word.terms) & set(count_terms(text=text).terms.tolist())
    assert not set(word.terms) & set(count_terms(text="The cart is red and it is not for sale.").terms.tolist())


def test_marks_of_books_within_a_sentence_are_text() -> None:
    query = parse_query("How do I tell “incomplete input” from “invalid input”?")
    assert query.phrases == ()
    assert {word.text for word in query.words if word.weight} >= {"incomplete", "invalid", "input"}
    assert len(parse_query("“incomplete input” “invalid input”").phrases) == 2
    assert len(parse_query('How do I tell "incomplete input" from it?').phrases) == 1


def test_a_query_is_held_to_so_many_different_phrases_and_says_how_many_are_left() -> None:
    phrases = [f'"valve {number}"' for number in range(MOST_PHRASES + 3)]
    query = parse_query(" ".join(phrases + [f"-{phrase}" for phrase in phrases] * 2))
    assert (len(query.phrases), len(query.excluded_phrases)) == (MOST_PHRASES, MOST_PHRASES)
    assert [note for note in query.notes if "phrases" in note] == [
        f"the last 3 of {MOST_PHRASES + 3} different phrases are not held to",
        f"the last 3 of {MOST_PHRASES + 3} different phrases are not excluded",
    ]
    repeated = parse_query('"safety valve" -"old pump" ' * 2 * MOST_PHRASES)
    assert (len(repeated.phrases), len(repeated.excluded_phrases), repeated.notes) == (1, 1, ())


def test_of_a_query_without_end_the_words_are_counted_about() -> None:
    (note,) = parse_query(" ".join(f"word{n:b}" for n in range(MOST_COUNTED + 10)).translate(LETTERS)).notes
    assert note == "the query has about 5,010 different words; the last 4,010 are not looked for"


@pytest.mark.parametrize("sign", ["-", "'"])
def test_an_identifier_without_end_is_looked_for_as_it_is_written_alone(sign: str) -> None:
    for text in (f"a{sign}" * 2_000, "9".join(["ab", *[sign] * 2_000])):
        assert all(len(some.parts) <= MOST_SPELLED for some in parse_query(text).spelled)
    assert parse_query("rfc-2616").spelled
