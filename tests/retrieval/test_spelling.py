"""What the query writes as one, rows may write as two words: these come before rows that hold the words apart."""

from collections.abc import Sequence

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


SPELLINGS = (
    (("A320", "A 320", "A-320"), ("A", "320")),
    (("40C", "40 °C", "40°C", "40 C", "40℃"), ("40", "C")),
    (("USB-C", "USB C"), ("USB", "C")),
    (("3.5mm", "3.5 mm", "3.5-mm"), ("3.5", "mm")),
    (("COVID19", "COVID-19", "COVID 19"), ("COVID", "19")),
    (("24h", "24 h", "24-h"), ("24", "h")),
    (("10Ω", "10 Ω"), ("10", "Ω")),
    (("iPhone15", "iPhone 15", "iPhone-15"), ("iPhone", "15")),
    (("1920x1080", "1920 x 1080", "1920×1080"), ("1920", "1080")),
    (("C++17", "C++ 17"), ("C++", "17")),
    (("5pm", "5 pm", "5 p.m."), ("5", "pm")),
    (("DIN EN 12", "DIN-EN-12", "DIN EN12"), ("DIN", "12")),
)


@pytest.mark.parametrize(("spellings", "parts"), SPELLINGS, ids=lambda some: some[0])
def test_every_spelling_finds_every_other_before_texts_with_the_parts_apart(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher, spellings: Sequence[str], parts: Sequence[str]
) -> None:
    one, other = parts
    apart = (
        f"{one} was named first. Later came {other} others, and with {other} of them went Bob alone; {one} stayed.",
        f"Of {other} men, {one} was the last but Bob was not. Then {other} left.",
        f"What is {one}? What is {other}? Nobody knew {one} or {other} then.",
        *(f"Nothing of the kind, said reader number {n} of this page." for n in range(20, 40)),
    )
    for n, text in enumerate(apart):
        write(store, tracker, make_row(f"apart{n}", text=text, title="Page", vector=angle(n)))
    missed = []
    for written in spellings:
        text = f"It says {written} here, as any of the readers would have known before they came to read it."
        write(store, tracker, make_row("spelled", text=text, title="Page", vector=angle(90)), shard="s1")
        for query in (shape.format(asked) for asked in spellings for shape in ("{}", "which clients know {}")):
            found = documents(searcher.search(query, mode="lexical").hits)
            missed += [(written, query, found[:2])] if found[:1] != ["spelled"] else []
    assert missed == []


WITH_SIGNS = (
    ("O(n^2)", "It takes O(n\u00b2) time.", "o, n and 2, n of 2, o n 2"),
    ("O(m\u00b3)", "It takes O(m^3) steps.", "of o m 3, m 3 o"),
    ("what is O(n log n)?", "Sorting is O(n log n) there.", "o, n log, log n o"),
    ("List<String>", "It gives a List<String> back.", "string of a list, list, string"),
    ("Map<String, Integer>", "A Map<String,Integer> holds it.", "map integer string map"),
    ("\\d+", "The pattern \\d+ matches.", "d, d, d and d"),
    ("ptr->next", "Here ptr->next is read.", "next ptr, ptr next ptr"),
    ("if x != y", "When x!=y it ends.", "if x and y, x = y, y x if"),
    ("x == 9", "If x == 9 it ends.", "x and 9, x != 9, 9 x"),
    ("a \u2265 17", "It holds for a >= 17 alone.", "a of 17, 17 a"),
    ("frob()", "It ends when frob(2, 3) is called.", "frob and frob"),
    ("what does frob.nicate() do", "Then frob.nicate() does it.", "what frob and nicate do, nicate frob"),
    ("${HOME}", "Set ${HOME} before.", "home, home and home"),
    ("--force", "Use --force there.", "force and force"),
    ("-v", "Use -v there.", "v and v, v"),
    ("\u00b15", "It is \u00b15 there.", "5 and 5"),
    ("10^-3", "It is 10\u207b\u00b3 there.", "10 and -3, -3 of 10"),
    ("arr[3]", "See arr[3] there.", "arr 3, 3 arr"),
    ("me@host:~/path", "Copy to me@host:~/path there.", "me@host and path, path of me@host"),
    ("C:\\Windows", "In C:\\Windows there.", "c windows, windows c"),
    ("Ca2+", "Of Ca2+ in the cell.", "ca 2, ca2, ca2"),
    ("<div>", "A <div> there.", "div div"),
    ("!important", "Say !important there.", "important important"),
    (":hover", "Of li:hover there.", "hover hover"),
    ("1..10", "From 1..10 there.", "1 10, 10 1"),
    ("{{ name }}", "Put {{name}} there.", "name name"),
    ("R & B", "They play R&B there.", "r and b, b r"),
    ("p < 0.05", "With p<0.05 it is so.", "p is 0.05, 0.05 of p"),
    ("COUNT(*)", "Try SELECT COUNT(*) there.", "select count, count select"),
    ("+49 30 123456", "Call +49 30 123456 at night.", "49 of 30, 123456 of 49"),
    ("chapter XIV", "In Chapter XIV of it.", "chapter of XIV, chapter XIII, XIV"),
    ("Art. 6 (1) (k)", "Under Art. 6(1)(k) it is so.", "art of 6, 1, k; k 1 6"),
    ("1 3/4 cups", "Add 1 3/4 cups of it.", "1 cup, 1, 3, 4 cups"),
    ("B-MW 1234", "The car B-MW 1234 was seen.", "b of 1234 mw, b"),
    ("10:45 am", "It leaves at 10:45 AM sharp.", "10 of 45, am, 45 am"),
    ("vitamin K", "Take vitamin K daily.", "vitamin and K, K of vitamin"),
    ("key=value", "Give key=value there.", "key value, value key"),
)


