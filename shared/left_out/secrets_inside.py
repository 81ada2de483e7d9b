"""Telling from the start of a file that it is a private key or holds credentials, and does not just mention them.

A page of documentation that shows a key is a document. A file is a key when nothing but blocks of keys, certificates
and their attributes is in it; files of credentials are known by their forms (`credentials_inside`).
"""

import re

from embedmill.shared.left_out.credentials_inside import is_credentials
from embedmill.shared.left_out.names import LeftOut

_PEM_KEY = b"PRIVATE KEY"
# How all keys begin, blanks and comments included; nearly every document is known by this to be none.
_FIRST = (b"-----BEGIN ", b"#", b";", b"//", b"Bag ", b"Key ", b"subject=", b"issuer=", b"PuTTY-", b"SSH PRIVATE ",
          b"AGE-")  # fmt: skip
_BEGINS = (b"PuTTY-User-Key-File-", b"SSH PRIVATE KEY FILE FORMAT 1.1")
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----[ \t]*(?:\r?\n.*?(?:-----END \1-----|\Z)|\Z)", re.DOTALL)
# What OpenSSL and people write around blocks: comments, `Bag Attributes` and `name: value` or `name=value` below it.
_AROUND = re.compile(rb"(?:#|;|//|Bag Attributes|Key Attributes|subject=|issuer=|[ \t]+[\w .-]{1,60}[:=]).*|[ \t]*")
_AGE_KEY = re.compile(rb"(?:[ \t]*(?:#.*)?\r?\n)*AGE-SECRET-KEY-1")
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
# A file of this name is a key unless it says that it is not.
_KEY_SUFFIXES = (b".pem", b".key", b".p8", b".pk8")
_ZIP = b"PK\x03\x04"


def reason_by_content(name: bytes, head: bytes) -> LeftOut | None:
    """Why a file is left out that begins with `head`, which is more than people keep in a file of keys."""
    text = _narrow(head)
    if name.lower().endswith(_KEY_SUFFIXES) and not _is_public(text):
        return LeftOut.PRIVATE_KEY
    if text.startswith(_FIRST) and (text.startswith(_BEGINS) or _is_pem_key(text) or _is_age_key(text)):
        return LeftOut.PRIVATE_KEY
    return LeftOut.CREDENTIALS if is_credentials(text) else None


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
