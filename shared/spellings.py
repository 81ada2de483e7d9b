"""One spelling for all that a document may be called by: what tells whether two URIs are one page or one file."""

import os
import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import unquote_plus, urljoin, urlsplit, urlunsplit

from embedmill.shared.uris import SCHEME, path_to_uri, uri_to_path

PORTS: Final = {"http": 80, "https": 443}
TRACKING = re.compile(
    r"utm_\w+|gclid|gclsrc|dclid|fbclid|msclkid|yclid|twclid|igshid|mc_[ce]id|_ga|_gl|_hsenc|_hsmi|mkt_tok|ref_src|"
    r"vero_\w+|oly_\w+_id",
    re.IGNORECASE,
)
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")


def one_spelling(uri: str) -> str:
    """What all spellings of the URI of a page or a file have in common; any other URI as it is."""
    scheme = uri.partition(":")[0].lower()
    try:
        if scheme == "file":
            return path_to_uri(os.path.normpath(uri_to_path(SCHEME + uri[len(SCHEME) :])))
        return f"https://{address_key(_whole(uri)).removesuffix('?')}" if scheme in PORTS else uri
    except ValueError:
        return uri


def _whole(uri: str) -> str:
    """The address of a page in small letters as far as they are one, and without what says nothing."""
    parts = urlsplit(uri)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = "" if parts.port in (None, PORTS[parts.scheme]) else f":{parts.port}"
    path = urlsplit(urljoin("http://host/", parts.path or "/")).path if not parts.path.startswith("//") else parts.path
    return urlunsplit((parts.scheme, host + port, path, parts.query, ""))


def address_key(address: str) -> str:
    """What two addresses of one page have in common: letters that need no `%` without it, and a query in one order."""
    parts = urlsplit(filtered(address, lambda part: not TRACKING.fullmatch(parameter(part))))
    query = "&".join(sorted(parts.query.split("&")))
    return _ESCAPE.sub(_plain, f"{parts.netloc}{parts.path}?{query}")


def _plain(escaped: re.Match[str]) -> str:
    """RFC 3986: what is not reserved means the same with and without `%`, and so do small letters in its number."""
    character = chr(int(escaped[1], 16))
    return character if character.isascii() and (character.isalnum() or character in "-._~") else escaped[0].upper()


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
