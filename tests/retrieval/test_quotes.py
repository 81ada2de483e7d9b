"""The check of quotes: blind to form, strict in meaning, with offsets of the text as it is stored."""

import json
import os
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.retrieval.quotes import QuoteKind, check_quote, find_quote

BESIDE_THE_CHECKOUT = Path(__file__).parents[3] / "shared" / "data"
DATA = Path(os.environ.get("EMBEDMILL_TEST_DATA", BESIDE_THE_CHECKOUT)) / "faithfulness" / "triples.jsonl"

TEXT = "The pump is not safe above 1.5 bar. It weighs \u221240 kg, “they say”, and draws 5 mW in stand-by."


@pytest.mark.parametrize(
    ("quote", "text", "held"),
    [
        ("PUMP IS NOT SAFE", "The pump is not safe.", "pump is not safe"),
        ("the pump\n  is\tnot\u00a0safe", "The pump is not safe.", "The pump is not safe"),
        ("well\u2011known effects", "the well-known effects", "well-known effects"),
        ("a word - then another", "a word—then another", "a word—then another"),
        ("„they said so“ at noon", "He: «they said so» at noon", "they said so» at noon"),
        ("« ils disent cela » à midi", "« ils disent cela » à midi", "« ils disent cela » à midi"),
        ("'they said so' at noon", "He: “they said so” at noon", "they said so” at noon"),
        ("»sie sagten es« am Mittag", "Er: „sie sagten es“ am Mittag", "sie sagten es“ am Mittag"),
        ("Er: \u203asie sagten es\u2039 am Mittag", "Er: »sie sagten es« am Mittag", "Er: »sie sagten es« am Mittag"),
        ("\u2039 ils disent cela \u203a à midi", "“ils disent cela” à midi", "ils disent cela” à midi"),
        ("数据库必须每天备份", "数据库\n必须每天 备份。", "数据库\n必须每天 备份"),
        ("it isn't a configuration", "It isn’t a conﬁguration.", "It isn’t a conﬁguration"),
        ("an œuvre complète", "an oeuvre compl\u0065\u0300te", "an oeuvre compl\u0065\u0300te"),
        ("a soft hyphen here", "a soft hy\u00adphen here", "a soft hy\u00adphen here"),
        ("bold words and code_name here", "**bold** words and `code_name` here", "bold** words and `code_name` here"),
        (
            "the manual says it",
            "[the manual](https://example.org/x) says it",
            "the manual](https://example.org/x) says it",
        ),
        ("Open the lid. Then pour.", "1. Open the lid.\n2. Then pour.", "Open the lid.\n2. Then pour"),
        ("Open the lid. Then pour.", "- Open the lid.\n- Then pour.", "Open the lid.\n- Then pour"),
        ("a reconfiguration of it", "a reconfig-\nuration of it", "a reconfig-\nuration of it"),
        ("first part of it ... the last part", "first part of it, the middle, the last part", None),
        (
            "first part [...] last part",
            "the first part of all, and the last part",
            "first part of all, and the last part",
        ),
        ("is this the question?", "Is this the question!", "Is this the question"),
        ("\uff46\uff55\uff4c\uff4c\u3000width words", "full width words", "full width words"),
        ("東京都の人口は多い", "現在、東京都の人口は多いです。", "東京都の人口は多い"),
        (">>> len(text) and so on", "Try\n>>> len(text) and so on", ">>> len(text) and so on"),
        ("l\u02bcappareil n`est pas là", "L’appareil n’est pas là.", "L’appareil n’est pas là"),
        ("ﾃﾞｰﾀは毎日ﾊﾞｯｸｱｯﾌﾟ", "データは毎日バックアップする", "データは毎日バックアップ"),
        ("서울은 큰 도시이다", normalize("NFD", "서울은 큰 도시이다."), None),
        ("about 20% less, at 37°C", "about 20 % less, at 37\u00a0°C", None),
        ("it draws 5 mW at 12 V", "it draws 5mW at 12V", None),
        ("it cost €20 or $ 30", "it cost € 20 or $30", None),
        ("flow rate 12 l/min", "| a | b |\n|---|---|\n| flow rate | 12 l/min |", "flow rate | 12 l/min"),
        ("a b flow rate 12", "| a | b |\n|---|:-:|\n| flow rate | 12 l/min |", None),
        ("flow rate | 12 l/min", "| a | b |\n|---|---|\n| flow rate | 12 l/min |", None),
        ("the effect was small, and", "the **effect**[^1] was <i>small</i>, and", None),
        ("Patients & staff said <so>", "Patients &amp; staff said &lt;so&gt;", None),
        ("one line and the next", "one line<br/>and the next", None),
        ("set it to None: client.get(url)", "set it to `None`:\n\n```python\nclient.get(url)\n```", None),
        ("Open it. Rinse it.", "3. Open it.\n   a) Rinse it.", None),
    ],
)
def test_form_is_folded(quote: str, text: str, held: str | None) -> None:
    span = find_quote(quote, text)
    assert span is not None
    assert held is None or text[slice(*span)] == held


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("the pump is safe above 1.5 bar", TEXT),
        ("not safe above 15 bar", TEXT),
        ("not safe above 2.5 bar", TEXT),
        ("5 bar. It weighs", TEXT),
        ("It weighs 40 kg, they", TEXT),
        ("40 kg, “they say”", TEXT),
        ("and draws 5 MW in stand-by", TEXT),
        ("The pump is ... safe above 1.5 bar", TEXT),
        ("safe above the pump 1.5 bar", TEXT),
        ("above 1.5 bar ... The pump is not", TEXT),
        ("a value of 105 meters", "a value of 10⁵ meters"),
        ("a value of 10⁵ meters", "a value of 105 meters"),
        ("\u03b1 is greater than it", "alpha is greater than it"),
        ("in [1.3-1.7] of all cases", "in 1.3-1.7 of all cases"),
        ("the year 2031 was warm", "the year 2013 was warm"),
        ("it was schon lange da", "it was schön lange da"),
        ("Read chapter 14. The next", "Read chapter\n13. The next"),
        ("14. The next chapter begins", "13. The next chapter begins"),
        ("use of the pump", "reuse of the pump"),
        ("use of the pump", "use of the pumps"),
        ("the dose is 5 mg a day", "The dose is 5 Mg a day."),
        ("rows of 1 200 and more", "| rows of 1 | 200 and more |"),
        ("a value of 105 meters", "a value of 10<sup>5</sup> meters"),
        ("where x y holds", "where x <b and c> y holds"),
        ("P(a b) is high", "P(a|b) is high"),
        ("opens in the 1980", "it opens in the 1980s"),
        ("see section 4", "see section 4A of it"),
        ("bar and no more", "at 1.5bar and no more"),
        ("opens at 1.5 bar", "opens at 15bar"),
        ("about 20 less than", "about 20 % less than"),
    ],
)
def test_meaning_is_not(quote: str, text: str) -> None:
    assert find_quote(quote, text) is None


