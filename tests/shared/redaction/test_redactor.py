"""Placeholders: the same value has one, offsets are the given text's, and what was redacted is not changed again."""

import random
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from embedmill.shared.errors import MissingExtra, RedactionFailed
from embedmill.shared.redaction import names, vendor_keys
from embedmill.shared.redaction.anchors import Anchors
from embedmill.shared.redaction.finding import Certainty, Finding, united
from embedmill.shared.redaction.folding import fold
from embedmill.shared.redaction.glance import Glance
from embedmill.shared.redaction.metadata import flatten, rebuild
from embedmill.shared.redaction.normal import normal_form
from embedmill.shared.redaction.numbers import OWN
from embedmill.shared.redaction.redactor import Redactor
from embedmill.shared.redaction.scanning import find_numbers, scan
from tests.shared.redaction.test_scanning import FOUND, LEFT

REDACTOR = Redactor("patterns")
PIECES = st.sampled_from(
    [value for _, _, value in FOUND]
    + [around for _, around, _ in FOUND]
    + list(LEFT)
    + ["[EMAIL_1]", "[PHONE_7]", "[CARD_1", "SECRET_1]", "\u200b", "é", "\n", " ", "-", ".", "call ", "dob ", "ssn: "]
)
TEXTS = st.lists(PIECES | st.text(max_size=6), max_size=8).map("".join) | st.lists(PIECES, max_size=8).map(" ".join)


def test_a_value_has_one_placeholder_however_it_is_written() -> None:
    found = REDACTOR.redact("Jane@Example.com, jane@example.com, +1 (714) 719-5847 or 714-719-5847; bob@example.com")

    assert found.text == "[EMAIL_1], [EMAIL_1], [PHONE_1] or [PHONE_1]; [EMAIL_2]"


def test_a_value_that_a_word_gave_away_is_hidden_wherever_it_stands_in_its_document() -> None:
    numbers = [f"60{number:07}" for number in range(300)]
    named = "\n".join(f"call {number}" for number in numbers)

    few = REDACTOR.redact_all(["600123456.pdf", "Phone: 600123456, order 6001234567", "600123456"])
    many = REDACTOR.redact_all([named, " | ".join(numbers)])

    assert [each.text for each in few.texts] == ["[PHONE_1].pdf", "Phone: [PHONE_1], order 6001234567", "[PHONE_1]"]
    assert few.counts == {"PHONE_NUMBER": 1}
    assert many.texts[1].text == " | ".join(f"[PHONE_{number + 1}]" for number in range(300))


def test_a_placeholder_that_stands_in_the_source_is_nobody_elses() -> None:
    found = REDACTOR.redact("[EMAIL_2] wrote to jane@example.com")

    assert found.text == "[EMAIL_2] wrote to [EMAIL_3]"
    assert [span.placeholder for span in found.spans] == ["[EMAIL_3]"]


def test_texts_of_one_document_share_their_placeholders_and_no_value_goes_from_one_into_the_next() -> None:
    title, first, second = REDACTOR.redact_all(["To jane@example.com", "4111 1111", "1111 1111 jane@example.com"]).texts

    assert (title.text, first.text, second.text) == ("To [EMAIL_1]", "4111 1111", "1111 1111 [EMAIL_1]")


def test_a_key_that_goes_over_several_texts_is_hidden_in_all_of_them() -> None:
    texts = ["-----BEGIN PRIVATE KEY-----", "MIIabc", "def=\n-----END PRIVATE KEY----- and more"]

    assert [each.text for each in REDACTOR.redact_all(texts).texts] == ["[SECRET_1]", "", " and more"]


def test_hidden_characters_within_a_value_go_with_it() -> None:
    text = "a 4111\u200b1111\u200b1111\u200b1111 b jane\u00ad@example.com"

    assert REDACTOR.redact(text).text == "a [CARD_1] b [EMAIL_1]"


@given(TEXTS)
@example("jdbc:oracle:thin:scott/Tiger-12@host:1521:x")
def test_redacting_what_was_redacted_changes_nothing(text: str) -> None:
    once = REDACTOR.redact(text)

    assert REDACTOR.redact(once.text).text == once.text


@given(TEXTS)
def test_spans_are_in_order_apart_and_of_the_given_text(text: str) -> None:
    found = REDACTOR.redact(text)
    parts: list[str] = []
    before = 0
    for span in found.spans:
        assert before <= span.start < span.end <= len(text)
        parts += text[before : span.start], span.placeholder
        before = span.end
    assert "".join([*parts, text[before:]]) == found.text


