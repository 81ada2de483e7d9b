"""Normal forms of values: what is written in two ways is one value, in a document and when it is to be erased."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from socket import AF_INET6, inet_ntop, inet_pton

from embedmill.shared.redaction.folding import fold
from embedmill.shared.redaction.late import late

NAMES = frozenset({"PERSON", "LOCATION", "ORGANIZATION"})
_SEPARATORS = late(r"[\x00-/:-@\[-`{-\x7f]+")
_NO_SIGNS = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))
_AT = late(r"\s*[\[({<]\s*at\s*[\])}>]\s*|\s+at\s+|[%=]40|\\u0040|&(?:#64|#x40|commat);", re.IGNORECASE)
_DOT = late(r"\s*[\[({<]\s*(?:dot|\.)\s*[\])}>]\s*|\s+dot\s+|[%=]2e|&(?:period|#46);", re.IGNORECASE)
_PLAIN_MAIL = late("[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
_PLAIN_V4 = late(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")
_PLAIN_IP = late("[0-9A-Fa-f.:]+")
_PLAIN_PHONE = late("[0-9 +().-]+")
_DIGITS = late("[^0-9]+")
_HYPHENATED = late(r"[-=]\r?\n")
EXTENSIONS = r"ext(?:n|ension)?\.?|x|#|dw\.?|durchwahl|app(?:arat)?\.?|nebenstelle|poste|int(?:erno)?\.?|anexo|toestel"
"""Words between a number and its extension."""
_EXTENSION = late(rf"[\s,;]*(?:{EXTENSIONS}).*\Z", re.IGNORECASE | re.DOTALL)


def normal_form(type_: str, written: str) -> str:
    """A value as it is compared, with the kind of its form before it."""
    folded = written if written.isascii() else fold(written).text
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
    return "code:" + (_bare(folded) if folded.isascii() else _SEPARATORS.sub("", folded)).upper()


def possible_forms(written: str) -> Iterator[str]:
    """The forms of a value of which nobody says what it is."""
    for type_ in ("EMAIL_ADDRESS", "PHONE_NUMBER", "PERSON", "SECRET", "IP_ADDRESS", "US_SSN"):
        yield normal_form(type_, written.strip())


def _bare(written: str) -> str:
    """Letters and digits of a text in ASCII."""
    return "".join(written.translate(_NO_SIGNS).split())


def _mail(folded: str) -> str:
    if _PLAIN_MAIL.fullmatch(folded):
        return folded.lower()
    return "".join(_DOT.sub(".", _AT.sub("@", _HYPHENATED.sub("", folded))).lower().split())


def _phone(folded: str) -> str:
    """With its country's code where it is written with one; of ten digits and a North American form, with a 1."""
    is_plain = _PLAIN_PHONE.fullmatch(folded) is not None
    plain = (folded if is_plain else _EXTENSION.sub("", folded)).replace("(0)", "")
    digits = _bare(plain) if is_plain else _DIGITS.sub("", plain) or plain.upper()
    if "+" in plain:
        return digits
    if digits.startswith("00"):
        return digits[2:]
    if digits.startswith("011") and len(digits) > 11:
        return digits[3:]
    return f"1{digits}" if len(digits) == 10 and digits[0] in "23456789" else digits


def _ip(folded: str) -> str:
    plain = folded if _PLAIN_IP.fullmatch(folded) else "".join(_DOT.sub(".", folded).split())
    return plain if _PLAIN_V4.fullmatch(plain) else _short(plain)


def _short(plain: str) -> str:
    """As RFC 5952 writes it; addresses that end as those of version 4 do are written as Python does."""
    try:
        short = inet_ntop(AF_INET6, inet_pton(AF_INET6, plain))
        return str(ip_address(plain)) if "." in short else short
    except (OSError, ValueError):
        return plain.lower()
