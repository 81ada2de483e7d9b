"""Which part of a text is shown: the one that holds the query's words."""

import pytest

from embedmill.retrieval.snippets import snippet
from embedmill.shared.words.queries import parse_query

FILLER = "This sentence says nothing of interest to anybody. " * 20


def shown(text: str, query: str, width: int = 240) -> str:
    start, end = snippet(text, parse_query(query).terms, width=width)
    assert end - start <= width
    return text[start:end]


def test_a_short_text_is_shown_whole() -> None:
    assert shown("The pump is blocked.", "pump") == "The pump is blocked."


def test_the_part_with_the_words_is_shown() -> None:
    part = shown(f"{FILLER}When the pump is blocked the display shows ERR-2041. {FILLER}", "blocked pump")
    assert "When the pump is blocked the display shows ERR-2041." in part


def test_different_words_count_more_than_the_same_word_again() -> None:
    text = f"pump pump pump pump. {FILLER}The pump is blocked. {FILLER}"
    assert "pump is blocked" in shown(text, "blocked pump")


def test_words_side_by_side_count_more_than_more_words() -> None:
    text = f"In stack 2 it was wet. {FILLER}It is wet, and often wet. Number 2 is no stack. {FILLER}"
    assert "In stack 2 it was wet." in shown(text, "wet stack 2")


def test_without_any_of_the_words_the_beginning_is_shown() -> None:
    assert shown(FILLER, "pump").startswith("This sentence says")


def test_words_are_not_cut_in_halves() -> None:
    text = f"{FILLER}When the pump is blocked the display shows ERR-2041. {FILLER}"
    assert set(shown(text, "blocked").split()) <= set(text.split())


@pytest.mark.parametrize("width", [1, 10, 60, 240])
def test_the_word_is_shown_however_little_room_there_is(width: int) -> None:
    part = shown(f"{FILLER}pump {FILLER}", "pump", width)
    assert part.strip()
    assert width < 10 or "pump" in part


def test_a_text_without_spaces_has_a_part_too() -> None:
    assert len(shown("x" * 5000, "pump")) == 240


def test_the_last_words_of_a_text_are_shown() -> None:
    assert shown(f"{FILLER}the pump", "pump").endswith("the pump")
