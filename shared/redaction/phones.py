"""Telephone numbers: by a sign of their country, by a grouping that nothing else has, or by a word before them.

The library phonenumbers says how long a country's numbers are and whether one with a leading zero is any country's. It
does not decide alone: it refuses numbers that are given out to nobody, as those of films and examples are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from embedmill.shared.redaction.country_numbers import country_code, is_given_out, is_valid_somewhere, sizes_of
from embedmill.shared.redaction.edges import closes_at, opens_at
from embedmill.shared.redaction.finding import Certainty, Finding
from embedmill.shared.redaction.hints import NO_VALUE, hint
from embedmill.shared.redaction.late import late
from embedmill.shared.redaction.normal import EXTENSIONS
from embedmill.shared.redaction.numbers import DigitRun, Grouping, Lengths

PHONE = hint(
    *"tel tele telephone* telef telefon* telefono telefone telefoon* telefax tph fon fone phone* ph".split(),
    *"cellphone* fax faxnr mob mobile* mobil* movil cell cellular* celular* handy* rufnummer".split(),
    *"durchwahl hotline helpline pager voicemail call called calling calls dial ring sms text texted".split(),
    *"whatsapp signal contact portable portabel puhelin numero llamar llame llama llamame appeler".split(),
    *"appelez appel chiamare chiamate chiama reach тел телефон* моб 電話 电话 手机 전화".split(),
    *"هاتف الهاتف تلفون جوال الجوال موبايل محمول טלפון טל נייד τηλ τηλεφωνο κινητο फोन मोबाइल โทร โทรศัพท์".split(),
    *"dien thoai gsm tfno cep telefonu tlf tlfn puh tel. komorka telep".split(),
    "wa me",
)
_IDENTIFIER = hint("id", "ids", gap=r"[\s:.=#]{0,3}")
"""What stands right before is no number to call, though a word for one is before that."""
_COUNTED = late(
    r"[ \t](?:times|bytes|bits|rows|lines|items|records|entries|users|messages|files|pages|words|characters|tokens"
    r"|points|units|people|seconds|ms|km|kg|mal|zeilen|fois)(?![a-z])"
)
_EXTENSION = late(rf"[ ,;]{{0,2}}(?:{EXTENSIONS})[ :.]{{0,2}}[0-9]{{1,6}}(?![0-9])", re.IGNORECASE)
_VANITY = late(r"8(?:00|33|44|55|66|77|88)\)?[-. ](?=[0-9-]{0,6}[A-Z]{2})[A-Z0-9-]{6,9}[A-Z0-9]")
_BEFORE_VANITY = late(r"(?:\+?1[-. ])?\(?\Z")

FEWEST, MOST = 7, 15
FEWEST_SPOKEN, MOST_NATIONAL = 9, 12
_EVEN = frozenset({"", "-", ".", ")", "(", ") -", ")-", ").", ") ("})

_FORMS: dict[Lengths, re.Pattern[str]] = {
    (3, 3, 4): late("[2-9][0-9]{9}"),
    (1, 3, 3, 4): late("1[2-9][0-9]{9}"),
    (1, 3, 7): late("1[2-9][0-9]{9}"),
    (1, 3, 3, 2, 2): late("[78][3-9][0-9]{9}"),
    (2, 2, 2, 2, 2): late("0[1-9][0-9]{8}"),
    (2, 3, 2, 2): late("[6-9][0-9]{8}"),
    (3, 2, 2, 2): late("[6-9][0-9]{8}"),
    (3, 4, 4): late("1[3-9][0-9]{9}|0[1-9][0-9]{9}"),
}
"""Groupings that stand on themselves, with the digits that they need."""
_WITH_AREA: dict[Lengths, re.Pattern[str]] = {
    (3, 7): late("[2-9][0-9]{9}"),
    (3, 3, 4): late("[0-9]{10}"),
}


@dataclass(frozen=True, slots=True)
class PhonePlace:
    """What may begin with a group, by how it is grouped.

    The last groups of numbers that have a form, with what their digits must be; of those that are spoken with a zero;
    of those with their area in brackets, with their groupings.
    """

    forms: tuple[tuple[int, re.Pattern[str]], ...]
    spoken: tuple[int, ...]
    with_area: tuple[tuple[int, Lengths], ...]
    is_formed: bool
    goes_on: bool = False
    """With groups like the one before, as the end of a card's or an id's number does."""


_NOTHING = PhonePlace((), (), (), is_formed=False)


def find_phones(run: DigitRun, reached: int = 0) -> Iterator[Finding]:
    """The telephone numbers of a run of digits that begin where the last one of its part before ended, or later."""
    if not _is_worth_a_look(run):
        return
    places = _places(run.grouping)
    own = run.grouping.own
    first = next((group for group in own if run.begin(group) >= reached), own.stop) if reached else own.start
    apart = first
    while first < own.stop:
        worth = not first or places[first].is_formed or run.begins_with_zero(first)
        found = _phone(run, first, places[first], is_apart=first == apart) if worth else None
        if found is None:
            first += 1
            continue
        last, certainty = found
        yield Finding("PHONE_NUMBER", _start(run, first, last), _end(run, last), certainty)
        first = apart = last + 1


def _is_worth_a_look(run: DigitRun) -> bool:
    """Whether its form, a sign or word before it, or a zero says that it may be a number."""
    return (
        _is_formed(run.grouping)
        or run.has_zero()
        or run.sign(0) == "("
        or has_plus(run)
        or not PHONE.heads.isdisjoint(run.before(0).heads)
    )


def _is_formed(grouping: Grouping) -> bool:
    """Whether a number may be in it by its form alone."""
    formed: bool | None = grouping.judged.get("formed")
    if formed is None:
        formed = any(place.is_formed or place.forms for place in _places(grouping))
        grouping.judged["formed"] = formed
    return formed


def _places(grouping: Grouping) -> tuple[PhonePlace, ...]:
    places: tuple[PhonePlace, ...] | None = grouping.judged.get("phones")
    if places is None:
        places = grouping.judged["phones"] = tuple(
            _place(grouping, first) if opens and first in grouping.own else _NOTHING
            for first, opens in enumerate(grouping.opens)
        )
    return places


def _place(grouping: Grouping, first: int) -> PhonePlace:
    if _is_listed(grouping, first):
        return _NOTHING
    near = [(last, total, lengths) for last, total, lengths in grouping.candidates[first] if total <= MOST_NATIONAL]
    forms = [(last, lengths) for last, _, lengths in near if lengths in _FORMS and _is_even(grouping, first, last)]
    return PhonePlace(
        tuple((last, _FORMS[lengths]) for last, lengths in forms),
        tuple(
            last
            for last, total, lengths in near
            if total >= FEWEST_SPOKEN and (_may_be_spoken(lengths) or _has_zero_apart(grouping, first, lengths))
        ),
        tuple((last, lengths) for last, _, lengths in near),
        is_formed="(" in grouping.gaps[first]
        or any(lengths in _FORMS or lengths in _WITH_AREA for _, _, lengths in grouping.candidates[first]),
        goes_on=_is_in_row(grouping, first),
    )


def find_vanity(text: str) -> Iterator[Finding]:
    """Free numbers that are words: 1-800-FLOWERS."""
    for match in _VANITY.finditer(text):
        before = _BEFORE_VANITY.search(text, max(0, match.start() - 6), match.start())
        start = before.start() if before else match.start()
        if opens_at(text, start) and closes_at(text, match.end()):
            yield Finding("PHONE_NUMBER", start, match.end(), Certainty.FORMED)


def _phone(run: DigitRun, first: int, place: PhonePlace, *, is_apart: bool) -> tuple[int, Certainty] | None:
    if (last := _international(run, first)) is not None:
        return last, Certainty.CHECKED
    if not run.grouping.opens[first] or not run.grouping.candidates[first]:
        return None
    last = _by_form(run, first, place) if is_apart or not place.goes_on else None
    if last is not None and not NO_VALUE.precedes(run.before(first)) and not _COUNTED.match(run.text, run.end(last)):
        return last, Certainty.FORMED
    before = run.before(first)
    if PHONE.precedes(before) and not NO_VALUE.precedes(before) and (last := _hinted(run, first)) is not None:
        return last, Certainty.HINTED
    return None


def _start(run: DigitRun, first: int, last: int) -> int:
    """Where the number begins, its plus and the bracket of its area included."""
    begin = start = run.begin(first)
    while start and run.text[start - 1] in "(+" and begin - start < 2:
        start -= 1
    if run.text[start] == "(" and run.text.find(")", start, run.end(last)) < 0:
        start += 1
    return start


def _end(run: DigitRun, last: int) -> int:
    end = run.end(last)
    extension = _EXTENSION.match(run.text, end)
    return extension.end() if extension else end


def _international(run: DigitRun, first: int) -> int | None:
    """The last group of a number with its country's code behind a plus, two zeros, or what North Americans dial."""
    if not first and has_plus(run):
        return _longest(run, first, 0)
    if not run.begins_with_zero(first):
        return None
    head = run.group(first)
    if not head.startswith(("00", "011")) or not run.grouping.opens[first] or NO_VALUE.precedes(run.before(first)):
        return None
    if head == "011":
        return _longest(run, first, 3) if len(run.grouping.spans) > 2 else None
    if head[0:2] != "00" or head[2:3] == "0" or (len(head) > 2 and country_code(head[2:]) is None):
        return None
    return _longest(run, first, 2) if len(run.grouping.spans) > 1 or PHONE.precedes(run.before(first)) else None


