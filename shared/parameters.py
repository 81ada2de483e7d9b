"""What parameters in the address of a page say nothing of the page: sessions, what follows readers, what lets in."""

import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import unquote_plus, urlsplit, urlunsplit

PORTS: Final = {"http": 80, "https": 443}
TRACKING = re.compile(
    r"utm_\w+|gclid|gclsrc|dclid|fbclid|msclkid|yclid|twclid|igshid|mc_[ce]id|_ga|_gl|_hsenc|_hsmi|mkt_tok|ref_src|"
    r"vero_\w+|oly_\w+_id",
    re.IGNORECASE,
)
_SESSION = re.compile(
    r"phpsessid|jsessionid|aspsessionid\w*|cfid|cftoken|sess(?:ion)?_?(?:id)?|zenid|oscsid", re.IGNORECASE
)
# A number of a story is called sid, too.
_SHORT_SESSION = re.compile(r"(?:sid|s)=[0-9a-z]{20,}", re.IGNORECASE)
_SESSION_IN_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;?]*|/\([A-Z]\([a-z0-9]{20,}\)\)(?=/)", re.IGNORECASE)
_SECRET = re.compile(
    r"x-(?:amz|goog|oss|obs|cos)-.*|awsaccesskeyid|googleaccessid|ossaccesskeyid|key-pair-id|signature|sig|"
    r"(?:\w+_?)?token|api_?key|(?:client_?)?secret|pass(?:word|wd)?|pwd|auth|authorization|credentials?|jwt|hmac",
    re.IGNORECASE,
)
# What stands beside a signature and means nothing without it.
_SIGNED = re.compile(r"expires|policy|s[tepvrks]|spr|sk\w{1,3}|srt|ss", re.IGNORECASE)
_SIGNATURE = re.compile(r"(?:^|&)(?:sig|signature)=", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"eyJ[\w-]{8,}\.eyJ|xox[a-z]-|gh[pousr]_\w{20}|AKIA[0-9A-Z]{12}|AIza[\w-]{30}|sk-[\w-]{20}")


def without_session(address: str) -> str:
    """Without what tells one visit from another, in the path or in the query."""
    parts = urlsplit(address)
    path = _SESSION_IN_PATH.sub("", parts.path) or "/"
    return filtered(urlunsplit((*parts[:2], path, *parts[3:])), lambda part: not _is_session(part))


def kept(address: str) -> str:
    """Without what lets somebody in."""
    signed = _SIGNATURE.search(urlsplit(address).query) is not None
    return filtered(address, lambda part: not _is_secret(part, signed=signed))


def _is_session(part: str) -> bool:
    return _SESSION.fullmatch(parameter(part)) is not None or _SHORT_SESSION.fullmatch(part) is not None


def _is_secret(part: str, *, signed: bool) -> bool:
    name = parameter(part)
    if _SECRET.fullmatch(name) or (signed and _SIGNED.fullmatch(name)):
        return True
    return _SECRET_VALUE.search(unquote_plus(part)) is not None


def filtered(address: str, keeps: Callable[[str], bool]) -> str:
    """With those parameters only, and each once, written as they were."""
    parts = urlsplit(address)
    if not parts.query:
        return address
    return urlunsplit((*parts[:3], "&".join(_once(filter(keeps, parts.query.split("&")))), parts.fragment))


def _once(parts: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(part for part in parts if part)


def parameter(part: str) -> str:
    """The name of a parameter of a query."""
    return unquote_plus(part.partition("=")[0])
