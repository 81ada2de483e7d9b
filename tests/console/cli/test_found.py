"""What people see of a search: how near the hits are, what they stand for, and the part of a text that was meant."""

from dataclasses import replace

import pytest

from embedmill.console.cli.found import print_found
from embedmill.retrieval.hits import Copy, Hit, Part, SearchResult, Understood
from embedmill.retrieval.neighbours import Context, Neighbour
from embedmill.retrieval.relevance import Relevance

HIT = Hit(
    1,
    2.5,
    "d1",
    "file:///in/a.txt",
    "c0",
    "Safety",
    0,
    20,
    "The pump is blocked.",
    "Manual",
    3,
    {},
    0.914,
    pages=(3, 3),
)


def answer(*hits: Hit, query: str = "blocked pump", relevance: Relevance | None = Relevance.GOOD) -> SearchResult:
    asked = Understood(query, query, query.split())
    return SearchResult(list(hits), {}, asked, [], [], {}, degraded=False, notes=[], relevance=relevance)


def shown(result: SearchResult, capsys: pytest.CaptureFixture[str], offset: int = 0) -> list[str]:
    print_found(result, offset=offset)
    return capsys.readouterr().out.splitlines()


def test_a_hit_is_shown_with_how_near_it_is_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(answer(HIT), capsys) == [
        " 1. 2.500  ~0.91  file:///in/a.txt, page 3  [0:20]",
        "    Manual > Safety",
        "    The pump is blocked.",
    ]


def test_a_section_that_begins_with_the_title_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(answer(replace(HIT, section="Manual > Safety")), capsys)[1] == "    Manual > Safety"


@pytest.mark.parametrize(("relevance", "word"), [(Relevance.NONE, "no good match"), (Relevance.WEAK, "weak")])
def test_that_nothing_is_near_stands_above_the_hits(
    capsys: pytest.CaptureFixture[str], relevance: Relevance, word: str
) -> None:
    first, second = shown(answer(HIT, relevance=relevance), capsys)[:2]
    assert word in first
    assert second.startswith(" 1. ")


@pytest.mark.parametrize("relevance", [Relevance.GOOD, None])
def test_a_good_answer_has_no_such_line(capsys: pytest.CaptureFixture[str], relevance: Relevance | None) -> None:
    printed = "\n".join(shown(answer(HIT, relevance=relevance), capsys))
    assert "weak" not in printed
    assert "no good match" not in printed


def test_that_a_result_was_kept_is_said_below_its_hits(capsys: pytest.CaptureFixture[str]) -> None:
    assert "kept from before" in shown(replace(answer(HIT), cached=True), capsys)[-1]
    assert "kept" not in "".join(shown(answer(HIT), capsys))


def test_what_a_model_found_relevant_is_not_called_weak(capsys: pytest.CaptureFixture[str]) -> None:
    graded = replace(HIT, model_score=5)
    assert shown(answer(graded, relevance=Relevance.WEAK), capsys)[0].startswith(" 1. ")
    assert "weak" in shown(answer(replace(HIT, model_score=2), relevance=Relevance.WEAK), capsys)[0]


def test_it_is_said_by_what_an_answer_was_judged_where_that_is_less(capsys: pytest.CaptureFixture[str]) -> None:
    by_words = replace(answer(HIT, relevance=Relevance.NONE), judged_by="words")
    assert shown(by_words, capsys)[0].endswith("by words alone")


def test_a_hit_that_is_not_judged_has_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert "~" not in shown(answer(replace(HIT, similarity=None)), capsys)[0]


def test_copies_are_counted_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    copies = [Copy(f"d{n}", f"file:///in/copy{n}.txt", "c0") for n in range(24)]
    lines = shown(answer(replace(HIT, copies=copies, copy_count=24)), capsys)
    assert lines[-1] == "    and 24 others that say nearly the same (--json names them)"
    assert "copy" not in "\n".join(lines)
    one = replace(HIT, copies=copies[:1], copy_count=1)
    assert shown(answer(one), capsys)[-1].startswith("    and another that says nearly the same")


def test_what_a_limit_left_out_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    hit = replace(HIT, more_of_document=[Part("c1", "", None, 20, 40)] * 7)
    assert shown(answer(hit), capsys)[-1] == "    and 7 more of this document (--json names them)"


def test_neighbours_stand_around_the_whole_text_and_sections_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    before = Neighbour("c9", "Safety", 3, 0, 10, "What comes before.")
    after = Neighbour("c11", "Repair", 4, 30, 40, "What comes\nbehind.")
    lines = shown(answer(replace(HIT, context=Context([before], [after]))), capsys)
    assert lines[2:] == [
        "    What comes before.",
        "    > The pump is blocked.",
        "    -- Repair",
        "    What comes behind.",
    ]


def test_of_a_long_text_the_part_with_the_words_is_shown_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    filler = "Nothing of interest to anybody is said in this sentence. " * 20
    lines = shown(answer(replace(HIT, text=f"{filler}When the pump is blocked, press reset. {filler}")), capsys)
    assert all(len(line) <= 80 for line in lines)
    part = " ".join(line.strip() for line in lines[2:])
    assert "When the pump is blocked, press reset." in part
    assert part.startswith("…")
    assert part.endswith("…")


def test_a_page_says_how_to_turn_it(capsys: pytest.CaptureFixture[str]) -> None:
    following = replace(answer(replace(HIT, rank=30)), next="cursor")
    assert shown(following, capsys)[-1] == "more: --offset 30"


def test_nothing_is_told_from_nothing_more(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = answer(relevance=Relevance.NONE)
    assert shown(nothing, capsys) == ["nothing found"]
    assert shown(nothing, capsys, offset=20) == ["no more hits"]