@given(TEXTS)
def test_a_place_of_the_redacted_text_is_found_in_the_given_one(text: str) -> None:
    found = REDACTOR.redact(text)
    starts = {span.start for span in found.spans}
    for place, character in enumerate(found.text):
        there = found.place(place)
        assert there in starts or text[there] == character


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_a_folded_text_leads_back_to_the_characters_that_it_is_of(text: str) -> None:
    folded = fold(text)
    spans = folded.spans([(place, place + 1) for place in range(len(folded.text))])
    for (start, end), character in zip(spans, folded.text, strict=True):
        assert fold(text[start:end]).text == character == fold(text[start]).text


def test_what_another_thread_meets_meanwhile_changes_nothing() -> None:
    """The other thread comes in at each call that folding makes, with a character that nobody met before."""
    signs = map(chr, range(0xE0100, 0xE01F0))
    for step in range(1, 61):
        ours, theirs = (f"jo{sign}e: jane.roe@example.com" for sign in (next(signs), next(signs)))
        _interrupt(partial(fold, ours), step, partial(fold, theirs))

        assert [fold(text).gone for text in (ours, theirs)] == [(1,), (1,)]


def _interrupt(do: Callable[[], object], step: int, other: Callable[[], object]) -> None:
    left = step

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            sys.setprofile(before)
            other()

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        do()
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize(
    "piece",
    ["a", "1-", "0", ":", "::", "GB82WEST", "1 ", "@", "a@", ".", "1.1.", "(1", "+", "-----BEGIN PRIVATE KEY-----\n",
     "key=", "://a:", "born ", " at ", "dot ", "ab:", "eyJ", "token ", "\u200b1", "1\n"],
)  # fmt: skip
def test_hostile_texts_take_a_time_linear_in_their_length(piece: str) -> None:
    """Twice the text is looked at by at most a little more than twice as many steps of the interpreter.

    What is made when it is first asked is no matter of length.
    """
    scan(piece * 1000)
    assert _steps(piece * 1000) < 2.6 * _steps(piece * 500) + 2000


@pytest.mark.parametrize("piece", ["1 2 3 4 5 6 7 8 9 0\n", "0044 20 7946\n"])
def test_what_is_held_of_a_long_run_of_digits_does_not_grow_with_it(piece: str) -> None:
    text = piece * (8000 // len(piece))
    scan(text)

    assert _held(text * 2) - _held(text) < 40 * len(text)


def _held(text: str) -> int:
    """The most bytes that are taken while a text is looked through."""
    tracemalloc.start()
    try:
        list(find_numbers(Glance(text, text, Anchors({}, 0), Anchors({}, 0)), ()))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("number", ["4111 1111 1111 1111", "0044 20 7946 0329", "0044 (0)20 7946 0329", "078 05 1120"])
def test_a_number_is_found_wherever_it_stands_in_a_long_run(number: str) -> None:
    """Such a run is looked at in parts: no number is found twice, or not at all, where two of them meet."""
    for before in range(OWN - 24, OWN + 2):
        text = f"{'9 ' * before}{number}{' 9' * OWN}"

        assert [text[f.start : f.end] for f in scan(text)] == [number]


def _steps(text: str) -> int:
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        scan(text)
    finally:
        sys.setprofile(before)
    return steps


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8), st.sampled_from(list(Certainty))), max_size=8))
def test_findings_that_overlap_are_one_and_leave_nothing_uncovered(drawn: list[tuple[int, int, Certainty]]) -> None:
    findings = [Finding(f"T{n}", start, start + size, sure) for n, (start, size, sure) in enumerate(drawn)]
    whole = united(findings)

    assert {i for f in whole for i in range(f.start, f.end)} == {i for f in findings for i in range(f.start, f.end)}
    assert all(left.end <= right.start for left, right in pairwise(whole))


@pytest.mark.parametrize(
    ("type_", "written", "form"),
    [
        ("EMAIL_ADDRESS", "Jane [at] Example [dot] org", "mail:jane@example.org"),
        ("PHONE_NUMBER", "0049 30 901820", "phone:4930901820"),
        ("PHONE_NUMBER", "(714) 719-5847 ext. 3", "phone:17147195847"),
        ("IP_ADDRESS", "2001:DB8:0:0::1", "ip:2001:db8::1"),
        ("US_SSN", "735 22 1604", "code:735221604"),
        ("PERSON", "Jane  Doe", "name:jane doe"),
    ],
)
def test_a_value_is_compared_by_its_normal_form(type_: str, written: str, form: str) -> None:
    assert normal_form(type_, written) == form


