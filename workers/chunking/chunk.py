"""The chunk: a span of the stored text, with what it is embedded under."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text[start:end]`, in Python characters, is the body; `tokens` are the body's.

    `ordinal` counts from 0. `section` is the path of headings of the first content in the body, and `page` its page.
    `prefix` is the title and section that the body is embedded under, empty when neither is known.
    """

    ordinal: int
    start: int
    end: int
    tokens: int
    section: str = ""
    page: int | None = None
    prefix: str = ""

    def body(self, text: str) -> str:
        return text[self.start : self.end]

    def embedded_text(self, text: str) -> str:
        """Prefix and body: what an embedder is given."""
        return self.prefix + text[self.start : self.end]
