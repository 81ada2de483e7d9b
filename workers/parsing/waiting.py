"""Owns what waits for the block behind it: lines of code, a caption that may be a table's, and alternative texts."""

from embedmill.workers.parsing.alternatives import spoken
from embedmill.workers.parsing.draft import Draft


class WaitingParagraphs:
    """Of a text processor's paragraphs, some are read only when the next one is known."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._code: list[str] = []
        self._caption = ""
        self._alternatives: list[str] = []

    def add_code(self, line: str) -> None:
        """Lines that follow one another are one block."""
        self._settle_captions()
        self._code.append(line)

    def add_empty_line(self) -> None:
        """An empty paragraph between lines of code is one of them; anywhere else it is none."""
        if self._code:
            self._code.append("")

    def hold_caption(self, text: str) -> None:
        """A caption waits for its table; words of a picture that it says again go."""
        said = " ".join(text.split())
        self._alternatives = [other for other in self._alternatives if other not in said]
        self.settle()
        self._caption = text

    def add_alternative(self, text: str) -> None:
        if (said := spoken(text)) and said not in self._alternatives:
            self._settle_code()
            self._alternatives.append(said)

    def take_caption(self) -> str:
        """The caption over the table that begins."""
        caption, self._caption = self._caption, ""
        self.settle()
        return caption

    def settle(self) -> None:
        """Nothing that waits belongs to the next block."""
        self._settle_code()
        self._settle_captions()

    def _settle_code(self) -> None:
        code, self._code = self._code, []
        if code:
            self._draft.code("\n".join(code))

    def _settle_captions(self) -> None:
        captions = [self._caption, *self._alternatives]
        self._caption, self._alternatives = "", []
        for text in captions:
            self._draft.caption(text)
