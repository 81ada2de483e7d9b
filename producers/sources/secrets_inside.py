"""Telling from the start of a file that it is a private key or holds credentials, and does not just mention them.

A page of documentation that shows a key is a document. A file is a key when nothing but blocks of keys, certificates
and their attributes is in it, and a file of credentials when all of it has the form of one.
"""

import re

import orjson

from producers.sources.left_out import LeftOut

_PEM_KEY = b"PRIVATE KEY"
# How all of these files begin, blanks and comments included; nearly every document is known by this to be none.
_FIRST = (b"-----BEGIN ", b"#", b";", b"//", b"Bag ", b"Key ", b"subject=", b"issuer=", b"PuTTY-", b"SSH PRIVATE ",
          b"AGE-", b"[", b"aws_", b"AWS_", b"machine", b"default", b"{")  # fmt: skip
_BEGINS = (b"PuTTY-User-Key-File-", b"SSH PRIVATE KEY FILE FORMAT 1.1")
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----[ \t]*(?:\r?\n.*?(?:-----END \1-----|\Z)|\Z)", re.DOTALL)
# What OpenSSL and people write around blocks: comments, `Bag Attributes` and `name: value` or `name=value` below it.
_AROUND = re.compile(rb"(?:#|;|//|Bag Attributes|Key Attributes|subject=|issuer=|[ \t]+[\w .-]{1,60}[:=]).*|[ \t]*")
_AGE_KEY = re.compile(rb"(?:[ \t]*(?:#.*)?\r?\n)*AGE-SECRET-KEY-1")
_INI = re.compile(rb"[ \t]*(?:[#;].*|\[[^\]\n]*\]|[\w.-]+[ \t]*=.*)?")
_AWS = re.compile(rb"^[ \t]*aws_(?:secret_access_key|session_token)[ \t]*=[ \t]*\S", re.MULTILINE | re.IGNORECASE)
_NETRC = re.compile(rb"\s*(?:#.*\n\s*)*(?:machine\s+\S+|default)\s+login\s+\S+\s+password\s+\S")
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_SECRET_FIELDS = ({"private_key", "client_email"}, {"client_id", "client_secret"}, {"kty", "d"})
# A file of this name is a key unless it says that it is not.
_KEY_SUFFIXES = (b".pem", b".key", b".p8", b".pk8")
_ZIP = b"PK\x03\x04"


def reason_by_content(name: bytes, head: bytes) -> LeftOut | None:
    """Why a file is left out that begins with `head`, which is more than people keep in a file of keys."""
    text = _narrow(head)
    if name.lower().endswith(_KEY_SUFFIXES) and not _is_public(text):
        return LeftOut.PRIVATE_KEY
    if not text.startswith(_FIRST):
        return None
    if text.startswith(_BEGINS) or _is_pem_key(text) or _is_age_key(text):
        return LeftOut.PRIVATE_KEY
    return LeftOut.CREDENTIALS if _is_aws(text) or _is_cloud_json(text) or _is_netrc(text) else None


def _narrow(head: bytes) -> bytes:
    """Without a mark and blanks before it, and as 8-bit text where it is UTF-16, as PowerShell writes."""
    if encoding := _UTF16.get(head[:2]):
        head = head[2:].decode(encoding, "replace").encode("utf-8", "replace")
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


def _is_pem_key(text: bytes) -> bool:
    if _PEM_KEY not in text:
        return False
    if not any(_PEM_KEY in match[1] for match in _BLOCK.finditer(text)):
        return False
    return all(_AROUND.fullmatch(line.rstrip()) for line in _BLOCK.sub(b"", text).splitlines())


def _is_public(text: bytes) -> bool:
    """Whether a file named as a key shows that it is none: certificates, public keys, or Apple's presentations."""
    if text.startswith(_ZIP) or not text:
        return True
    return b"-----BEGIN " in text and _PEM_KEY not in text


def _is_age_key(text: bytes) -> bool:
    return b"AGE-SECRET-KEY-1" in text and _AGE_KEY.match(text) is not None


def _is_netrc(text: bytes) -> bool:
    return _NETRC.match(text) is not None


def _is_aws(text: bytes) -> bool:
    if b"aws_" not in text and b"AWS_" not in text:
        return False
    return bool(_AWS.search(text)) and all(_INI.fullmatch(line.rstrip()) for line in text.splitlines())


def _is_cloud_json(text: bytes) -> bool:
    """A service account's key, a client's secret or a private JSON Web Key, whatever the file is called."""
    if not text.startswith(b"{") or not any(mark in text for mark in (b'"private_key"', b'_secret"', b'"kty"')):
        return False
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    keys = value.get("keys")
    parts = [value, value.get("installed"), value.get("web"), *(keys if isinstance(keys, list) else [])]
    return any(isinstance(part, dict) and any(part.keys() >= fields for fields in _SECRET_FIELDS) for part in parts)
