"""Owns e-mail: the headers that people read, the bodies, and what is attached, each by the parser of its own format."""

import re
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.errors import CloseBoundaryNotFoundDefect, InvalidBase64CharactersDefect, InvalidBase64PaddingDefect
from email.message import EmailMessage, Message
from email.policy import EmailPolicy
from functools import partial
from typing import Any

from embedmill.shared.encoding import decode, decode_unicode
from embedmill.shared.errors import DocumentError, EncryptedDocument, UnsupportedDocument
from embedmill.workers.parsing.cards import read_cards
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.html import read_message as read_page
from embedmill.workers.parsing.mail_versions import says_enough
from embedmill.workers.parsing.parse import parse
from embedmill.workers.parsing.replies import read_body, unflowed
from embedmill.workers.parsing.signed_mail import (
    ENCRYPTED_PGP,
    PGP_VERSION,
    SIGNATURES,
    SIGNED,
    message_within,
    without_armour,
)
from embedmill.workers.parsing.uuencode import split_files

SHOWN_HEADERS = ("From", "To", "Cc", "Date")
_READ_HEADERS = frozenset({"subject", "content-type", "content-disposition", *(name.lower() for name in SHOWN_HEADERS)})
DEEPEST_MESSAGE = 10
"""Messages that are forwarded in one another."""
LONGEST_HEADER = 8192
"""In characters: what parses headers takes time that grows with the square of their length."""

# What the standard library's header parser is known to raise on malformed headers.
_HEADER_ERRORS = (ValueError, LookupError, AttributeError, TypeError, AssertionError)


# The pictures of a page: signatures and logos, mostly.
_SHOWN_IN_BODY = "multipart/related"
_VERSIONS = "multipart/alternative"
_CARDS = frozenset(("text/calendar", "text/vcard", "text/x-vcard"))
_EMLX = re.compile(rb"(\d{1,12})[ \t]*\r?\n")
"""Apple's programs write the length of a message before it, and what they keep of it behind."""
_WORD_CUT = re.compile(r"\s\S{0,100}\Z")
_ESCAPED = re.compile("[\udc80-\udcff]")
_DAMAGES = (InvalidBase64CharactersDefect, InvalidBase64PaddingDefect)


def read(data: bytes, draft: Draft) -> None:
    """A message saved in UTF-16, as some programs do, is read as the text that it is."""
    text = decode_unicode(data) if not data.isascii() or b"\0" in data else None
    source = data if text is None else text.encode("utf-8", errors="replace")
    if counted := _EMLX.match(source):
        source = source[counted.end() :][: int(counted[1])]
    read_message(message_from_bytes(source.lstrip(), policy=_Bounded(draft)), draft)


def read_message(message: Message, draft: Draft) -> None:
    """A message that is parsed, or was made of another format's."""
    _MailReader(draft).read_message(message, level=1)


