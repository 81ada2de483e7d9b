import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.harmless import harmless, harmless_json

HARMFUL = ["\x1b[31m", "\x07", "\x9b2J", "\u202e", "\u2066", "\u2028", "\x7f", "\r", "\n", "\ud800", "\U000e0041"]


@pytest.mark.parametrize("text", HARMFUL)
def test_what_a_terminal_obeys_is_written_as_an_escape(text: str) -> None:
    shown = harmless(f"before {text} after")
    assert shown.startswith("before \\")
    assert not any(character in shown for character in text if not character.isalnum() and character != "[")


@pytest.mark.parametrize("text", ["plain", "naïve – “quoted”", "日本語", "שלום", "👩\u200d🔬", "a\u200cb", "né\u0301"])
def test_text_of_every_script_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text
    assert harmless_json(json.dumps(text, ensure_ascii=False)) == json.dumps(text, ensure_ascii=False)


@given(st.text())
def test_json_means_the_same_and_holds_no_control_character(text: str) -> None:
    shown = harmless_json(json.dumps({"text": text}, ensure_ascii=False))
    assert json.loads(shown) == {"text": text}
    assert shown == harmless(shown)
