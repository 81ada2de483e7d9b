"""Numbers of letters and digits: the ids of countries that put letters into them, and others in forms of their own."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import re2

from embedmill.shared.redaction.accounts import ACCOUNT_HEADS, ACCOUNT_PARTED, GAP, bare, parted_accounts
from embedmill.shared.redaction.anchors import merged
from embedmill.shared.redaction.checks import is_card, is_hkid, is_rvnr, is_ssn, stdnum
from embedmill.shared.redaction.country_numbers import is_whole_number
from embedmill.shared.redaction.edges import closes_at, opens_at
from embedmill.shared.redaction.finding import Certainty, Finding
from embedmill.shared.redaction.glance import Glance
from embedmill.shared.redaction.hints import NO_VALUE, Before, Hint, hint
from embedmill.shared.redaction.late import late


@dataclass(frozen=True, eq=False)
class Code:
    """A pattern of a folded text and what its letters and digits must satisfy.

    It is looked for in capitals, and in any case behind the `words`, each of which may say that it is meant.
    One with a `hint` is looked for only behind those words.
    """

    type: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    words: tuple[str, ...]
    hint: Hint | None = None
    certainty: Certainty = Certainty.CHECKED
    names_things: bool = False
    spells_digits: bool = False
    """Whether letters may stand in the place of all digits."""

    def judge(self, match: re.Match[str], lowered: str) -> Iterator[Finding]:
        """It, if what its pattern found is one."""
        text, (start, end) = match.string, match.span()
        if (
            opens_at(text, start)
            and closes_at(text, end)
            and self.check(bare(match[0]))
            and self._is_meant(lowered, start)
        ):
            yield Finding(self.type, start, end, self.certainty)

    def _is_meant(self, lowered: str, start: int) -> bool:
        if self.hint is None and not self.names_things:
            return True
        before = Before(lowered, start)
        if self.hint is not None:
            return self.hint.precedes(before)
        return not NO_VALUE.precedes(before)

    @cached_property
    def anchors(self) -> frozenset[str]:
        """Its words."""
        return frozenset(self.words)

    @cached_property
    def in_any_case(self) -> re.Pattern[str]:
        """The pattern for small letters, too."""
        return late(self.pattern.pattern, re.IGNORECASE)


def _code(*parts: str) -> re.Pattern[str]:
    return late(GAP.join(parts))


def _holds_digits(code: str) -> bool:
    return sum(map(str.isdigit, code)) >= 3


def _is_plus_number(code: str) -> bool:
    return is_whole_number(code[1:])


def _is_nino(code: str) -> bool:
    return code[:2] not in {"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"}


def _is_spaced_nino(code: str) -> bool:
    """One in small letters, whose first letters are no word before three numbers."""
    return _is_nino(code) and code[:2] not in {"AT", "AS", "AM", "HE", "ME", "WE", "MY", "BY"}


def _is_hetu(code: str) -> bool:
    """A Finnish id; its sign of the century is a dash, which was taken for a separator, where it is gone."""
    return stdnum("fi.hetu")(code if len(code) == 11 else f"{code[:6]}-{code[6:]}")


_ODD, _SOME = "[ ]?_[ ]?", "[ _./-]{1,3}"
"""What stands between the groups of a card that is not written as cards are, and between others of them."""
_MONTH = "[ABCDEHLMPRST]"
_DIGIT = "[0-9LMNP-V]"

CODES = (
    Code(
        "UK_NINO",
        _code("[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]", "[0-9]{2}", "[0-9]{2}", "[0-9]{2}", "[A-D]"),
        _is_nino,
        ("nino", "national insurance", "ni n"),
        certainty=Certainty.FORMED,
        names_things=True,
    ),
    Code(
        "IT_FISCAL_CODE",
        _code("[A-Z]{3}", "[A-Z]{3}", f"{_DIGIT}{{2}}{GAP}{_MONTH}{GAP}{_DIGIT}{{2}}", f"[A-Z]{_DIGIT}{{3}}", "[A-Z]"),
        stdnum("it.codicefiscale"),
        ("fisc", "c.f.", "cf:", "cf "),
        spells_digits=True,
    ),
    Code(
        "ES_NIF", _code("[0-9]{2}", "[0-9]{3}", "[0-9]{3}", "[A-HJ-NP-TV-Z]"), stdnum("es.dni"), ("dni", "d.n.i", "nif")
    ),
    Code(
        "ES_NIE",
        _code("[X-Z]", "[0-9]", "[0-9]{3}", "[0-9]{3}", "[A-Z]"),
        stdnum("es.nie"),
        ("nie", "n.i.e", "extranjer"),
    ),
    Code(
        "DE_SOCIAL_SECURITY",
        _code("[0-9]{2}", "[0-9]{2}", "[0-9]{2}", "[0-9]{2}", "[A-Z]", "[0-9]{2}", "[0-9]"),
        is_rvnr,
        ("versicherung",),
    ),
    Code(
        "FR_NIR",
        _code("[12378]", "[0-9]{2}", "[0-9]{2}", "2[AB]", "[0-9]{3}", "[0-9]{3}", "[0-9]{2}"),
        stdnum("fr.nir"),
        ("secu",),
    ),
    Code(
        "FI_PERSONAL_IDENTITY_CODE",
        late("[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]"),
        _is_hetu,
        ("hetu", "henkilotunnus"),
    ),
    Code(
        "CN_RIC",
        late("[1-9][0-9]{5}(?:18|19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}X"),
        stdnum("cn.ric"),
        ("身份", "公民", "id card", "id no", "identity"),
    ),
    Code("MX_CURP", late("[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]"), stdnum("mx.curp"), ("curp",)),
)
ODD_CODES = (
    Code(
        "UK_NINO",
        late("[a-ceghj-pr-tw-z][a-ceghj-npr-tw-z](?:[ -][0-9]{2}){3}[ -][a-d]"),
        _is_spaced_nino,
        (),
        certainty=Certainty.FORMED,
        names_things=True,
    ),
    Code(
        "CREDIT_CARD",
        late(
            rf"[2-9][0-9]{{3}}(?:{_ODD}[0-9]{{4}}{_SOME}[0-9]{{4}}{_SOME}|{_SOME}[0-9]{{4}}{_ODD}[0-9]{{4}}{_SOME}"
            rf"|{_SOME}[0-9]{{4}}{_SOME}[0-9]{{4}}{_ODD})[0-9]{{4}}|3[0-9]{{3}}{_ODD}[0-9]{{6}}{_ODD}[0-9]{{4,5}}"
        ),
        is_card,
        (),
    ),
    Code(
        "US_SSN",
        late("[0-8][0-9]{2}_[0-9]{2}_[0-9]{4}"),
        is_ssn,
        (),
        certainty=Certainty.FORMED,
        names_things=True,
    ),
    Code("PHONE_NUMBER", late(r"\+[1-9][0-9]{0,2}(?:_[0-9]{2,4}){2,5}"), _is_plus_number, ()),
    Code("IT_VAT_CODE", late("(?:IT[ .-]?|it)[0-9]{11}"), stdnum("it.iva"), (), names_things=True),
    Code(
        "FR_NIR",
        late("[12378]_[0-9]{2}_[0-9]{2}_[0-9]{2}_[0-9]{3}_[0-9]{3}_[0-9]{2}"),
        stdnum("fr.nir"),
        (),
    ),
    Code("ES_NIF", late("[0-9]{2}[.][0-9]{3}[.][0-9]{3}[ -]?[a-z]"), stdnum("es.dni"), ()),
    Code(
        "IT_FISCAL_CODE",
        late("[a-z]{3} ?[a-z]{3} ?[0-9]{2}[abcdehlmprst][0-9]{2} ?[a-z][0-9]{3} ?[a-z]"),
        stdnum("it.codicefiscale"),
        (),
    ),
    Code("ES_NIE", late("[x-z][ -]?[0-9][.]?[0-9]{3}[.]?[0-9]{3}[ -]?[a-z]"), stdnum("es.nie"), ()),
)
"""In small letters, or with separators of their own; their forms are narrower, as no word says what they are."""
_HINTED_CODES = (
    Code(
        "UK_NINO",
        late("[A-Z]{2}(?:[ -]?[0-9]){6}[ -]?[A-D]"),
        _is_nino,
        ("nino", "national insurance", "ni n"),
        hint("nino", "national insurance*", "ni no", "ni number"),
        Certainty.HINTED,
    ),
    Code(
        "DE_ID_CARD",
        late("[CFGHJKLMNPRTVWXYZ0-9]{8}[0-9][0-9](?:D|<<)?|[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}"),
        _holds_digits,
        ("ausweis", "perso"),
        hint("personalausweis*", "ausweis*", "perso", "id card", "identity card"),
        Certainty.HINTED,
    ),
    Code(
        "SG_NRIC_FIN",
        late("[STFGM][0-9]{7}[A-Z]"),
        _holds_digits,
        ("nric", "fin"),
        hint("nric", "fin"),
        Certainty.HINTED,
    ),
    Code(
        "IN_PAN",
        late("[A-Z]{3}[ABCFGHLJPT][A-Z][0-9]{4}[A-Z]"),
        _holds_digits,
        ("pan", "permanent account"),
        hint("pan", "permanent account"),
        Certainty.HINTED,
    ),
    Code(
        "MX_RFC",
        late("[A-Z&]{3,4}[ -]?[0-9]{6}[ -]?[A-Z0-9]{3}"),
        stdnum("mx.rfc"),
        ("rfc", "registro federal"),
        hint("rfc", "registro federal*"),
    ),
    Code(
        "IE_PPSN",
        late("[0-9]{7}[A-W][A-IW]?"),
        stdnum("ie.pps"),
        ("pps", "personal public service"),
        hint("pps", "ppsn", "pps no*", "personal public service*"),
    ),
    Code(
        "CL_RUT",
        late("[0-9]{1,2}[.]?[0-9]{3}[.]?[0-9]{3}-?K"),
        stdnum("cl.rut"),
        ("rut", "rol unico"),
        hint("rut", "rol unico*"),
    ),
    Code(
        "HK_ID",
        late(r"[A-Z]{1,2}[0-9]{6}[ ]?(?:\([0-9A]\)|[0-9A])"),
        is_hkid,
        ("hkid", "hong kong id", "identity card", "id card", "身份"),
        hint("hkid", "hong kong id*", "id card", "identity card", "身份證", "身份证"),
    ),
    Code(
        "IT_VAT_CODE",
        late("IT[ .-]?[0-9]{11}"),
        stdnum("it.iva"),
        ("iva", "vat"),
        hint("p iva", "partita iva", "iva", "vat", "vatin", "piva"),
    ),
    Code(
        "PASSPORT",
        late("[A-Z]{0,3}[0-9][0-9A-Z]{5,8}"),
        _holds_digits,
        ("passport", "reisepass", "pasaporte", "passeport", "passaport"),
        hint("passport*", "reisepass*", "pasaporte", "passeport", "passaporto"),
        Certainty.HINTED,
    ),
)

STATES_BYTES = 64 << 20
"""At most; what a text needs is a tenth."""
_LONGEST = 32
"""Characters that a code takes, separators included."""


@cache
def _any_of(codes: tuple[Code, ...], *others: str) -> Any:
    """All of them at once (RE2), which finds the first of those that overlap; it needs room for so many states."""
    options = re2.Options()
    options.max_mem = STATES_BYTES
    options.never_capture = True
    return re2.compile(
        "|".join(f"(?:{pattern})" for pattern in (*(code.pattern.pattern for code in codes), *others)), options
    )


@cache
def _which_of(codes: tuple[Code, ...]) -> Any:
    """Tells which of them a short text has (RE2), or nothing where that would need too many states."""
    options = re2.Options()
    options.max_mem = STATES_BYTES
    which = re2.Set.SearchSet(options)
    for code in codes:
        which.Add(code.pattern.pattern)
    which.Compile()
    return which


def _near(any_of: Any, ascii_text: bytes) -> Iterator[tuple[int, int]]:
    """Where one of the patterns begins, to where any may end."""
    spans = [match.span() for match in any_of.finditer(ascii_text)]
    return merged([(start, end + _LONGEST) for start, end in spans], len(ascii_text))


_PASSES: tuple[tuple[tuple[Code, ...], tuple[str, ...]], ...] = ((CODES, ()), (ODD_CODES, (ACCOUNT_PARTED.pattern,)))
_EVERY = ((*CODES, *ODD_CODES), ACCOUNT_PARTED.pattern)
"""Codes that are found together, with other forms; and all of them, which most texts have none of."""


def find_codes(glance: Glance) -> Iterator[Finding]:
    """Every other number with letters, and numbers in forms of their own.

    What RE2 is given has one byte for each character: no pattern has a foreign one, and places need not be counted.
    """
    text, lowered = glance.text, glance.lowered
    ascii_text = text.encode("ascii", "replace")
    for codes, others in _PASSES if _any_of(*_EVERY).search(ascii_text) else ():
        which = _which_of(codes)
        for span in _near(_any_of(codes, *others), ascii_text):
            for number in sorted(which.Match(ascii_text[slice(*span)]) or range(len(codes))):
                for match in codes[number].pattern.finditer(text, *span):
                    yield from codes[number].judge(match, lowered)
            if others:
                yield from parted_accounts(text, span)
    for code in {code: None for word in glance.words for code in _BY_WORD.get(word, ())}:
        for span in glance.words.around(code.anchors, before=0, after=70):
            if not code.spells_digits and not glance.has_digit(*span):
                continue
            for match in code.in_any_case.finditer(text, *span):
                yield from code.judge(match, lowered)


_BY_WORD = {
    word: [code for code in (*CODES, *_HINTED_CODES) if word in code.words]
    for named in (*CODES, *_HINTED_CODES)
    for word in named.words
}
WORDS = ("iban", *sorted(ACCOUNT_HEADS), *_BY_WORD)
"""What stands before codes in small letters."""
