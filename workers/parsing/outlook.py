"""Owns messages as Outlook keeps them, by their properties, as the mail that says the same: `.msg` and `winmail.dat`.

Layout: [MS-OXMSG] 2.1 to 2.4, [MS-OXTNEF] 2.1, [MS-OXPROPS] for the numbers of properties.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from io import BytesIO
from mimetypes import guess_type
from typing import TYPE_CHECKING

from embedmill.shared.encoding import decode
from embedmill.shared.errors import DocumentError, UnreadableDocument
from embedmill.workers.parsing.compressed_rtf import unpacked
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.mail import read_message
from embedmill.workers.parsing.parse import parse

if TYPE_CHECKING:
    from olefile import OleFileIO

SUBJECT, BODY, HTML, RICH = 0x0037, 0x1000, 0x1013, 0x1009
SENDER, SENDER_ADDRESS, SENDER_SMTP, TO, CC = 0x0C1A, 0x0C1F, 0x5D01, 0x0E04, 0x0E03
SENT, DELIVERED = 0x0039, 0x0E06
FILE, LONG_NAME, SHORT_NAME, SHOWN_NAME, CONTENT_ID, MIME = 0x3701, 0x3707, 0x3704, 0x3001, 0x3712, 0x370E
_UNICODE, _ANSI, _BINARY, _OBJECT, _TIME = 0x001F, 0x001E, 0x0102, 0x000D, 0x0040
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_DEEPEST = 10
"""Messages that are attached to one another."""

_STREAM, _PROPERTIES, _ATTACHED = "__substg1.0_", "__properties_version1.0", "__attach_version1.0_"
_ENTRY = struct.Struct("<HHIQ")
_HEADS = (32, 24, 8)
"""Bytes before the entries: of a file, of a message in one, of what is attached."""

_TNEF = 0x223E9F78
_RENDERING, _TITLE, _DATA, _MESSAGE, _ATTACHMENT = 0x9002, 0x8010, 0x800F, 0x9003, 0x9005
_OLD_BODY, _OLD_SUBJECT = 0x800C, 0x8004
_SIZES = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, _TIME: 8, 0x48: 16}
_NAMED = 0x8000
_MANY = 0x1000
_IDENTIFIER = 16

Value = str | bytes


@dataclass(slots=True)
class _OutlookItem:
    """A message or what is attached to one: its properties, and what is attached to it."""

    values: dict[int, Value] = field(default_factory=dict)
    times: dict[int, datetime] = field(default_factory=dict)
    attached: "list[_OutlookItem]" = field(default_factory=list)
    message: "_OutlookItem | None" = None

    def text(self, *numbers: int) -> str:
        """The first of these that is there, in one line."""
        found = (_text(value) for number in numbers if (value := self.values.get(number)))
        return " ".join(next(found, "").split())


def read_msg(data: bytes, draft: Draft) -> None:
    """A message that was saved from Outlook."""
    from olefile import OleFileIO

    try:
        with OleFileIO(BytesIO(data)) as ole:
            item = _stored(ole, _tree(ole), (), depth=0)
    except (OSError, struct.error, IndexError, ValueError):
        raise UnreadableDocument("the message is damaged or cut short") from None
    read_message(_mail(item, draft), draft)


def read_tnef(data: bytes, draft: Draft) -> None:
    """What Outlook sends beside a mail: its words are those of the mail, so where files are in it these are read."""
    try:
        item = _packed(data, depth=0)
    except (struct.error, IndexError, ValueError):
        raise UnreadableDocument("the message is damaged or cut short") from None
    if draft.depth and item.attached:
        item.values, item.times = {}, {}
    read_message(_mail(item, draft), draft)


def _mail(item: _OutlookItem, draft: Draft) -> EmailMessage:
    mail = EmailMessage()
    address = item.text(SENDER_SMTP, SENDER_ADDRESS)
    headers = {
        "Subject": item.text(SUBJECT),
        "From": formataddr((item.text(SENDER), address)) if "@" in address else item.text(SENDER),
        "To": _names(item.text(TO)),
        "Cc": _names(item.text(CC)),
    }
    if sent := item.times.get(SENT) or item.times.get(DELIVERED):
        headers["Date"] = format_datetime(sent)
    for name, value in headers.items():
        if value:
            mail[name] = value
    plain, markup = _text(item.values.get(BODY, "")), _text(item.values.get(HTML, ""))
    if not plain.strip() and not markup.strip():
        plain = _rich(item, draft)
    mail.set_content(plain, charset="utf-8")
    if markup.strip():
        mail.add_alternative(markup, subtype="html", charset="utf-8")
    for attached in item.attached:
        _attach(attached, mail, draft, is_page=bool(markup.strip()))
    return mail


def _names(shown: str) -> str:
    """Outlook shows names with `;` between them, and a comma may be a part of one."""
    names = filter(None, map(str.strip, shown.split(";")))
    return ", ".join(f'"{name}"' if "," in name else name for name in names)


def _rich(item: _OutlookItem, draft: Draft) -> str:
    """The text of a body that is rich text alone."""
    packed = item.values.get(RICH, b"")
    if not isinstance(packed, bytes) or not packed:
        return ""
    with suppress(ValueError, DocumentError):
        document = parse(unpacked(packed, most=draft.limits.output_chars), name="body.rtf", limits=draft.room)
        return "\n\n".join(block.text for block in document.blocks)
    draft.note("a body in rich text was left out: it is damaged")
    return ""


def _attach(attached: _OutlookItem, mail: EmailMessage, draft: Draft, *, is_page: bool) -> None:
    if attached.message is not None:
        mail.add_attachment(_mail(attached.message, draft))
        return
    name = attached.text(LONG_NAME, SHORT_NAME, SHOWN_NAME) or "attachment"
    kind = attached.text(MIME) or guess_type(name)[0] or ""
    if is_page and attached.text(CONTENT_ID) and kind.startswith("image/"):
        return
    content = attached.values.get(FILE, b"")
    if isinstance(content, bytes):
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)


def _text(value: Value) -> str:
    return value if isinstance(value, str) else decode(value).text


_Path = tuple[str, ...]


def _tree(ole: "OleFileIO") -> dict[_Path, list[str]]:
    """The names in each storage."""
    found: dict[_Path, list[str]] = {}
    for path in ole.listdir(streams=True, storages=True):
        found.setdefault(tuple(path[:-1]), []).append(path[-1])
    return found


def _stored(ole: "OleFileIO", tree: Mapping[_Path, list[str]], at: _Path, *, depth: int) -> _OutlookItem:
    """What a storage of the file holds."""
    item = _OutlookItem()
    for name in sorted(tree.get(at, ())):
        path = (*at, name)
        if name.startswith(_STREAM):
            number, kind = int(name[12:16], 16), int(name[16:20], 16)
            if kind == _OBJECT:
                if path in tree and depth < _DEEPEST:
                    item.message = _stored(ole, tree, path, depth=depth + 1)
            elif kind in _TEXTS and len(name) == _WHOLE:
                item.values[number] = _value(kind, ole.openstream(list(path)).read())
        elif name.startswith(_ATTACHED) and depth < _DEEPEST:
            item.attached.append(_stored(ole, tree, path, depth=depth + 1))
        elif name == _PROPERTIES:
            item.times = _times(ole.openstream(list(path)).read(), _head(at))
    return item


_WHOLE = 20
"""The length of the name of a value that is no list."""
_TEXTS = (_UNICODE, _ANSI, _BINARY)


def _head(at: _Path) -> int:
    if not at:
        return _HEADS[0]
    return _HEADS[2] if at[-1].startswith(_ATTACHED) else _HEADS[1]


def _times(entries: bytes, at: int) -> dict[int, datetime]:
    whole = len(entries) - (len(entries) - at) % _ENTRY.size
    found = (_ENTRY.unpack_from(entries, begin) for begin in range(at, whole, _ENTRY.size))
    return {number: time for kind, number, _, value in found if kind == _TIME and (time := _time(value))}


def _time(value: int) -> datetime | None:
    """Tenths of microseconds since 1601."""
    try:
        return _EPOCH + timedelta(microseconds=value // 10)
    except OverflowError:
        return None


def _value(kind: int, content: bytes) -> Value:
    if kind == _UNICODE:
        return content.decode("utf-16-le", "replace").rstrip("\0")
    return decode(content.rstrip(b"\0")).text if kind == _ANSI else content


def _packed(data: bytes, *, depth: int) -> _OutlookItem:
    """What a stream of attributes holds, each with a level, a number, a length and a sum."""
    if struct.unpack_from("<I", data)[0] != _TNEF:
        raise ValueError(data[:4])
    item, at = _OutlookItem(), 6
    while at + 9 <= len(data):
        number, size = struct.unpack_from("<HxxI", data, at + 1)
        content = data[at + 9 : at + 9 + size]
        at += 11 + size
        last = item.attached[-1] if item.attached else _OutlookItem()
        if number == _RENDERING:
            item.attached.append(_OutlookItem())
        elif number == _TITLE:
            last.values.setdefault(SHORT_NAME, _value(_ANSI, content))
        elif number == _DATA:
            last.values[FILE] = content
        elif number == _ATTACHMENT:
            _take(dict(_properties(content)), last, depth=depth)
        elif number == _MESSAGE:
            _take(dict(_properties(content)), item, depth=depth)
        elif number in (_OLD_BODY, _OLD_SUBJECT):
            item.values.setdefault(BODY if number == _OLD_BODY else SUBJECT, _value(_ANSI, content))
    if not item.values and not item.attached:
        raise ValueError(len(data))
    return item


def _take(found: Mapping[int, tuple[int, bytes]], item: _OutlookItem, *, depth: int) -> None:
    for number, (kind, content) in found.items():
        if kind == _TIME:
            if time := _time(int.from_bytes(content, "little")):
                item.times[number] = time
        elif kind == _OBJECT:
            if number == FILE and depth < _DEEPEST:
                item.message = _packed(content[_IDENTIFIER:], depth=depth + 1)
        else:
            item.values[number] = _value(kind, content)


def _properties(data: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """Numbers with kinds and contents, of those that are texts, bytes, objects or times."""
    (count,) = struct.unpack_from("<I", data)
    at = 4
    for _ in range(count):
        kind, number = struct.unpack_from("<HH", data, at)
        at += 4
        if number >= _NAMED:
            (named,) = struct.unpack_from("<I", data, at + _IDENTIFIER)
            (size,) = struct.unpack_from("<I", data, at + _IDENTIFIER + 4)
            at += _IDENTIFIER + 8 + (_padded(size) if named else 0)
        values = 1
        if kind & _MANY or kind in (_UNICODE, _ANSI, _BINARY, _OBJECT):
            (values,) = struct.unpack_from("<I", data, at)
            at += 4
        single = kind & ~_MANY
        for index in range(values):
            if single in _SIZES:
                content, step = data[at : at + _SIZES[single]], _SIZES[single]
            else:
                (size,) = struct.unpack_from("<I", data, at)
                content, step = data[at + 4 : at + 4 + size], 4 + _padded(size)
            at += step
            if at > len(data):
                raise ValueError(at)
            if not index and kind in (_UNICODE, _ANSI, _BINARY, _OBJECT, _TIME) and number < _NAMED:
                yield number, (kind, content)


def _padded(size: int) -> int:
    return size + -size % 4