def has_plus(run: DigitRun) -> bool:
    """Whether a plus stands before it, perhaps with a bracket, that ends no word or number."""
    start = run.start
    before = run.text[start - 2 : start] if start > 1 else run.text[:start]
    return "+" in before and opens_at(run.text, start - (1 if before[-1] == "+" else 2))


def _longest(run: DigitRun, first: int, skipped: int) -> int | None:
    """The last group of the longest number that the country can have; else of what there is on the line."""
    grouping = run.grouping
    candidates = [(last, total - skipped) for last, total, _ in grouping.candidates[first] if total - skipped >= FEWEST]
    if not candidates:
        return None
    code = country_code(run.digits(first, candidates[0][0])[skipped:])
    if code is None:
        return None
    sizes = sizes_of(code)
    further = (0, 1) if run.has_zero_in_brackets(first) else (0,)
    longest = fitting = None
    for last, total in candidates:
        fits = any(total - len(code) - zero in sizes for zero in further)
        if longest is not None and last > first:
            gap = grouping.gaps[last]
            if "(" in gap or ("\n" in gap and not (fits and _goes_on(run, first, skipped, (fitting, last)))):
                break
        if total <= MOST:
            longest = last
        if fits:
            fitting = last
    return longest if fitting is None and not skipped else fitting


