"""A redacted sample of a document: facts about its bytes and text, and an excerpt in which only the shape is left.

A dead letter may be read by people who may not read the document. No letter and no digit of it is shown: `Anna owes
42.50` becomes `Xxxx xxxx 99.99`. The sample is taken when somebody looks, and is neither stored nor logged.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

from embedmill.shared.db.dead_letters import StoredLetter
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.loading import loaders
from embedmill.shared.privacy.document_seals import DocumentSeals
from embedmill.shared.runtime import Runtime

CHANGED = ", which is not what died any more"
EXCERPT_CHARACTERS = 240
# So much of a text is looked at for its script and language.
LOOKED_AT_CHARACTERS = 4000
# Beginnings that say of what kind a file is and nothing about what is in it.
_SIGNATURES = (
    b"%PDF-", b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf", b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"<?xml", b"<!DOCTYPE", b"<!doctype", b"<html", b"\xef\xbb\xbf",
    b"\xff\xfe", b"\xfe\xff", b"SQLite format 3\0", b"\x7fELF", b"RIFF", b"PAR1",
)  # fmt: skip
# The most frequent words of a few languages; enough to tell an English contract from a Dutch one.
_WORDS = {
    "English": "the of and to in is that for with are was this not",
    "German": "der die und das ist nicht mit den von ein eine auf für",
    "French": "le la les des et est une dans que pour pas qui sur",
    "Spanish": "el los las que por con una para del como es en",
    "Italian": "il che di per una non con sono della gli anche",
    "Portuguese": "os que uma para com não por mais dos como em",
    "Dutch": "het een van en niet dat op voor met zijn aan",
}
Facts: TypeAlias = dict[str, str | int | None]
"""What is known of bytes or a text, by name."""

_PLACE = re.compile(r"\b(chunk|line) (\d+)\b")


@dataclass(frozen=True, slots=True)
class Sample:
    """From where a document was read, facts about it, and a masked excerpt where it is text."""

    source: str
    facts: Facts
    excerpt: str


def mask(text: str) -> str:
    """The shape of a text: letters as x or X, digits as 9, ASCII punctuation and line breaks as they are."""
    return "".join(map(_shape, text))


def _shape(character: str) -> str:
    if character.isspace():
        return "\n" if character == "\n" else " "
    category = unicodedata.category(character)
    match category[0]:
        case "L":
            return "X" if category in ("Lu", "Lt") else "x"
        case "N":
            return "9"
        case "M":
            return ""
    return character if character.isascii() and category[0] in "PS" else "·"


def take_sample(runtime: Runtime, letter: StoredLetter) -> Sample:
    """What may be shown of a dead letter's document."""
    facts: Facts = {"chunks": letter.chunks_expected, "chunks_rejected": letter.chunks_rejected}
    try:
        source, found, shown = _look_at(runtime, letter)
    except (EmbedmillError, OSError, ValueError) as error:
        source, found, shown = f"cannot be read from here ({type(error).__name__})", {}, ""
    return Sample(source, facts | found, shown)


def _look_at(runtime: Runtime, letter: StoredLetter) -> tuple[str, Facts, str]:
    """From where it is read, what is found, and the excerpt."""
    if letter.deletes:
        return "a removal, which has no text", {}, ""
    if letter.chunks_ref:
        return _from_chunks(runtime, letter)
    return _from_origin(runtime, letter)


def _from_chunks(runtime: Runtime, letter: StoredLetter) -> tuple[str, Facts, str]:
    from embedmill.workers.stored import read_stored

    stored = runtime.blobs.get_pack(letter.blobs)
    chunk_set, _, _ = read_stored(letter.chunks_ref, letter.rejections_ref, stored)
    at = _place_in(chunk_set.text, letter.error, starts=[chunk.start for chunk in chunk_set.chunks])
    facts: Facts = {"media_type": chunk_set.media_type}
    return "the stored text", facts | describe_text(chunk_set.text), excerpt(chunk_set.text, at)


def _from_origin(runtime: Runtime, letter: StoredLetter) -> tuple[str, Facts, str]:
    loaded = loaders.load(runtime, letter.uri, letter.origin)
    text, facts, whence = loaded.text, Facts(), loaded.whence
    if text is None:
        whence += "" if _is_what_died(runtime, letter, loaded) else CHANGED
        facts = describe_bytes(loaded.data, name=letter.uri)
        if facts["first_bad_utf8"] is not None or facts["nul_bytes"]:
            return whence, facts, ""
        text = loaded.data.decode()
    return whence, facts | describe_text(text), excerpt(text, _place_in(text, letter.error, starts=[]))


def _is_what_died(runtime: Runtime, letter: StoredLetter, loaded: loaders.Loaded) -> bool:
    """Whether the bytes are those that died, as far as that is known: of some documents a scan knows the state only."""
    if loaded.as_submitted or not letter.content_hash:
        return True
    seals = DocumentSeals(runtime.vault, letter.collection_id)
    return seals.content_hash(hashlib.sha256(loaded.data).hexdigest()) == letter.content_hash


def _place_in(text: str, error: str, *, starts: list[int]) -> int:
    """Where in a text the error says that it arose; its beginning when it does not say."""
    found = _PLACE.search(error)
    if found is None:
        return 0
    number = int(found[2])
    if found[1] == "chunk":
        return starts[number] if number < len(starts) else 0
    return sum(len(line) for line in text.splitlines(keepends=True)[: number - 1])


def excerpt(text: str, at: int) -> str:
    """The masked text from a place on."""
    return mask(text[at : at + EXCERPT_CHARACTERS])


def describe_bytes(data: bytes, *, name: str) -> Facts:
    """Size, kind and health of a file's bytes."""
    return {
        "bytes": len(data),
        "detected_type": _detect(data, name),
        "signature": next((magic.hex(" ") for magic in _SIGNATURES if data.startswith(magic)), "none that is known"),
        "nul_bytes": data.count(0),
        "first_bad_utf8": _first_bad(data),
    }


def _detect(data: bytes, name: str) -> str:
    from embedmill.workers.parsing.detect import detect
    from embedmill.workers.parsing.limits import ParserLimits

    try:
        return detect(data, name=name, limits=ParserLimits())
    except EmbedmillError as error:
        return f"not known: {error}"


def _first_bad(data: bytes) -> int | None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def describe_text(text: str) -> Facts:
    """Extent, script and language of a text."""
    lines = text.splitlines()
    return {
        "characters": len(text),
        "lines": len(lines),
        "longest_line": max(map(len, lines), default=0),
        "script": _script(text[:LOOKED_AT_CHARACTERS]),
        "language": _language(text[:LOOKED_AT_CHARACTERS]),
    }


def _script(text: str) -> str:
    names = Counter(unicodedata.name(c, "UNNAMED").split()[0] for c in text if c.isalpha())
    return names.most_common(1)[0][0].capitalize() if names else "none"


def _language(text: str) -> str:
    words = Counter(re.findall(r"[^\W\d_]+", text.lower()))
    hits = {language: sum(words[word] for word in known.split()) for language, known in _WORDS.items()}
    best = max(hits, key=lambda language: hits[language])
    return best if hits[best] >= 3 else "undetermined"
