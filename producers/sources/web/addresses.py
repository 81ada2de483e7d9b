"""Addresses of pages: how links are made whole, what of them is never kept, which are one, and which lead on for ever.

An address has three forms. `asked` is what the site is sent. `address` is the document's identity, and is all that is
kept and shown: it has no password, token or signature. The `key` tells whether two addresses are one page, so that
order and tracking in a query make no second one, nor does http beside https.
"""

import re
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from w3lib.url import safe_url_string

from embedmill.shared.errors import UsageError
from embedmill.shared.parameters import PORTS, TRACKING, filtered, kept, parameter, without_session
from embedmill.shared.spellings import resolved

SCHEMES: Final = ("http", "https")
MOST_CHARACTERS = 2000
MOST_SEGMENTS = 30
MOST_OF_ONE_NAME = 8
"""Parameters of one name in a query."""
YEARS_AHEAD, MOST_YEARS_AHEAD = 1, 1000
"""A calendar's pages from the year after the next on; what is no year is no calendar."""

_REPEATED = re.compile(r"((?:/[^/]+){1,3}?)\1{2,}(?=/|$)")
# Most links are written as they are asked.
_SAFE = re.compile(r"(?:[\w.~:/?#&=+,;@!$*-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_DIGITS = re.compile(r"\d+")
_DATE = re.compile(
    r"(?<!\d)(\d{4})[-/_](?:0?[1-9]|1[0-2])(?!\d)|(?:^|[?&;/])(?:y|year|jahr|annee)[=/](\d{4})(?!\d)", re.IGNORECASE
)

_CALENDAR = re.compile(
    r"(?:^|[^a-z])(?:i?cal|calend[aei]r\w*|kalender\w*|calendrier|agenda|events?|termine?|month\w*|monat\w*|weeks?|days?|dates?)"
    r"(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Link:
    """A page by what is kept of its address, and by what is asked."""

    address: str
    asked: str


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """What a user named, and the header that goes to its origin where the address had a password."""

    link: Link
    authorization: str = ""


def read_named(argument: str) -> NamedAddress:
    """The page that a user named; UsageError, without the address' secrets, for what is none."""
    try:
        parts = urlsplit(_written(argument, "utf-8"))
        authorization = _authorization(parts)
        whole = _whole(parts)
    except ValueError:
        whole = None
    if whole is None:
        raise UsageError("this is no address of a page", hint="Write it as https://HOST/PATH.")
    return NamedAddress(Link(kept(whole), whole), authorization)


def authorization(login: str) -> str:
    """The header for a login: `USER:PASSWORD`, or `Bearer TOKEN` as it is."""
    if login.startswith("Bearer "):
        return login
    return "Basic " + b64encode(login.encode()).decode("ascii")


def join(href: str, *, base: str, charset: str = "utf-8") -> Link | None:
    """A link on a page, without what only follows readers about; None for what leads to no page."""
    try:
        parts = urlsplit(urljoin(base, _written(href, charset)))
        whole = _whole(parts)
    except ValueError:
        return None
    if whole is None:
        return None
    asked = filtered(whole, lambda part: not TRACKING.fullmatch(parameter(part)))
    return Link(kept(asked), asked)


def lead(location: str, *, base: str) -> Link | None:
    """Where a redirect leads, to the letter; None where that is no page."""
    try:
        whole = _whole(urlsplit(urljoin(base, _written(location, "utf-8"))))
    except ValueError:
        return None
    return Link(kept(whole), whole) if whole else None


def origin(address: str) -> str:
    """Scheme, host and port: what robots.txt, passwords and connections are of."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def place(address: str) -> str:
    """Host, and port where it is not the scheme's own: what a crawl stays within, and one place in politeness."""
    return urlsplit(address).netloc


def site(address: str) -> set[str]:
    """The places of a site: the host, and the same with or without `www.`."""
    found = place(address)
    return {found, found.removeprefix("www.") if found.startswith("www.") else f"www.{found}"}


def shape(address: str) -> str:
    """The address with a sign for each number, and the names of its parameters: the same for pages of one making."""
    parts = urlsplit(address)
    names = sorted({parameter(part) for part in parts.query.split("&")})
    return _DIGITS.sub("#", f"{parts.netloc}{unquote(parts.path)}?{'&'.join(names)}")


def is_of_calendar(address: str) -> bool:
    """Whether an address looks like a calendar's, whose pages may differ in nothing but dates."""
    parts = urlsplit(address)
    text = f"{parts.path}?{parts.query}"
    return _CALENDAR.search(text) is not None or _DATE.search(text) is not None


def trap(address: str, *, year: int) -> str:
    """The rule by which an address is not asked, because addresses of its kind have no end; "" when none is."""
    parts = urlsplit(address)
    counts = Counter(parameter(part) for part in parts.query.split("&") if part)
    rules = (
        ("it is longer than 2,000 characters", len(address) > MOST_CHARACTERS),
        ("its path repeats itself", _repeats(parts.path)),
        ("its path is too deep", parts.path.count("/") > MOST_SEGMENTS),
        ("a parameter of it is repeated", any(count > MOST_OF_ONE_NAME for count in counts.values())),
        ("it is a calendar's page of years ahead", _is_far_date(f"{parts.path}?{parts.query}", year)),
    )
    return next((rule for rule, holds in rules if holds), "")


def _repeats(path: str) -> bool:
    found = _REPEATED.search(path)
    # Days and months are alike now and then: /11/11/11.
    return found is not None and not (_DIGITS.fullmatch(found[1].replace("/", "")) and found[0].count("/") <= 3)


def _is_far_date(text: str, year: int) -> bool:
    years = (int(found[1] or found[2]) for found in _DATE.finditer(text))
    return any(YEARS_AHEAD < each - year < MOST_YEARS_AHEAD for each in years)


def _written(text: str, charset: str) -> str:
    """As browsers write what stands in a page."""
    stripped = text.strip()
    return stripped if _SAFE.fullmatch(stripped) else safe_url_string(stripped, encoding=charset)


def _whole(parts: SplitResult) -> str | None:
    """Without fragment, password and session, with a path; None unless it is of the web. Raises ValueError."""
    host, port = parts.hostname, parts.port
    if parts.scheme not in SCHEMES or not host:
        return None
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != PORTS[parts.scheme]:
        netloc = f"{netloc}:{port}"
    whole = urlsplit(without_session(urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))))
    return urlunsplit((*whole[:2], resolved(whole.path), *whole[3:]))


def _authorization(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    return authorization(f"{unquote(parts.username)}:{unquote(parts.password or '')}")
