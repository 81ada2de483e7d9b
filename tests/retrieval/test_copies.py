"""What is folded into one hit: the same text, and nearly the same, unless it differs in what the query names."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from embedmill.retrieval import copies as copies_module
from embedmill.retrieval.copies import Copies, alike, words_of
from embedmill.shared.providers.vectorstores.exact import counts_of
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.words.queries import parse_query
from tests.contracts.rows import make_row

NOTICE = "The annual boiler inspection is due on the first of May. The caretaker keeps the key to the boiler room."
LONG = " ".join(f"word{n}" for n in range(300))


def rows(*texts: str) -> list[VectorRow]:
    return [make_row(f"d{n:03}", text=text) for n, text in enumerate(texts)]


def fold(query: str, *texts: str) -> list[tuple[str, int]]:
    """The texts that stand for others, and for how many, be their words known before or not."""
    words, found = parse_query(query).words, rows(*texts)
    terms = {row.id: frozenset(counts_of(row).terms.tolist()) for row in found}

    def find_terms(ids: Sequence[str], asked: Sequence[int]) -> dict[str, frozenset[int]]:
        return {id: terms[id] & set(asked) for id in ids}

    by_texts, by_terms = Copies(words), Copies(words)
    leading = by_texts.fold(found)
    assert by_terms.fold(found, find_terms) == leading
    assert [by_texts.of(row.id) for row in found] == [by_terms.of(row.id) for row in found]
    return [(row.text, len(by_texts.of(row.id))) for row in leading]


def record(number: int) -> str:
    return f"Spare part {number} is a seal of rubber for the inlet of the pump."


def test_the_best_of_identical_texts_stands_for_all_of_them() -> None:
    assert fold("boiler", NOTICE, "something else", *[NOTICE] * 24) == [(NOTICE, 24), ("something else", 0)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (NOTICE, NOTICE.upper().replace(" ", "\n")),
        (NOTICE, NOTICE.replace("first of May", "second of June")),
        (LONG, LONG.replace("word7 ", "another ").replace("word200", "and one more")),
        (record(1), record(2)),
        (NOTICE.replace("is due", "does not apply"), NOTICE.replace("is due", "doesn\u2019t apply")),
        (NOTICE.replace("of May", "at -18 degrees"), NOTICE.replace("of May", "at -19 degrees")),
        (
            "年度锅炉检查定于五月一日进行，钥匙由管理员保管，请提前预约。",
            "年度锅炉检查定于六月一日进行，钥匙由管理员保管，请提前预约。",
        ),
    ],
)
def test_texts_that_differ_little_are_copies(one: str, other: str) -> None:
    assert fold("boiler", one, other) == [(one, 1)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pump number 17", "pump number 18"),
        ("Document 7 is about the number 7.", "Document 8 is about the number 8."),
        (NOTICE, NOTICE + " " + NOTICE.upper().replace("THE", "no") + " and much more of it"),
        (LONG, " ".join(f"other{n}" for n in range(150)) + LONG[: len(LONG) // 2]),
        ("", "something"),
        (NOTICE.replace("is due", "does apply"), NOTICE.replace("is due", "does not apply")),
        (NOTICE.replace("keeps", "may keep"), NOTICE.replace("keeps", "must never keep")),
        (NOTICE.replace("of May", "at 18 degrees"), NOTICE.replace("of May", "at -18 degrees")),
        (NOTICE.replace("of May", "at \u22121.5 degrees"), NOTICE.replace("of May", "at +1.5 degrees")),
    ],
)
def test_texts_that_differ_in_more_than_that_are_none(one: str, other: str) -> None:
    assert fold("boiler", one, other) == [(one, 0), (other, 0)]


def test_of_records_that_differ_in_a_number_the_one_that_is_asked_for_stands_alone() -> None:
    texts = [record(n) for n in range(1000, 1100)]
    assert fold("seal for the pump", *texts) == [(record(1000), 99)]
    found = fold("seal 1042", record(1042), *(text for text in texts if text != record(1042)))
    assert found == [(record(1042), 0), (record(1000), 98)]


def test_a_name_that_is_asked_for_tells_records_apart() -> None:
    texts = [f"The key of room 12 was given to {name} by the caretaker on Monday." for name in ("Anna", "Bert", "Carl")]
    assert fold("who has the key", *texts) == [(texts[0], 2)]
    assert fold("the key of Bert", *texts) == [(texts[0], 1), (texts[1], 0)]


def test_a_file_that_is_asked_for_tells_copies_apart() -> None:
    one, two, three = (
        replace(row, uri=f"file:///in/{name}.txt") for name, row in zip("abc", rows(*[NOTICE] * 3), strict=True)
    )
    copies = Copies(parse_query("boiler inspection b.txt").words)
    assert copies.fold([one, two, three]) == [one, two]
    assert copies.of(one.id) == [three]


def test_a_word_of_the_query_that_both_hold_somewhere_does_not_tell_them_apart() -> None:
    one, two = rows(NOTICE, NOTICE)
    copies = Copies(parse_query("boiler inspection").words)
    titled = replace(two, title="Boiler inspection")
    assert copies.fold([one, titled]) == [one]


def test_what_comes_later_is_folded_into_what_came_before() -> None:
    copies = Copies(())
    first, second, third = rows(NOTICE, "something else", NOTICE)
    assert copies.fold([first]) == [first]
    assert copies.fold([second, third]) == [second]
    assert copies.of(first.id) == [third]


def test_how_rows_are_handed_over_changes_nothing() -> None:
    listed = rows(*(record(n % 5) if n % 3 else f"{NOTICE} {n}" for n in range(60)))
    whole, parts = Copies(parse_query("3").words), Copies(parse_query("3").words)
    leaders = whole.fold(listed)
    assert leaders == [row for start in range(0, 60, 7) for row in parts.fold(listed[start : start + 7])]
    assert [whole.of(row.id) for row in leaders] == [parts.of(row.id) for row in leaders]
    assert len(leaders) < 60


def test_what_is_told_of_the_first_does_not_depend_on_how_many_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies_module, "COUNTED", 2)
    copies = Copies(())
    first, second, third, late, fourth, with_fourth = rows(NOTICE, "one", "two", NOTICE, LONG, LONG)
    copies.fold([first, second, third])
    assert copies.fold([late, fourth, with_fourth]) == [fourth]
    assert copies.of(first.id) == []
    assert copies.of(fourth.id) == [with_fourth]


def test_no_rows_are_no_copies() -> None:
    assert Copies(()).fold([]) == []


def test_words_are_compared_without_case_and_edges() -> None:
    assert words_of("The (Key),  to\nROOM 12.").listed == ["the", "key", "to", "room", "12"]
    assert alike(words_of("a b c d e f g h i j"), words_of("b a c d e f g h i j"))