def test_metadata_is_redacted_with_its_keys_and_keeps_its_shape() -> None:
    metadata = {
        "phone": 7147195847,
        "tags": ["x", "jane@example.com"],
        "n": 3,
        "deep": {"ssn": "735221604"},
        "ok": True,
    }
    texts = REDACTOR.redact_all(flatten(metadata)).texts

    assert rebuild(metadata, [each.text for each in texts]) == {
        "phone": "[PHONE_1]", "tags": ["x", "[EMAIL_1]"], "n": 3, "deep": {"ssn": "[US_SSN_1]"}, "ok": True,
    }  # fmt: skip


def test_nothing_is_looked_for_under_the_policy_off() -> None:
    assert Redactor("off").redact("jane@example.com").text == "jane@example.com"


def test_digits_of_every_script_are_found_in_a_long_text_of_others() -> None:
    drawn = random.Random(3)
    noise = "".join(chr(drawn.choice([0x430, 0x4E00, 0x20, 0x5D0]) + drawn.randrange(20)) for _ in range(500))
    text = f"{noise} +1 714 719 5847 {noise}"

    assert [text[f.start : f.end] for f in scan(text)] == ["+1 714 719 5847"]


def test_a_scanner_of_others_is_asked_beside_our_own_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    class Scanner:
        def reset_dedup(self) -> None:
            return

        def scan(self, text: str) -> list[SimpleNamespace]:
            return [SimpleNamespace(secret="zzkey")] if "zzkey" in text else []

    monkeypatch.setitem(sys.modules, "kingfisher_sdk", SimpleNamespace(Scanner=Scanner))
    vendor_keys._load.cache_clear()
    helped = Redactor("patterns", scanner="kingfisher")

    assert helped.redact("zzkey, jane@example.com and zzkey").text == "[SECRET_1], [EMAIL_1] and [SECRET_1]"
    assert helped.id != REDACTOR.id
    vendor_keys._load.cache_clear()


def test_a_scanner_that_is_not_installed_is_told_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kingfisher_sdk", None)
    vendor_keys._load.cache_clear()

    with pytest.raises(MissingExtra, match="not installed"):
        Redactor("patterns", scanner="kingfisher").require()


def test_names_are_found_by_the_model_apart_from_what_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def model(text: str) -> SimpleNamespace:
        found = [("PERSON", "Jane Doe"), ("ORG", "Acme"), ("GPE", "Rome"), ("DATE", "today")]
        ents = [
            SimpleNamespace(label_=label, text=name, start_char=text.index(name), end_char=text.index(name) + len(name))
            for label, name in found
            if name in text
        ]
        return SimpleNamespace(ents=ents)

    monkeypatch.setattr(names, "_load", lambda: model)
    redactor = Redactor("names", keep=["ACME"])
    text = "Jane Doe of Acme in Rome wrote today to jane@example.com"

    assert redactor.redact(text).text == "[PERSON_1] of Acme in [LOCATION_1] wrote today to [EMAIL_1]"
    monkeypatch.setattr(names, "monotonic", iter([0.0, 100.0, 200.0, 200.0]).__next__)
    with pytest.raises(RedactionFailed, match="longer than") as late:
        redactor.redact(text)
    monkeypatch.setattr(names, "_load", lambda: _without_memory)
    with pytest.raises(RedactionFailed, match="MemoryError") as full:
        redactor.redact(text)
    assert ["REDACTION_SECONDS" in failed.value.hint for failed in (late, full)] == [True, False]


def _without_memory(_: str) -> None:
    raise MemoryError


def test_values_that_are_to_stay_stay_however_they_are_written() -> None:
    redactor = Redactor("patterns", keep=["Support@Example.com", "+44 20 7946 0329"])
    said = "Write to support [at] example [dot] com or ann@example.com, or call +44 (0)20 7946-0329."
    assert redactor.redact(said).text == said.replace("ann@example.com", "[EMAIL_1]")


def test_what_stays_decides_whether_a_document_is_as_it_was() -> None:
    ids = [Redactor("patterns", keep=keep).id for keep in ((), ("a@example.com",), ("b@example.com",))]
    assert len(set(ids)) == 3
    assert Redactor("off", keep=["a@example.com"]).id == ""