def test_what_is_written_with_signs_or_numbers_comes_before_its_words_apart(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    before = "The readers of this page came to learn what was said of all by the others before them. " * 4
    for n, (_, written, loose) in enumerate(WITH_SIGNS):
        texts = {"written": before + written, "loose": loose, "often": f"{loose} " * 12}
        rows = [make_row(f"{name}{n}", text=text, title="", vector=angle(n)) for name, text in texts.items()]
        write(store, tracker, *rows, shard=f"s{n % 2}")
    found = {query: searcher.search(query, mode="lexical") for query, _, _ in WITH_SIGNS}
    first = [documents(result.hits)[:1] for result in found.values()]
    missed = [query for n, query in enumerate(found) if first[n] != [f"written{n}"]]
    assert (missed, [query for query, result in found.items() if result.relevance != "good"]) == ([], [])


@pytest.mark.parametrize(
    ("query", "spelled"),
    [
        ("RFC-2616", "RFC 2616"),
        ("v2.0.0-rc.1", "v2 0 0 rc 1"),
        ("00:1A:2B:3C:4D:5E", "00 1A 2B 3C 4D 5E"),
    ],
)
def test_as_it_is_written_it_comes_first_and_then_as_it_is_spelled(
    filled: Searcher, store: EmbeddedVectorStore, tracker: Tracker, query: str, spelled: str
) -> None:
    repeated = f"See {spelled}, {spelled}, {spelled}."
    write(store, tracker, make_row("spelled", text=repeated, vector=angle(1)), shard="s0")
    write(
        store,
        tracker,
        make_row("written", text=f"Of all that was said here, see {query}.", vector=angle(9)),
        shard="s1",
    )
    found = filled.search(query, mode="lexical")
    assert documents(found.hits)[:2] == ["written", "spelled"]


@pytest.mark.parametrize("query", ["w17", "w17 q2616"])
def test_parts_of_what_no_row_holds_in_any_spelling_are_found_in_none(
    filled: Searcher, store: EmbeddedVectorStore, tracker: Tracker, query: str
) -> None:
    write(store, tracker, make_row("parts", text="Of 17 a w, of a b 2616.", title="Page", vector=angle(9)))
    assert filled.search(query, mode="lexical").hits == []


@pytest.mark.parametrize(
    "query",
    [
        "red apples",
        "red co-operate apples",
        "2024-03-17",
        "10-24",
        "parse_retry_after",
        "3f9a2b7c",
        'red (and green) apples, [1] say "some" - or: none!',
    ],
)
def test_what_has_no_other_spelling_costs_no_reading(filled: Searcher, query: str) -> None:
    (step,) = (step for step in filled.search(query, mode="lexical").steps if step.name == look.SPELLING)
    assert (step.ran, step.why) == (False, look.NOT_SPELLED_OTHERWISE)