class _Bounded(EmailPolicy):
    """Cuts headers that are too long before anything parses them, and takes those nested too deeply for empty."""

    draft: Draft
    parsed: dict[tuple[str, str], Any]
    """Headers that were asked for: the library would parse one anew for each question."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(message_factory=EmailMessage)
        # A policy refuses to be changed.
        object.__setattr__(self, "draft", draft)
        object.__setattr__(self, "parsed", {})

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        if not value.isascii() and name.lower() in _READ_HEADERS:
            value = self._decoded(value)
        if len(value) <= LONGEST_HEADER:
            return name, value
        if name.lower() in _READ_HEADERS:
            self.draft.note(f"the header {name} is longer than {LONGEST_HEADER:,} characters: the rest was left out")
        return name, _WORD_CUT.sub("", value[:LONGEST_HEADER])

    def _decoded(self, value: str) -> str:
        """A header that is written as it should not be, in bytes of some encoding."""
        written = value.encode("utf-8", "surrogateescape")
        return self.draft.decode(written) if _ESCAPED.search(value) else value

    def header_fetch_parse(self, name: str, value: str) -> Any:
        if (found := self.parsed.get((name, value))) is None:
            found = self.parsed[name, value] = self._parse(name, value)
        return found

    def _parse(self, name: str, value: str) -> Any:
        try:
            return super().header_fetch_parse(name, value)
        except RecursionError:
            self.draft.note(f"the header {name} is malformed and was left out")
            return super().header_fetch_parse(name, "")


class _MailReader:
    """Reads one file's message with what is in it; what is attached follows its text, one deeper."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._attachments = 0
        self._behind: list[Callable[[], None]] = []
        self._invitations: list[list[bytes]] = []

    def read_message(self, message: Message, *, level: int) -> None:
        self._draft.heading(self._header(message, "Subject"), level=level)
        lines = [f"{name}: {value}" for name in SHOWN_HEADERS if (value := self._header(message, name))]
        self._draft.paragraph("\n".join(lines))
        outer, self._behind = self._behind, []
        self._read_part(message, level=level)
        behind, self._behind = self._behind, outer
        for read_attached in behind:
            read_attached()

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
            self._behind.append(partial(self._read_nested, part, level=level))
        elif kind == _VERSIONS:
            self._read_alternative(_children(part), level=level)
        elif kind == "message/delivery-status":
            for told in _children(part):
                self._draft.paragraph("\n".join(f"{name}: {self._header(told, name)}" for name in told))
        elif part.is_multipart():
            for child in _children(part):
                self._read_part(child, level=level, around=kind)
        else:
            self._read_leaf(part, kind, level=level, around=around)

    def _read_nested(self, part: Message, *, level: int) -> None:
        """A forwarded message is a part of its own."""
        if level >= DEEPEST_MESSAGE:
            self._draft.note(f"messages that lie in more than {DEEPEST_MESSAGE} others were left out")
            return
        for nested in _children(part):
            self._draft.part()
            self.read_message(nested, level=level + 1)

    def _read_alternative(self, parts: list[Message], *, level: int) -> None:
        """The plain version when it says enough, else the last one, which the sender thinks richest.

        An invitation is no version of its words, and neither is what is attached to another version.
        """
        versions = [part for part in parts if part.get_content_type() not in _CARDS] or parts
        marked = next((_text(part) for part in _within(versions) if part.get_content_type() == "text/html"), "")
        plain = [part for part in versions if part.get_content_type() == "text/plain"]
        chosen = ([part for part in plain if says_enough(_text(part), marked)] or versions[-1:])[:1]
        for part in chosen:
            self._read_part(part, level=level, around=_VERSIONS)
        for other in parts:
            if other not in chosen and other.is_multipart():
                self._read_attached(other, level=level)
            elif other not in versions:
                self._behind.append(partial(self._read_invitation, other, level=level))

    def _read_invitation(self, part: Message, *, level: int) -> None:
        self._invitations.append(_payload(part).split())
        self._read_body(part, part.get_content_type(), level=level)

    def _read_attached(self, version: Message, *, level: int) -> None:
        around = version.get_content_type()
        for part in _children(version):
            if part.get_content_type() == "message/rfc822":
                self._behind.append(partial(self._read_nested, part, level=level))
            elif part.is_multipart():
                self._read_attached(part, level=level)
            elif _is_attachment(part) or (_filename(part) and around != _SHOWN_IN_BODY):
                self._read_leaf(part, part.get_content_type(), level=level, around=around)

    def _read_leaf(self, part: Message, kind: str, *, level: int, around: str) -> None:
        name = _filename(part)
        if kind.startswith("image/") and around == _SHOWN_IN_BODY and not _is_attachment(part):
            return
        if kind in SIGNATURES or kind == PGP_VERSION:
            return
        if kind in SIGNED and (inner := message_within(_payload(part))) is not None:
            self._read_part(message_from_bytes(inner, policy=_Bounded(self._draft)), level=level)
            return
        if _is_attachment(part) or name or not kind.startswith("text/"):
            self._behind.append(partial(self._read_attachment, part, name or kind, level=level))
            return
        try:
            self._read_body(part, kind, level=level)
        except UnsupportedDocument:
            self._draft.note("a body in an unknown encoding was left out")

    def _read_body(self, part: Message, kind: str, *, level: int) -> None:
        if not (payload := _payload(part)):
            return
        text = self._draft.decode(payload, declared=_charset(part))
        self._note_damage(part, "a body")
        if kind == "text/html":
            read_page(text, self._draft)
            return
        if kind in _CARDS:
            read_cards(text, self._draft, level=level + 1)
            return
        text, is_encrypted = without_armour(text)
        if is_encrypted:
            self._draft.note("a text that is encrypted was left out")
        text, files = split_files(text)
        for found in files:
            if not found.is_whole:
                self._draft.note(f"the attachment {found.name} is cut short: some of it is missing")
            self._behind.append(partial(self._read_file, found.data, found.name, level=level))
        if str(part.get_param("format", "")).lower() == "flowed":
            read_body(unflowed(text, keeps_blanks=str(part.get_param("delsp", "")).lower() != "yes"), self._draft)
        else:
            read_body(text, self._draft)

    def _read_attachment(self, part: Message, name: str, *, level: int) -> None:
        payload = _payload(part)
        if payload.split() in self._invitations:
            return
        self._note_damage(part, f"the attachment {name}")
        self._read_file(_in_unicode(payload, part), name, level=level)

    def _read_file(self, data: bytes, name: str, *, level: int) -> None:
        """Under its name, as the document that it is; what cannot be read is named, and costs nothing else."""
        try:
            self._require_within_limits()
            if data.startswith(ENCRYPTED_PGP):
                raise EncryptedDocument("it is encrypted with PGP")
            document = parse(data, name=name, limits=self._draft.room, depth=self._draft.depth + 1)
        except DocumentError as error:
            if isinstance(error.__cause__, MemoryError):
                raise
            self._draft.note(f"attachment left out: {name}: {error}")
            self._draft.part()
            self._draft.paragraph(f"Attachment: {name}", under=level)
            return
        self._draft.part()
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


def _within(parts: list[Message]) -> Iterator[Message]:
    """Parts, and those in them."""
    for part in parts:
        yield from part.walk()


def _text(part: Message) -> str:
    """What a body says, as far as that tells versions apart."""
    try:
        return decode(_payload(part), declared=_charset(part)).text
    except UnsupportedDocument:
        return ""


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
