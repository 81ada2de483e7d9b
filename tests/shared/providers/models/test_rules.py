"""The rules validator: it rejects what is no language, and keeps every language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.providers.models.rules import judge


@pytest.mark.parametrize(
    "text",
    [
        "A plain sentence of English words, long enough to be judged by its characters.",
        "Ein Satz mit Umlauten: Äpfel, Öl und Übermut, und noch ein paar Wörter dazu.",
        "これは日本語の文章です。空白はありませんが、十分に長いので判断されます。そうでしょう。",
        "यह हिन्दी का एक वाक्य है जिसमें बहुत सारी मात्राएँ हैं और जो काफ़ी लम्बा है।",
        "هذه جملة عربية طويلة بما يكفي ليحكم عليها من حروفها وليس من طولها فقط.",
        "| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |\n| 4 | 5 | 6 |",
        "for (i = 0; i < n; i++) { a[i] = b[i] + c[i] * (d[i] - e[i]); }",
        "The glyph (cid:12) stands for a letter; /G21 and /G22 name two more in the font's own table.",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 of the file that is empty",
        "GATTACA" * 30,
        "/usr/lib/python3/dist-packages/A1/B2 and /etc/X11/xorg.conf.d/10-evdev.conf are two paths",
        "short",
        "42",
    ],
)
def test_language_code_and_tables_are_kept(text: str) -> None:
    assert judge(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no letter"),
        (" \n\t ", "no letter"),
        ("-----", "no letter"),
        ("* * *\n" * 50, "no letter"),
        ("." * 100 + "a", "fewer than 15"),
        ("\ufffd" * 60 + "word " * 20, "damaged"),
        ("(cid:12)(cid:7) (cid:44)(cid:9)(cid:3)(cid:12)(cid:51)", "numbers of glyphs"),
        ("/G21/G22/G03/G5a/G44 /G21/G22/G03 /G17/G22/G03/G21", "numbers of glyphs"),
        ("Attached: " + "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24sIGJ1dCBieSB0aGlz" * 3, "base64"),
        ("Größe und Übermaß über Äpfel ".encode().decode("latin-1") * 2 + "größer", "encoded twice"),
    ],
)
def test_what_holds_no_language_is_rejected_with_a_reason(text: str, reason: str) -> None:
    assert reason in str(judge(text))


@given(st.text())
def test_every_text_is_judged(text: str) -> None:
    assert judge(text) is None or str(judge(text))


@given(st.text(alphabet=st.characters(categories=["L", "Nd"]), min_size=1))
def test_letters_and_digits_alone_are_never_called_empty(text: str) -> None:
    assert "no letter" not in str(judge(text))
