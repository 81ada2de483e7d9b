"""Owns the wire between a worker and its parser process: length-prefixed frames, requests and answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from struct import Struct
from typing import Any

import orjson

from embedmill.shared.errors import (
    DocumentError,
    EncryptedDocument,
    NoText,
    ParserLimitExceeded,
    ReaderMissing,
    UnreadableDocument,
    UnsupportedDocument,
)
from embedmill.workers.parsing.document import Block, BlockKind, ParsedDocument

LENGTH = Struct(">Q")
READY = b"ready"

_NAME_LENGTH = Struct(">I")
LIMIT_SETTINGS = frozenset(f"EMBEDMILL_PARSER_{name}" for name in ("CHARACTERS", "MEMORY_MB", "SECONDS"))
_BLOCK = attrgetter("kind", "text", "level", "page", "part", "head", "under")
_ERRORS: dict[str, type[DocumentError]] = {
    error.__name__: error
    for error in (
        UnreadableDocument,
        EncryptedDocument,
        NoText,
        UnsupportedDocument,
        ParserLimitExceeded,
        ReaderMissing,
    )
}


@dataclass(frozen=True, slots=True)
class ParserAnswer:
    """What a parser process says of one document. `is_last` announces that the process ends with this answer."""

    outcome: ParsedDocument | DocumentError
    is_last: bool


def pack_frame(payload: bytes) -> bytes:
    """The payload behind its length."""
    return LENGTH.pack(len(payload)) + payload


def pack_request(data: bytes, name: str) -> bytes:
    """A document to parse; a name that is not UTF-8 keeps its bytes."""
    encoded = name.encode("utf-8", errors="surrogateescape")
    return _NAME_LENGTH.pack(len(encoded)) + encoded + data


def unpack_request(payload: bytes) -> tuple[bytes, str]:
    """(data, name) of `pack_request`."""
    (length,) = _NAME_LENGTH.unpack_from(payload)
    start = _NAME_LENGTH.size
    return payload[start + length :], payload[start : start + length].decode("utf-8", errors="surrogateescape")


def pack_answer(outcome: ParsedDocument | DocumentError, *, is_last: bool) -> bytes:
    """One JSON object: parsing yields plain data only, so nothing that the other side must trust is sent."""
    if isinstance(outcome, DocumentError):
        told = {"last": is_last, "error": type(outcome).__name__, "message": str(outcome)}
        return orjson.dumps(told | {"setting": getattr(outcome, "setting", "")})
    blocks = [_BLOCK(block) for block in outcome.blocks]
    return orjson.dumps(
        {"last": is_last, "type": outcome.media_type, "title": outcome.title, "notes": outcome.notes, "blocks": blocks}
    )


def unpack_answer(payload: bytes) -> ParserAnswer:
    """The answer of `pack_answer`; an error comes back as its own type."""
    answer = orjson.loads(payload)
    if "error" in answer:
        return ParserAnswer(_error_of(answer), answer["last"])
    blocks = tuple(
        Block(BlockKind(kind), text, level, page, part, head and (head[0], head[1]), under)
        for kind, text, level, page, part, head, under in answer["blocks"]
    )
    return ParserAnswer(ParsedDocument(answer["type"], blocks, answer["title"], tuple(answer["notes"])), answer["last"])


def _error_of(answer: Mapping[str, Any]) -> DocumentError:
    """What a limit's hint names is a setting that is known here, whatever the other side says."""
    kind = _ERRORS.get(answer["error"], UnreadableDocument)
    if kind is ParserLimitExceeded and answer["setting"] in LIMIT_SETTINGS:
        return ParserLimitExceeded(answer["message"], setting=answer["setting"])
    return kind(answer["message"])
