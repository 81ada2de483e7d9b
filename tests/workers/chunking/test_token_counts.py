"""The token counter that sizes chunks."""

import hashlib
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared import tokenizer
from embedmill.shared.ranked_tokens import read_tokens
from embedmill.shared.tokenizer import CountedText, count_many, count_tokens

DOCUMENTS = Path(__file__).parents[3] / "docs"
# Whatever the encoding's rules speak of: contractions, white space, digits in threes, marks, other scripts.
RULED = st.text(
    alphabet=" \n\r\t'sSlLvVeErRdDtTmM0123456789ab.,()_-é\u0301\u00a0\u2028²Ⅷ漢\u017f\u212aİ😀\ud800",
    min_size=1,
    max_size=80,
)


def test_known_counts() -> None:
    assert count_many(["", "hello world", "漢字"]) == [0, 2, 3]


def test_special_tokens_count_as_text() -> None:
    assert count_tokens("<|endoftext|>") > 1
    assert count_tokens("<|fim_prefix|><|im_start|>") > 2


def test_a_lone_surrogate_counts_like_a_question_mark() -> None:
    assert count_tokens("what\ud800 now") == count_tokens("what? now")


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=[]))))
def test_nothing_raises_and_no_character_has_more_than_four_tokens(texts: list[str]) -> None:
    counts = count_many(texts)
    assert all(count <= 4 * len(text) for count, text in zip(counts, texts, strict=True))


@given(RULED, RULED, st.data())
def test_a_part_of_a_counted_text_has_the_tokens_that_it_has_alone(text: str, other: str, data: st.DataObject) -> None:
    whole = text * 5 + other * 5 + "some words, enough of them to be encoded once and not again for each part" * 4
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    met_first, met_again = CountedText(whole), CountedText(whole)
    assert met_first.count(start, end) == met_again.count(start, end) == count_tokens(whole[start:end])


def test_a_nul_is_counted_as_what_it_is() -> None:
    text = "x" * 50 + " \0abc de"
    assert CountedText(text).count(51, len(text)) == count_tokens(text[51:])


def test_parts_of_real_documents_have_the_tokens_that_they_have_alone() -> None:
    for path in sorted(DOCUMENTS.glob("*.md")):
        text = path.read_text("utf-8")[:20000]
        counted = CountedText(text)
        parts = [(start, start + 613) for start in range(0, len(text) - 613, 401)]
        assert [counted.count(*part) for part in parts] == count_many([text[slice(*part)] for part in parts])


def test_the_vocabulary_is_the_one_that_the_library_would_load() -> None:
    from tiktoken_ext import openai_public

    source = Path(openai_public.__file__).read_text()
    lines = (b"%b %d\n" % (b64encode(token), rank) for rank, token in enumerate(read_tokens()))
    found = hashlib.sha256(b"".join(lines)).hexdigest()
    assert found in source.split("def cl100k_base")[1].split("def ")[0]


def test_the_pattern_is_the_one_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    from tiktoken_ext import openai_public

    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: {})
    assert openai_public.cl100k_base()["pat_str"] == tokenizer._PATTERN


def test_importing_it_loads_no_ranks() -> None:
    script = "import sys, embedmill.shared.tokenizer; sys.exit('tiktoken' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
