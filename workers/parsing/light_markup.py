"""Owns what AsciiDoc, Org and wikitext have in common: lines that become headings, items, code, tables, paragraphs."""

from collections.abc import Callable, Iterator, Sequence

from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.grid import Cell
from embedmill.workers.parsing.spread import Spread


class MarkupWriter:
    """Lines that stand together are a paragraph; a caption waits for what it names."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._lines: list[str] = []
        self._caption = ""
        self._numbers: dict[int, int] = {}
        self._open: tuple[str, str, int] | None = None

    def line(self, text: str) -> None:
        if text.strip():
            self._lines.append(text.strip())
        else:
            self.flush()

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        opened, self._open = self._open, None
        if opened:
            first, marker, depth = opened
            self.draft.list_item(" ".join([first, *lines]), marker=marker, depth=depth)
        elif lines:
            self.settle()
            self._numbers.clear()
            self.draft.paragraph("\n".join(lines))

    def settle(self) -> None:
        caption, self._caption = self._caption, ""
        self.draft.caption(caption)

    def heading(self, text: str, level: int) -> None:
        self.flush()
        self.settle()
        self._numbers.clear()
        self.draft.heading(text, level=level)

    def item(self, text: str, marker: str, depth: int) -> None:
        """One whose number is not written is counted, as `marker` "" says."""
        self.flush()
        self.settle()
        for deeper in [found for found in self._numbers if found > depth]:
            del self._numbers[deeper]
        if not marker:
            self._numbers[depth] = self._numbers.get(depth, 0) + 1
            marker = f"{self._numbers[depth]}."
        self._open = text, marker, depth

    def restart(self, depth: int) -> None:
        """A list that begins counts from one."""
        self._numbers.pop(depth, None)

    def term(self, text: str, meaning: str, depth: int) -> None:
        self.flush()
        self.settle()
        self.draft.list_item(text, depth=depth)
        if meaning:
            self.draft.list_item(meaning, depth=depth + 1)

    def code(self, lines: Sequence[str]) -> None:
        self.flush()
        self.settle()
        self.draft.code("\n".join(lines))

    def caption(self, text: str) -> None:
        self.flush()
        self.settle()
        self._caption = text.strip()

    def table(self, rows: list[list[Cell]], heads: int | None) -> None:
        self.flush()
        caption, self._caption = self._caption, ""
        if rows:
            Spread(caption, rows, heads).lay_out(self.draft)

    def close(self) -> None:
        self.flush()
        self.settle()


def read_lines(text: str, draft: Draft, take: Callable[[str, Iterator[str], MarkupWriter], None]) -> None:
    """`take` is given each line, with those behind it."""
    lines, writer = iter(text.split("\n")), MarkupWriter(draft)
    for line in lines:
        take(line, lines, writer)
    writer.close()


def lines_until(lines: Iterator[str], end: Callable[[str], bool]) -> list[str]:
    """The lines before the one that ends a block, which is passed over."""
    found: list[str] = []
    for line in lines:
        if end(line):
            break
        found.append(line)
    return found
