"""Redaction between parsing and splitting: the blocks, title and notes of a document without values."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from embedmill.shared.redaction.late import late
from embedmill.shared.redaction.metadata import flatten
from embedmill.shared.redaction.policy import REDACTED
from embedmill.shared.redaction.redactor import Redactor
from embedmill.workers.parsing.document import Block, ParsedDocument

_KEY_SIGN = "PRIVATE KEY"
_BARE_KEY = late(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,200}?[A-Za-z0-9+/]{40}")
BARE_KEY = "a private key is in its text, where searches show it: take it out, or collections update --redact patterns"


@dataclass(frozen=True, slots=True)
class Hidden:
    """What was hidden in a document: how many values of each type, and their hashes."""

    counts: Mapping[str, int] = field(default_factory=dict)
    subjects: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class RedactedDocument:
    """A parsed document with placeholders, its title as submission had it, and what was hidden."""

    parsed: ParsedDocument
    title: str
    hidden: Hidden


def redact_document(
    redactor: Redactor, parsed: ParsedDocument, *, title: str, origin: Mapping[str, Any]
) -> RedactedDocument:
    """The document without values; raises RedactionFailed. What submission redacted by the same policy is as it was."""
    before = _hidden_before(origin)
    if not redactor.is_on or origin.get(REDACTED, {}).get("policy") == redactor.id:
        return RedactedDocument(parsed, title, before)
    texts = [block.text for block in parsed.blocks]
    metadata = flatten(origin.get("metadata") or {})  # redacted already: its placeholders are nobody else's here
    found = redactor.redact_all([*texts, title, parsed.title, *parsed.notes, *metadata])
    shown = [each.text for each in found.texts]
    blocks = tuple(_with_text(block, text) for block, text in zip(parsed.blocks, shown, strict=False))
    title, own_title, *others = shown[len(texts) :]
    document = replace(parsed, blocks=blocks, title=own_title, notes=tuple(others[: len(parsed.notes)]))
    counts = Counter(before.counts) + Counter(found.counts)
    return RedactedDocument(document, title, Hidden(dict(sorted(counts.items())), before.subjects | found.subjects))


def find_bare_keys(parsed: ParsedDocument) -> Iterator[str]:
    """A note, where the text holds a private key that nothing hides: nobody means to have one found."""
    if any(_KEY_SIGN in block.text and _BARE_KEY.search(block.text) for block in parsed.blocks):
        yield BARE_KEY


def _hidden_before(origin: Mapping[str, Any]) -> Hidden:
    told = origin.get(REDACTED)
    return Hidden(told["counts"], frozenset(map(bytes.fromhex, told["subjects"]))) if told else Hidden()


def _with_text(block: Block, text: str) -> Block:
    return block if text == block.text else block.saying(text)
