"""What the redaction policy finds in a text; nothing is stored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from embedmill.console.rendering import FIRST, LEFT_OUT
from embedmill.shared.errors import UsageError
from embedmill.shared.redaction.policy import OWN
from embedmill.shared.redaction.redactor import Redactor, Span


@dataclass(frozen=True, slots=True)
class RedactedText:
    """A text with placeholders; spans are in characters of the text that was given."""

    text: str
    spans: Sequence[Span]
    id: str | int | None = field(default=None, metadata=LEFT_OUT | FIRST)


class TextRedactor:
    """Redacts texts that are stored nowhere, each as a document of its own."""

    def __init__(self, policy: str, *, scanner: str = OWN) -> None:
        self._redactor = Redactor(policy, scanner=scanner)
        self._redactor.require()

    def redact(self, data: bytes) -> RedactedText:
        """One text, in whatever encoding; raises RedactionFailed."""
        found = self._redactor.redact(_decoded(data))
        return RedactedText(found.text, found.spans)

    def redact_lines(self, lines: Iterable[bytes]) -> Iterator[RedactedText]:
        """Lines of JSON with `id` and `text`; raises UsageError for one that is none, by its number."""
        for number, line in enumerate(lines, 1):
            if line.strip():
                id_, text = _read_line(line, number)
                found = self._redactor.redact(text)
                yield RedactedText(found.text, found.spans, id_)


def _read_line(line: bytes, number: int) -> tuple[str | int | None, str]:
    """What the line says is not quoted: it is what is to be hidden."""
    try:
        row = orjson.loads(line)
        id_, text = row.get("id"), row["text"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f'line {number} is no JSON object with "id" and "text"') from None
    if not isinstance(text, str) or not isinstance(id_, str | int | None):
        raise UsageError(f'line {number} has an "id" or a "text" that is none')
    return id_, text


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        from embedmill.shared.encoding import decode

        return decode(data).text