@pytest.mark.parametrize(
    ("quote", "kind"),
    [
        ("", QuoteKind.EMPTY),
        (" … ", QuoteKind.EMPTY),
        ("the", QuoteKind.TOO_SHORT),
        ("a ... e", QuoteKind.TOO_SHORT),
        ("is not safe above", QuoteKind.VERIFIED),
        ("The pump is not safe in stand-by", QuoteKind.STITCHED),
        ("the other document says this", QuoteKind.OTHER_DOCUMENT),
        ("an example of the prompt", QuoteKind.PROMPT),
        ("nobody ever wrote these words", QuoteKind.FABRICATED),
    ],
)
def test_what_is_not_held_has_a_kind(quote: str, kind: QuoteKind) -> None:
    others = ["But the other document says this."]
    checked = check_quote(quote, TEXT, others=others, prompt="This is an example of the prompt.")
    assert checked.kind == kind
    assert (checked.start is not None) == (kind == QuoteKind.VERIFIED)


@given(st.text(max_size=200), st.integers(0, 200), st.integers(0, 200))
def test_whatever_is_found_lies_within_the_text(text: str, start: int, end: int) -> None:
    span = find_quote(text[start:end], text)
    assert span is None or 0 <= span[0] < span[1] <= len(text)


@given(
    st.lists(st.sampled_from(["wing", "flow", "1.5", "Mach", "“a”", "café", "東京", "x_y"]), min_size=6, max_size=30)
)
def test_a_run_of_whole_words_is_found_in_any_spacing(words: list[str]) -> None:
    text = f"before {' '.join(words)} after"
    span = find_quote("\n\t".join(words).upper(), text)
    assert span is not None
    assert text[slice(*span)].strip('"“”') == " ".join(words).strip('"“”')


def test_the_shared_set_is_judged_right() -> None:
    if not DATA.is_file():
        pytest.skip(f"no {DATA}; EMBEDMILL_TEST_DATA names the folder of test data")
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    wrong = [
        row["id"]
        for row in rows
        if (find_quote(row["quote"], row["document"]) is not None) != row["verdict"].startswith("supported")
    ]
    # One leaves out a "not", which is no quote here; one is held in the order that its maker thought reversed.
    assert len(wrong) <= 2, f"{len(wrong)} of {len(rows)}"
