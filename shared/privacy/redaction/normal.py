"""Normal forms of values: what is written in two ways is one value, in a document and when it is to be erased."""

import re
from collections.abc import Iterator

from embedmill.shared.privacy.redaction.folding import fold

NAMES = frozenset({"PERSON", "LOCATION", "ORGANIZATION"})
_SEPARATORS = re.compile(r"[^0-9A-Za-z\u0080-\U0010ffff]+")
_AT = re.compile(r"\s*[\[({<]\s*at\s*[\])}>]\s*|\s+at\s+|[%=]40|&(?:#64|#x40|commat);", re.IGNORECASE)
_DOT = re.compile(r"\s*[\[({<]\s*(?:dot|\.)\s*[\])}>]\s*|\s+dot\s+|[%=]2e|&(?:period|#46);", re.IGNORECASE)
_HYPHENATED = re.compile(r"-\r?\n")
_EXTENSION = re.compile(r"\s*(?:ext|x|#|int|poste|durchwahl).*\Z", re.IGNORECASE | re.DOTALL)


def normal_form(type_: str, written: str) -> str:
    """A value as it is compared, with the kind of its form before it."""
    folded = fold(written).text
    if type_ == "EMAIL_ADDRESS":
        return "mail:" + _mail(folded)
    if type_ == "PHONE_NUMBER":
        return "phone:" + _phone(folded)
    if type_ in NAMES:
        return "name:" + " ".join(folded.casefold().split())
    if type_ == "SECRET":
        return "secret:" + "".join(written.split())
    if type_ == "IP_ADDRESS":
        return "ip:" + _ip(folded)
    return "code:" + _SEPARATORS.sub("", folded).upper()


def possible_forms(written: str) -> Iterator[str]:
    """The forms of a value of which nobody says what it is."""
    for type_ in ("EMAIL_ADDRESS", "PHONE_NUMBER", "PERSON", "SECRET", "IP_ADDRESS", "US_SSN"):
        yield normal_form(type_, written.strip())


def _mail(folded: str) -> str:
    return "".join(_DOT.sub(".", _AT.sub("@", _HYPHENATED.sub("", folded))).lower().split())


def _phone(folded: str) -> str:
    """With its country's code where it is written with one; of ten digits and a North American form, with a 1."""
    plain = _EXTENSION.sub("", folded).replace("(0)", "")
    digits = re.sub("[^0-9]", "", plain) or plain.upper()
    if "+" in plain:
        return digits
    if digits.startswith("00"):
        return digits[2:]
    if digits.startswith("011") and len(digits) > 11:
        return digits[3:]
    return f"1{digits}" if len(digits) == 10 and digits[0] in "23456789" else digits


def _ip(folded: str) -> str:
    from ipaddress import ip_address

    plain = "".join(_DOT.sub(".", folded).split())
    try:
        return str(ip_address(plain))
    except ValueError:
        return plain.lower()
