"""Owns mailboxes (mbox): messages between lines that begin with `From ` and go on as such a line does."""

import hashlib
import re
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

from embedmill.shared.containers.entries import ContainerEntry, Inside, LeftOutEntry
from embedmill.shared.containers.names import MemberNames, clean_path

MOST_MESSAGE_BYTES = 256 * 1024 * 1024
LONGEST_NAME = 150

# An address, or the dash that some programs write, and a date: `From ada@example.com Thu Jan  1 10:00:00 2026`.
_FROM = re.compile(
    rb"From \S+\s+(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s+(?:[A-Z][a-z]{2}\s+\d{1,2}|\d{1,2}\s+[A-Z][a-z]{2})\s.*\d\d:\d\d"
)
_ESCAPED = re.compile(rb">+From ")
_MESSAGE_ID = re.compile(rb"^message-id:\s*<?([^>\s]+)", re.IGNORECASE | re.MULTILINE)
HEAD_BYTES = 64 * 1024
_HEADER = re.compile(rb"[!-9;-~]+:|>From ")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


def is_mailbox(head: bytes) -> bool:
    """Whether a file begins as a mailbox: with such a line, and a header below it."""
    lines = head.split(b"\n", 2)
    return len(lines) > 1 and _FROM.match(lines[0]) is not None and _HEADER.match(lines[1]) is not None


def read_mailbox(stream: BinaryIO, _name: str) -> Iterator[Inside]:
    """The messages, in their order, named by their ids: the name stays when others come or go before it."""
    names = MemberNames()
    for message in _messages(stream):
        if message is None:
            yield LeftOutEntry(names.take("message.eml"), f"it is larger than {MOST_MESSAGE_BYTES:,} bytes")
        else:
            yield _entry(message, names)


def _entry(message: bytes, names: MemberNames) -> ContainerEntry:
    return ContainerEntry(names.take(_name_of(message)), lambda: BytesIO(message))


def _name_of(message: bytes) -> str:
    return name_by_id(message) or f"{hashlib.sha256(message).hexdigest()[:16]}.eml"


def name_by_id(message: bytes) -> str:
    """What a message is called by its Message-ID, for which its beginning is enough; empty where it has none."""
    found = _MESSAGE_ID.search(_END_OF_HEADERS.split(message[:HEAD_BYTES], maxsplit=1)[0])
    if found is None:
        return ""
    return clean_path(found[1].decode("utf-8", "replace").replace("/", "_"))[:LONGEST_NAME] + ".eml"


def _messages(stream: BinaryIO) -> Iterator[bytes | None]:
    """None in the place of one that is too large; a line of any length is cut, and put together again."""
    # What is read of a buffer is what lies in it, and no copy.
    message: BytesIO | None = None
    size, after_blank = 0, True
    while line := stream.readline(HEAD_BYTES):
        if after_blank and _FROM.match(line):
            if message is not None:
                yield _whole(message, size)
            message, size = BytesIO(), 0
        elif message is not None:
            size += len(line)
            if size <= MOST_MESSAGE_BYTES:
                message.write(line[1:] if _ESCAPED.match(line) else line)
            elif message.tell():
                message = BytesIO()
        after_blank = line in (b"\n", b"\r\n")
    if message is not None:
        yield _whole(message, size)


def _whole(message: BytesIO, size: int) -> bytes | None:
    return None if size > MOST_MESSAGE_BYTES else message.getvalue()
