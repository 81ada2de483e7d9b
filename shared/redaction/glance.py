"""What all detectors look at: a folded text, the same in small letters, and where their literals stand in both."""

import re
from dataclasses import dataclass

from embedmill.shared.redaction.anchors import Anchors

_DIGIT = re.compile("[0-9]")


@dataclass(frozen=True, slots=True)
class Glance:
    """A folded text; `lowered` is as long as it is."""

    text: str
    lowered: str
    signs: Anchors
    words: Anchors
    """Where signs stand in the text, and words in its small letters."""

    def has_digit(self, start: int, end: int) -> bool:
        """Whether any stands there: most words are about nothing that has one."""
        return _DIGIT.search(self.text, start, end) is not None
