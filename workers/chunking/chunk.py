"""The chunk: a span of the stored text, with the head of its table and what it is embedded under."""

from typing import NamedTuple

Span = tuple[int, int]


class Chunk(NamedTuple):
    """`text[start:end]`, in Python characters, is the body; `tokens` are those of head and body.

    `ordinal` counts from 0. `section` is the path of headings of the first content in the body; `pages` are the first
    and last page that the body stands on. `prefix` is the title and section that the chunk is embedded under, empty
    when neither is known. `head` is the span of what heads the table whose rows the body begins with or holds, where
    the body does not hold it itself.
    """

    ordinal: int
    start: int
    end: int
    tokens: int
    section: str = ""
    pages: Span | None = None
    prefix: str = ""
    head: Span | None = None

    @property
    def page(self) -> int | None:
        """The first page."""
        return self.pages and self.pages[0]

    @property
    def last_page(self) -> int | None:
        """The last page, where that is another."""
        return self.pages[1] if self.pages and self.pages[1] != self.pages[0] else None

    def body(self, text: str) -> str:
        return text[self.start : self.end]

    def heading(self, text: str) -> str:
        """The head of the table and a line feed; empty where the body carries none."""
        return f"{text[slice(*self.head)]}\n" if self.head else ""

    def shown(self, text: str) -> str:
        """Head and body: what is judged, counted, found and shown."""
        return self.heading(text) + self.body(text)

    def embedded_text(self, text: str) -> str:
        """Prefix, head and body: what an embedder is given."""
        return self.prefix + self.shown(text)
