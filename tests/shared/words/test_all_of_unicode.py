"""Whatever is written is cut, and is found by itself, in every form of it."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from embedmill.shared.words.cutting import count_terms
from embedmill.shared.words.folding import fold, normalise
from embedmill.shared.words.languages import guess
from embedmill.shared.words.phrases import Phrase, pieces_of
from embedmill.shared.words.queries import parse_query

ANYTHING = st.text(st.characters(exclude_categories=()))
SIGNS = st.text(st.sampled_from("aB1-_.,:/@#+'\"\\ \u201c\u201d«»()*^~%§\0é√東のก서हि\u0301\u00ad\u200d\ufeff"))
LETTERS = st.text(st.characters(categories=("Ll", "Lo", "Mn", "Mc", "Zs")))


def missing(query: str, text: str) -> list[str]:
    """The words of a query by which a text is not found."""
    held = set(count_terms(text=text).terms.tolist())
    return [word.text for word in parse_query(query).words if not held & {*word.terms, *word.part_of}]


@given(st.one_of(ANYTHING, SIGNS))
def test_every_text_is_found_by_itself(text: str) -> None:
    assert not missing(text, text)


@given(st.one_of(ANYTHING, SIGNS))
def test_composed_or_not_a_text_has_the_same_words(text: str) -> None:
    written = count_terms(text=unicodedata.normalize("NFC", text))
    other = count_terms(text=unicodedata.normalize("NFD", text))
    assert (written.terms.tolist(), written.counts.tolist(), written.length) == (
        other.terms.tolist(),
        other.counts.tolist(),
        other.length,
    )


@given(LETTERS)
def test_small_or_large_letters_find_each_other(text: str) -> None:
    assume(normalise(text.upper()) == normalise(text).upper())
    assert not missing(text.upper(), text)
    assert not missing(text, text.upper())


@given(LETTERS)
def test_a_text_is_found_by_who_leaves_its_marks_out(text: str) -> None:
    bare = "".join(fold(word) + " " for word in normalise(text).split(" "))
    assert not missing(bare, text)


@given(st.text(st.sampled_from("abcXYZ 019-_.")))
def test_full_width_signs_are_those_of_ascii(text: str) -> None:
    wide = "".join(chr(ord(sign) + 0xFEE0) if sign != " " else "\u3000" for sign in text)
    assert not missing(wide, text)
    assert not missing(text, wide)


@given(LETTERS, st.sampled_from(['("{}",', "[{}].", "<{}>", "{}?!", "*{}*:"]))
def test_what_stands_around_a_word_is_no_part_of_it(text: str, around: str) -> None:
    for word in text.split():
        assume(guess([word]) == guess([]))
        beside, alone = count_terms(text=around.format(word)), count_terms(text=word)
        assert beside.terms.tolist() == alone.terms.tolist()


@given(ANYTHING)
def test_a_folded_word_is_folded(text: str) -> None:
    folded = fold(normalise(text))
    assert fold(folded) == folded


@given(st.one_of(ANYTHING, SIGNS))
def test_a_text_holds_itself_as_a_phrase(text: str) -> None:
    phrase = Phrase(text)
    held = set(count_terms(text=text).terms.tolist())
    assert phrase.held_by(text) == bool(pieces_of(text))
    assert all(terms & held for terms in phrase.required)


@given(st.one_of(ANYTHING, SIGNS), st.integers(0, 9), st.integers(1, 9))
def test_a_text_that_is_told_by_its_letters_to_hold_no_phrase_holds_none(text: str, begin: int, length: int) -> None:
    phrase = Phrase(text[begin : begin + length])
    assert phrase.held_by(text) == phrase._is_in(pieces_of(text))


@given(st.one_of(ANYTHING, SIGNS))
def test_every_name_is_cut(text: str) -> None:
    count_terms(uri=text)
    count_terms(uri=f"file:///{text}#{text}")


@pytest.mark.parametrize("text", ["", " ", "\0", "???", "---", "__", "\u00ad", "\u0301", "\U000e0020"])
def test_what_has_no_word_has_no_term(text: str) -> None:
    counted = count_terms(title=text, section=text, text=text, uri=text)
    assert (counted.terms.tolist(), counted.length) == ([], 0)
