"""The local embedder's tokens: put together from those of words, they are those of the whole text."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.providers.embeddings.local import TOKENIZER_FILE, WordTokens, load_tokenizer

TOKENIZER = load_tokenizer(TOKENIZER_FILE)
SIGNS = st.lists(st.sampled_from([*"ab X\n\t.é日🙂\u2581<>s/unk\u00b2,_19'-()", "  ", "<s>", "the ", "\u0301"])).map(
    "".join
)


def whole(text: str) -> list[int]:
    ids: list[int] = TOKENIZER.encode(text, add_special_tokens=False).ids
    return ids


@given(st.lists(SIGNS | st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_a_texts_tokens_are_those_of_its_words(texts: list[str]) -> None:
    assert [ids.tolist() for ids in WordTokens(TOKENIZER).encode(texts)] == [whole(text) for text in texts]


def test_words_that_are_not_remembered_any_more_are_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WordTokens, "KNOWN", 20)
    words = WordTokens(TOKENIZER)
    choose = random.Random(1)
    for _ in range(30):
        text = " ".join(choose.choices([f"word{n}, of {'x' * n}" for n in range(60)], k=7))
        assert words.encode([text])[0].tolist() == whole(text)
        assert len(words._known) < 20 + 40
