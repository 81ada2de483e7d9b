"""Numbers of bank accounts (IBANs), by their country and check digits, however they are spaced."""

import re
from collections.abc import Iterator
from itertools import islice

from embedmill.shared.redaction.checks import IBAN_LENGTHS, is_iban
from embedmill.shared.redaction.edges import closes_at, opens_at
from embedmill.shared.redaction.finding import Certainty, Finding
from embedmill.shared.redaction.glance import Glance
from embedmill.shared.redaction.late import late

GAP = r"[ \t.\-/_]?(?:\r?\n[ \t]{0,3})?"
"""At most one separator, at most one end of a line."""
_SEPARATORS = str.maketrans("", "", " \t.-/_\r\n")


_WIDE = r"[ \t.\-/_]{0,2}(?:\r?\n[ \t]{0,3})?"
_ACCOUNT = late(rf"[0-9]{{2}}(?:{_WIDE}[A-Za-z0-9]){{11,30}}")
"""From its check digits on; its country stands before."""
ACCOUNT_HEADS = frozenset(f"{country.lower()}{digit}" for country in IBAN_LENGTHS for digit in range(10))
_ACCOUNT_SPACED = late(
    rf"[0-9](?:(?<=[A-Z]{{2}}.)|(?<=[A-Z]{{2}}[ \t].)|(?<=[A-Z]{{2}}[ \t]{{2}}.))[0-9](?:{GAP}[A-Z0-9]){{11,30}}",
    re.IGNORECASE,
)
_APART = " \t._/-"
_NAMED = frozenset({"iban"})
_JOINING = ("-", "_")
"""What joins it with the rest of a file's name; its check digits are evidence enough."""
MOST_LETTERS = 0.4
"""What share of an account's number in small letters is letters: most are all digits, or have a bank of four."""
ACCOUNT_PARTED = late(
    rf"\b(?i:{'|'.join(IBAN_LENGTHS)})[ \t._/-]{{1,2}}(?P<digits>[0-9]{{2}})"
    r"(?:[ \t._/-]?[A-Za-z]){0,4}(?:[ \t._/-]?[0-9]){8}"
)
"""One whose country stands apart, to where it goes on with digits as no words do."""
_SIGN = late("[A-Za-z0-9]")


def bare(text: str) -> str:
    """Without separators, in capitals."""
    return text.translate(_SEPARATORS).upper()


def find_accounts(glance: Glance) -> Iterator[Finding]:
    """IBANs, to the length that their country has; parted from its country where the text speaks of one."""
    if not glance.words:
        return
    text, end = glance.text, 0
    for place in sorted(glance.words.of(ACCOUNT_HEADS)):
        match = _ACCOUNT.match(text, place + 2) if place >= end else None
        if match and (found := _account(text, match)):
            yield found
            end = found.end
    for span in glance.words.around(_NAMED, before=0, after=80):
        yield from _spaced_accounts(text, span)


def parted_accounts(text: str, span: tuple[int, int]) -> Iterator[Finding]:
    """Those whose country stands apart from their check digits."""
    for begun in ACCOUNT_PARTED.finditer(text, *span):
        match = _ACCOUNT.match(text, begun.start("digits"))
        if match and (found := _account(text, match)):
            yield found


def _spaced_accounts(text: str, span: tuple[int, int]) -> Iterator[Finding]:
    place, last = span
    while match := _ACCOUNT_SPACED.search(text, place, last):
        found = _account(text, match)
        place = match.start() + 1
        if found:
            yield found
            place = found.end


def _account(text: str, match: re.Match[str]) -> Finding | None:
    country = text[max(0, match.start() - 4) : match.start()]
    start = match.start() - len(country) + len(country.rstrip(_APART)) - 2
    length = IBAN_LENGTHS.get(text[max(0, start) : start + 2].upper(), 0)
    if not length or not _begins_account(text, start):
        return None
    written = text[start : match.end()].translate(_SEPARATORS)
    code = written[:length]
    if len(code) < length or not _is_number(code) or not is_iban(code.upper()):
        return None
    end = match.end() if len(written) == length else _end_of(length, text, start)
    return Finding("IBAN_CODE", start, end, Certainty.CHECKED) if _ends_account(text, end) else None


def _end_of(length: int, text: str, start: int) -> int:
    """Where so many letters and digits from a place on end."""
    return next(islice(_SIGN.finditer(text, start), length - 1, None)).end()


def _is_number(written: str) -> bool:
    """In capitals, or no words that only begin like an account's number."""
    return written.isupper() or sum(map(str.isalpha, written)) <= MOST_LETTERS * len(written)


def _begins_account(text: str, start: int) -> bool:
    before = text[max(0, start - 4) : start]
    return opens_at(text, start) or before.endswith(_JOINING) or before.upper() == "IBAN"


def _ends_account(text: str, end: int) -> bool:
    return closes_at(text, end) or text.startswith(_JOINING, end)
