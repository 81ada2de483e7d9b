"""Chunks that are counted together have the words of those that are counted apart, whatever is remembered."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedmill.shared.words import counting
from embedmill.shared.words.counting import WORTH_IT, count_each
from embedmill.shared.words.cutting import Words, count_few
from embedmill.shared.words.languages import languages, voters
from tests.shared.words.test_languages import SENTENCES

FIELDS = (
    "",
    "user's e-mail of No. 7 at 192 kHz",
    "/a/Überblick-2031.txt",
    "§ 5 der -24 °C می خواهم 👍",
    "日本語 tekst",
    "word " * 300,
)
VOTING = st.sampled_from(sorted(word for language in languages().values() for word in language.words))
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.lists(VOTING, max_size=12).map(" ".join),
    st.sampled_from(list(SENTENCES.values())),
)


def require_same(chunks: Sequence[Words]) -> None:
    for counted, alone in zip(count_each(chunks).each(), count_few(chunks), strict=True):
        assert counted.length == alone.length
        for found, expected in ((counted.terms, alone.terms), (counted.counts, alone.counts)):
            assert (found.dtype, found.tolist()) == (expected.dtype, expected.tolist())


def test_fields_of_every_kind_are_counted_alike() -> None:
    require_same([Words(*some) for some in product(FIELDS, repeat=4)])


@settings(max_examples=30)
@given(st.lists(st.builds(Words, TEXT, TEXT, TEXT, TEXT), min_size=WORTH_IT, max_size=WORTH_IT + 2))
def test_texts_of_any_language_are_counted_alike(chunks: list[Words]) -> None:
    require_same(chunks)


def test_words_are_forgotten_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST", 2 * len(voters()) + 50)
    met = counting.Met()
    monkeypatch.setattr(counting, "_met", lambda: met)
    for start in range(0, 2 * len(voters()), 400):
        words = [f"xyzzy x{number}.y the" for number in range(start, start + 400)]
        require_same([Words(text=" ".join(words[place::WORTH_IT])) for place in range(WORTH_IT)])
        assert len(met.written) <= counting.MOST
    assert "xyzzy" in met.written
    assert "x0.y" not in met.written
