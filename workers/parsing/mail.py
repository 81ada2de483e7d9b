"""Owns e-mail: the headers that people read, the bodies, and what is attached, each by the parser of its own format."""

from email import message_from_bytes
from email.errors import CloseBoundaryNotFoundDefect, InvalidBase64CharactersDefect, InvalidBase64PaddingDefect
from email.message import EmailMessage, Message
from email.policy import default

from embedmill.shared.encoding import decode, decode_unicode
from embedmill.shared.errors import DocumentError, UnsupportedDocument
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.html import read_markup
from embedmill.workers.parsing.parse import parse
from embedmill.workers.parsing.text import read_text

SHOWN_HEADERS = ("From", "To", "Cc", "Date")

# What the standard library's header parser is known to raise on malformed headers.
_HEADER_ERRORS = (ValueError, LookupError, AttributeError, TypeError, AssertionError)


# The pictures of a page: signatures and logos, mostly.
_SHOWN_IN_BODY = "multipart/related"
_DAMAGES = (InvalidBase64CharactersDefect, InvalidBase64PaddingDefect)


def read(data: bytes, draft: Draft) -> None:
    """A message saved in UTF-16, as some programs do, is read as the text that it is."""
    text = decode_unicode(data) if not data.isascii() or b"\0" in data else None
    source = data if text is None else text.encode("utf-8", errors="replace")
    _Reader(draft).read_message(message_from_bytes(source.lstrip(), policy=default), level=1)


class _Reader:
    """Reads one file's message with what is in it; what is attached lies one deeper than its message."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._attachments = 0

    def read_message(self, message: Message, *, level: int) -> None:
        self._draft.heading(self._header(message, "Subject"), level=level)
        lines = [f"{name}: {value}" for name in SHOWN_HEADERS if (value := self._header(message, name))]
        self._draft.paragraph("\n".join(lines))
        self._read_part(message, level=level)

    def _header(self, message: Message, name: str) -> str:
        try:
            value = message.get(name, "")
        except _HEADER_ERRORS:
            self._draft.note(f"the header {name} is malformed and was left out")
            return ""
        return " ".join(str(value).split())

    def _read_part(self, part: Message, *, level: int, around: str = "") -> None:
        kind = part.get_content_type()
        if any(isinstance(defect, CloseBoundaryNotFoundDefect) for defect in part.defects):
            self._draft.note("the message is cut short: the end of its parts is missing")
        if kind == "message/rfc822":
            self._read_nested(part, level=level)
        elif kind == "multipart/alternative":
            self._read_alternative(_children(part), level=level)
        elif part.is_multipart():
            for child in _children(part):
                self._read_part(child, level=level, around=kind)
        else:
            self._read_leaf(part, kind, level=level, around=around)

    def _read_nested(self, part: Message, *, level: int) -> None:
        for nested in _children(part):
            self.read_message(nested, level=level + 1)

    def _read_alternative(self, parts: list[Message], *, level: int) -> None:
        """The plain version when it says anything, else the last one, which the sender thinks richest."""
        plain = [part for part in parts if part.get_content_type() == "text/plain" and _payload(part).strip()]
        for part in plain[:1] or parts[-1:]:
            self._read_part(part, level=level, around="multipart/alternative")

    def _read_leaf(self, part: Message, kind: str, *, level: int, around: str) -> None:
        name = _filename(part)
        if kind.startswith("image/") and around == _SHOWN_IN_BODY and not _is_attachment(part):
            return
        if _is_attachment(part) or name or not kind.startswith("text/"):
            self._read_attachment(part, name or kind, level=level)
            return
        try:
            self._read_body(part, kind)
        except UnsupportedDocument:
            self._draft.note("a body in an unknown encoding was left out")

    def _read_body(self, part: Message, kind: str) -> None:
        if not (payload := _payload(part)):
            return
        text = self._draft.decode(payload, declared=_charset(part))
        self._note_damage(part, "a body")
        if kind == "text/html":
            read_markup(text, self._draft)
        else:
            read_text(text, self._draft)

    def _read_attachment(self, part: Message, name: str, *, level: int) -> None:
        """Under its name, as the document that it is; what cannot be read is named, and costs nothing else."""
        payload = _payload(part)
        self._note_damage(part, f"the attachment {name}")
        try:
            self._require_within_limits()
            document = parse(
                _in_unicode(payload, part), name=name, limits=self._draft.room, depth=self._draft.depth + 1
            )
        except DocumentError as error:
            if isinstance(error.__cause__, MemoryError):
                raise
            self._draft.note(f"attachment left out: {name}: {error}")
            self._draft.paragraph(f"Attachment: {name}")
            return
        self._draft.heading(name, level=level + 1)
        self._draft.extend(document, below=level + 1, name=name)

    def _require_within_limits(self) -> None:
        limits = self._draft.limits
        self._attachments += 1
        if self._attachments > limits.attachments:
            raise UnsupportedDocument(f"more than {limits.attachments} are attached")
        if self._draft.depth >= limits.attachment_depth:
            raise UnsupportedDocument("it is attached to an attachment, too deep")

    def _note_damage(self, part: Message, what: str) -> None:
        if any(isinstance(defect, _DAMAGES) for defect in part.defects):
            self._draft.note(f"the encoding of {what} is damaged: some of it may be missing")


def _children(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def _in_unicode(payload: bytes, part: Message) -> bytes:
    """A text in the encoding that its part declares, as UTF-8: its own parser knows nothing of the declaration."""
    charset = _charset(part) if part.get_content_maintype() == "text" else None
    if not charset or decode_unicode(payload) is not None:
        return payload
    found = decode(payload, declared=charset)
    return payload if found.guess else found.text.encode("utf-8", errors="replace")


def _is_attachment(part: Message) -> bool:
    try:
        return isinstance(part, EmailMessage) and part.is_attachment()
    except _HEADER_ERRORS:
        return False


def _filename(part: Message) -> str:
    try:
        return " ".join((part.get_filename() or "").split())
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