def _goes_on(run: DigitRun, first: int, skipped: int, lasts: tuple[int | None, int]) -> bool:
    """Whether a number goes on in the next line: what is on this one is no country's number, or with it it is."""
    here, there = lasts
    if here is None:
        return True
    digits = [run.digits(first, last)[skipped:] for last in (here, there)]
    return not is_given_out(digits[0]) and is_given_out(digits[1])


def _by_form(run: DigitRun, first: int, place: PhonePlace) -> int | None:
    for last, form in place.forms:
        if form.fullmatch(run.digits(first, last)):
            return last
    best = -1
    if place.spoken and run.begins_with_zero(first):
        best = max((last for last in place.spoken if is_valid_somewhere(run.digits(first, last))), default=-1)
    if place.with_area and run.sign(first) == "(":
        areas = (last for last, of in place.with_area if _has_area(run, first, of, run.digits(first, last)))
        best = max(best, max(areas, default=-1))
    return None if best < 0 else best


def _is_in_row(grouping: Grouping, first: int) -> bool:
    """Whether the group before is as long, and parted from it as the next one is."""
    lengths, gaps = grouping.lengths, grouping.gaps
    return 0 < first < len(gaps) - 1 and lengths[first - 1] == lengths[first] and gaps[first] == gaps[first + 1]


