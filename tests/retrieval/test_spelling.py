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


IN_OTHER_FORMS = (
    ("2024-03-03", "The lease of 3 March 2024 is void.", "In 2024 all 03 of 03, 2024 and March 03"),
    ("3/4/2023", "Signed on 2023-04-03 by both.", "3 of 4 in 2023, 2023 of 3 and 4"),
    ("5. Mai 2021", "It was signed May 5th, 2021 by all.", "Mai and 5 and 2021, Mai of 5 in 2021 and"),
    ("14 July 2020", "Le contrat du 14 juillet 2020 est nul.", "July 14 and 2020, 14 in July"),
    ("31 December 2019", "The invoice of 12/31/2019 is paid.", "31 in December, 2019 of December"),
    ("6.7.2018", "Unterzeichnet am 06.07.18 in Wien.", "6 und 7, 2018 und 6, 7 und 2018"),
    ("20 Oct 2016", "会议于2016年10月20日召开。", "20 and oct, 2016 of oct in 20 and"),
    ("February 2015", "The sheet of 2015-02 is lost.", "February and 2015, 2015 and February"),
    ("DE89370400440532013000", "Pay to DE89 3704 0044 0532 0130 00 soon.", "DE89 and 3704, 0532 and 0130, 3704"),
    ("+493012345678", "Call +49 30 1234 5678 from nine.", "49 of 30, 1234 of 5678, 30 of 1234"),
    ("030 87654321", "Ring +49 (0)30 8765 4321 later.", "030 of 8765, 87654321 of 4321"),
    ("01719876543", "Ring 0171/9876543 after lunch.", "0171 of 987, 6543 of 0171"),
    ("9780306406157", "ISBN 978-0-306-40615-7 is in print.", "978 of 306, 40615 of 7, 306 of 978"),
    ("978-3-16-148410-0", "ISBN 9783161484100 is out of print.", "978 of 3, 16 of 148410, 0 of 3"),
    ("4111111111111111", "The card 4111 1111 1111 1111 is refused.", "4111 of 1111, 1111 of 4111, 1111"),
    ("7654321", "Sie hat 7.654.321 Einwohner.", "7 of 654, 321 of 7, 654 of 321"),
    ("8 765 432", "They counted 8765432 ants.", "8 of 765, 432 of 8, 765 of 432"),
    ("3456789", "Der Umsatz war 3'456'789 Franken.", "3 of 456, 789 of 3"),
    ("6299", "It costs €6,299.00 in total.", "6 of 299, 299 of 6"),
    ("0a1b44113ab7", "The router is 0A:1B:44:11:3A:B7 there.", "0a of 1b, 44 of 3a, b7 of 11"),
    ("section 19", "See Section XIX: of the whale.", "section of 19, 19 of a section, 19 sections"),
    ("Louis XVI", "King Louis 16 built it.", "Louis and XVI, XVI of Louis, Louis"),
    ("第23条", "第二十三条 违约责任", "条 23 第, 条 23"),
    ("第十二章", "第12章 契約の解除", "章十二 第"),
)


def test_dates_and_numbers_are_found_in_other_forms_before_their_parts(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    before = "The readers of this page came to learn what was said of all by the others before them. " * 4
    for n, (_, other, loose) in enumerate(IN_OTHER_FORMS):
        texts = {"other": before + other, "loose": loose, "often": ", ".join([loose] * 12)}
        rows = [make_row(f"{name}{n}", text=text, title="", vector=angle(n)) for name, text in texts.items()]
        write(store, tracker, *rows, shard=f"s{n % 2}")
    found = {query: searcher.search(query, mode="lexical") for query, _, _ in IN_OTHER_FORMS}
    first = [documents(result.hits)[:1] for result in found.values()]
    missed = [(query, first[n]) for n, query in enumerate(found) if first[n] != [f"other{n}"]]
    assert (missed, [query for query, result in found.items() if result.relevance != "good"]) == ([], [])


@pytest.mark.parametrize(
    ("query", "other"), [("2022-05-04", "4 May 2022"), ("2022-05-04", "04.05.2022"), ("1234567", "1,234,567")]
)
def test_a_date_or_a_number_as_it_is_written_comes_before_its_other_forms(
    filled: Searcher, store: EmbeddedVectorStore, tracker: Tracker, query: str, other: str
) -> None:
    write(store, tracker, make_row("other", text=f"See {other}: {other}, {other}.", vector=angle(1)), shard="s0")
    text = f"Of all that was said here to the readers, see {query} and no more of it."
    write(store, tracker, make_row("written", text=text, vector=angle(9)), shard="s1")
    assert documents(filled.search(query, mode="lexical").hits)[:2] == ["written", "other"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("1.2.18", "The file of 1 February 2018 is lost."),
        ("vitamin C", "The vitamin 100 is none."),
        ("192.168.10.42", "Of 1921681042 ants."),
        ("2024-03-03", "The lease of 3 March 2025, or of 13 March 2024, or of 30.3.2024."),
        ("030 12345678", "Call +49 30 12345679, or 130 12345678."),
    ],
)
def test_what_is_another_date_or_number_is_no_other_form(
    filled: Searcher, store: EmbeddedVectorStore, tracker: Tracker, query: str, text: str
) -> None:
    write(store, tracker, make_row("another", text=text, title="Page", vector=angle(9)))
    steps = {step.name: step for step in filled.search(query, mode="lexical").steps}
    assert not steps[look.SPELLING].out


@pytest.mark.parametrize("sign", ["1 ", "2024-", "0/", "de ", "march ", "1.", "a1:", "第1", "1 of ", "XIX "])
def test_a_long_query_of_what_may_have_other_forms_is_read_at_once(filled: Searcher, sign: str) -> None:
    assert filled.search(sign * 50_000, mode="lexical").hits is not None


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
        "3.17",
        "10-24",
        "parse_retry_after",
        "3f9a2b7c",
        'red (and green) apples, [1] say "some" - or: none!',
    ],
)
def test_what_has_no_other_spelling_costs_no_reading(filled: Searcher, query: str) -> None:
    (step,) = (step for step in filled.search(query, mode="lexical").steps if step.name == look.SPELLING)
    assert (step.ran, step.why) == (False, look.NOT_SPELLED_OTHERWISE)
