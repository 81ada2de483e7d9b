"""One spelling for all that a document may be called by: what tells whether two URIs are one page or one file."""

import os
import re
import socket
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv6Address
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit, urlunsplit

from embedmill.shared.buckets.names import SCHEME as BUCKET
from embedmill.shared.buckets.names import BucketPlace
from embedmill.shared.errors import UsageError
from embedmill.shared.parameters import PORTS, TRACKING, filtered, kept, parameter, without_session
from embedmill.shared.uris import path_to_uri

SPELLED = ("file:", "s3:", "http:", "https:")
"""What begins so has more spellings than one."""
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_NO_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_DOT = re.compile("%2e", re.IGNORECASE)
_SLASHES = re.compile("/{2,}")
_WRITTEN = "%/:?#[]@!$&'()*+,;=~"
_BEFORE_QUERY = re.compile(r"[^?#]*")
_FILE_END, _PAGE_END = re.compile("[?#]"), re.compile("#")
_NUMBERS = re.compile(r"(?:(?:0x[0-9a-f]*|\d+)\.){0,3}(?:0x[0-9a-f]*|\d+)")


def whole_of(uri: str) -> str:
    """The page or file that a URI names a part of: without what follows `#`, and of a file also `?`."""
    scheme = uri.strip().partition(":")[0].lower()
    ends = {"file": _FILE_END, "http": _PAGE_END, "https": _PAGE_END}.get(scheme)
    return ends.split(uri, maxsplit=1)[0] if ends else uri


def one_spelling(uri: str) -> str:
    """What all spellings of the URI of a page, a file or an object have in common; any other URI as it is.

    What a part of a page or file is called stays as it is written.
    """
    text = uri.strip()
    part = text[len(whole_of(text)) :]
    scheme = text.partition(":")[0].lower()
    try:
        match scheme:
            case "file":
                return _joined(_file(text), part) or uri
            case "s3":
                place = BucketPlace.parse(BUCKET + text[len(BUCKET) :])
                return replace(place, bucket=place.bucket.lower(), host=place.host.lower()).uri
            case "http" | "https":
                return _joined(_page(text), part) or uri
            case _:
                return uri
    except (UsageError, ValueError):
        return uri


def _joined(whole: str, part: str) -> str:
    return whole and whole + part


def _file(uri: str) -> str:
    """Of this machine, by its path alone; "" for another host's."""
    path = whole_of(uri).partition(":")[2]
    if path.startswith("//"):
        host, _, path = path[2:].partition("/")
        if host.lower() not in ("", "localhost"):
            return ""
        path = f"/{path}"
    plain = os.path.normpath(unquote_to_bytes(path))
    return path_to_uri(b"/" + plain.lstrip(b"/")) if plain.startswith(b"/") else ""


def _page(uri: str) -> str:
    """Its address as browsers and sites have it, without what says nothing; "" for no host."""
    parts = urlsplit(_BEFORE_QUERY.sub(lambda found: found[0].replace("\\", "/"), uri, count=1))
    host = _host(unquote(parts.hostname or ""))
    if not host:
        return ""
    port = "" if parts.port in (None, PORTS[parts.scheme]) else f":{parts.port}"
    plain = urlunsplit((parts.scheme, host + port, _plain(parts.path) or "/", _plain(parts.query), ""))
    whole = urlsplit(kept(without_session(plain)))
    path = _SLASHES.sub("/", resolved(whole.path))
    return f"https://{address_key(urlunsplit((*whole[:2], path, whole.query, '')))}".removesuffix("?")


def _host(host: str) -> str:
    """In small letters, as it is asked for, and a number as it is usually written."""
    name = host.lower()
    if ":" in name:
        address = IPv6Address(name)
        return str(address.ipv4_mapped or f"[{address.compressed}]")
    if not name.isascii():
        with suppress(UnicodeError):
            name = name.encode("idna").decode("ascii").lower()
    name = name.removesuffix(".")
    try:
        return socket.inet_ntoa(socket.inet_aton(name)) if _NUMBERS.fullmatch(name) else name
    except OSError:
        return name


def resolved(path: str) -> str:
    """A path without its dots, as browsers and sites have it, whether they are written as `%2E` or not."""
    plain = _DOT.sub(".", path)
    if "/." not in plain:
        return path
    parts = plain.split("/")[1:]
    found: list[str] = []
    for part in parts:
        if part == "..":
            del found[-1:]
        elif part != ".":
            found.append(part)
    return "/" + "/".join([*found, ""] if parts[-1] in (".", "..") else found)


def address_key(address: str) -> str:
    """What two addresses of one page have in common: letters that need no `%` without it, and a query in one order."""
    parts = urlsplit(filtered(address, lambda part: not TRACKING.fullmatch(parameter(part))))
    query = "&".join(sorted(_ESCAPE.sub(_unescaped, parts.query).split("&")))
    return f"{parts.netloc}{_ESCAPE.sub(_unescaped, parts.path)}?{query}"


def _plain(text: str) -> str:
    """A part of an address with `%` where it must be, and only there."""
    return _ESCAPE.sub(_unescaped, quote(_NO_ESCAPE.sub("%25", text), safe=_WRITTEN))


def _unescaped(escaped: re.Match[str]) -> str:
    """RFC 3986: what is not reserved means the same with and without `%`, and so do small letters in its number."""
    character = chr(int(escaped[1], 16))
    return character if character.isascii() and (character.isalnum() or character in "-._~") else escaped[0].upper()