def _is_listed(grouping: Grouping, first: int) -> bool:
    """Whether it goes on with a list of numbers of three digits: 404 500 502 1200."""
    lengths, gaps = grouping.lengths, grouping.gaps
    return first > 0 and lengths[first - 1] == lengths[first] == 3 and gaps[first : first + 2] == (" ", " ")


def _may_be_spoken(lengths: Lengths) -> bool:
    """Two to five groups of two digits or more, but not those of a social security number."""
    return 2 <= len(lengths) <= 5 and min(lengths) >= 2 and lengths != (3, 2, 4)


def _has_zero_apart(grouping: Grouping, first: int, lengths: Lengths) -> bool:
    """One digit, which is to be a zero, and an area, as a bracket or slash says: (0)20 7946 0329, 0 30 / 90 18 20."""
    behind = grouping.gaps[first + 1 : first + 3]
    return (
        lengths[0] == 1
        and len(behind) > 1
        and _may_be_spoken(lengths[1:])
        and (behind[0] == ")" or "/" in behind[1] or ")" in behind[1])
    )


def _is_even(grouping: Grouping, first: int, last: int) -> bool:
    """It is written as one number: a bracket opens at its beginning only, or behind the digit before its area."""
    gaps = grouping.gaps[first + 1 : last + 1]
    opened = 1 if grouping.lengths[first] == 1 else 0
    return all(gap.strip() in _EVEN for gap in gaps) and not any("(" in gap for gap in gaps[opened:])


def _has_area(run: DigitRun, first: int, lengths: Lengths, digits: str) -> bool:
    """The first group is an area in brackets."""
    closing = run.text[run.end(first) : run.end(first) + 1] == ")"
    if not closing or not 2 <= lengths[0] <= 5 or (digits[:2] in {"19", "20"} and lengths[0] == 4):
        return False
    known = _WITH_AREA.get(lengths)
    if known is not None:
        return bool(known.fullmatch(digits))
    return 9 <= len(digits) <= 11 and len(lengths) <= 4 and min(lengths[1:]) >= 2


def _hinted(run: DigitRun, first: int) -> int | None:
    if _IDENTIFIER.precedes(run.before(first)):
        return None
    best = None
    for last, total, lengths in run.grouping.candidates[first]:
        broken = "\n" in run.grouping.gaps[last]
        if total > 13 if best is None else (broken or total > 11) and not _is_its_tail(run, first, last, total):
            break
        if not _is_date(lengths, run.digits(first, last)):
            best = last
    return None if best == first and _COUNTED.match(run.text, run.end(first)) else best


def _is_its_tail(run: DigitRun, first: int, last: int, total: int) -> bool:
    """Whether a group goes on with a number of two groups or more, and is parted from it as they are."""
    gaps = run.grouping.gaps
    return total <= MOST and last > first + 1 and gaps[last] == gaps[last - 1]


def _is_date(lengths: Lengths, digits: str) -> bool:
    if lengths == (4, 4) and {digits[:2], digits[4:6]} <= {"19", "20"}:
        return True
    return lengths in {(4, 2, 2), (2, 2, 4)} and (
        "19" in (digits[:2], digits[4:6]) or "20" in (digits[:2], digits[4:6])
    )
