"""The token counter that sizes chunks."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.tokenizer import count_many, count_tokens


def test_known_counts() -> None:
    assert count_many(["", "hello world", "漢字"]) == [0, 2, 3]


def test_special_tokens_count_as_text() -> None:
    assert count_tokens("<|endoftext|>") > 1
    assert count_tokens("<|fim_prefix|><|im_start|>") > 2


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=[]))))
def test_nothing_raises_and_no_character_has_more_than_four_tokens(texts: list[str]) -> None:
    counts = count_many(texts)
    assert all(count <= 4 * len(text) for count, text in zip(counts, texts, strict=True))


def test_importing_it_loads_no_ranks() -> None:
    script = "import sys, shared.tokenizer; sys.exit('quicktok' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
