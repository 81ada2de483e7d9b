"""Owns e-mail: the headers that people read, the bodies, and messages inside messages; attachments are only named."""

from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default

from shared.errors import UnsupportedDocument
from workers.parsing.draft import Draft
from workers.parsing.encoding import decode, decode_unicode
from workers.parsing.html import read_markup
from workers.parsing.text import read_text

SHOWN_HEADERS = ("From", "To", "Cc", "Date")

# What the standard library's header parser is known to raise on malformed headers.
_HEADER_ERRORS = (ValueError, LookupError, AttributeError, TypeError, AssertionError)


def read(data: bytes, draft: Draft) -> None:
    """A message saved in UTF-16, as some programs do, is read as the text that it is."""
    text = decode_unicode(data) if not data.isascii() or b"\0" in data else None
    source = data if text is None else text.encode("utf-8", errors="replace")
    _read_message(message_from_bytes(source.lstrip(), policy=default), draft, depth=1)


def _read_message(message: Message, draft: Draft, *, depth: int) -> None:
    draft.heading(_header(message, "Subject"), level=depth)
    lines = [f"{name}: {value}" for name in SHOWN_HEADERS if (value := _header(message, name))]
    draft.paragraph("\n".join(lines))
    _read_part(message, draft, depth=depth)


def _header(message: Message, name: str) -> str:
    try:
        value = message.get(name, "")
    except _HEADER_ERRORS:
        return ""
    return " ".join(str(value).split())


def _read_part(part: Message, draft: Draft, *, depth: int) -> None:
    kind = part.get_content_type()
    if kind == "message/rfc822":
        for nested in _children(part):
            _read_message(nested, draft, depth=depth + 1)
    elif kind == "multipart/alternative":
        _read_alternative(_children(part), draft, depth=depth)
    elif part.is_multipart():
        for child in _children(part):
            _read_part(child, draft, depth=depth)
    else:
        _read_leaf(part, draft, kind)


def _children(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def _read_alternative(parts: list[Message], draft: Draft, *, depth: int) -> None:
    """The plain version when it says anything, else the last one, which the sender thinks richest."""
    plain = [part for part in parts if part.get_content_type() == "text/plain" and _payload(part).strip()]
    for part in plain[:1] or parts[-1:]:
        _read_part(part, draft, depth=depth)


def _read_leaf(part: Message, draft: Draft, kind: str) -> None:
    if _is_attachment(part) or not kind.startswith("text/"):
        draft.note(f"attachment left out: {_filename(part) or kind}")
        return
    try:
        _read_body(part, draft, kind)
    except UnsupportedDocument:
        draft.note("a body in an unknown encoding was left out")


def _read_body(part: Message, draft: Draft, kind: str) -> None:
    if not (payload := _payload(part)):
        return
    text = decode(payload, declared=_charset(part))
    if kind == "text/html":
        read_markup(text, draft)
    else:
        read_text(text, draft)


def _is_attachment(part: Message) -> bool:
    try:
        return isinstance(part, EmailMessage) and part.is_attachment()
    except _HEADER_ERRORS:
        return False


def _filename(part: Message) -> str:
    try:
        return part.get_filename() or ""
    except _HEADER_ERRORS:
        return ""


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except _HEADER_ERRORS:
        return None


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
