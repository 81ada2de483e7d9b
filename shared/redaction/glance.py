"""What all detectors look at: a folded text, the same in small letters, and where their literals stand in both."""

from dataclasses import dataclass

from embedmill.shared.redaction.anchors import Anchors


@dataclass(frozen=True, slots=True)
class Glance:
    """A folded text; `lowered` is as long as it is."""

    text: str
    lowered: str
    signs: Anchors
    words: Anchors
    """Where signs stand in the text, and words in its small letters."""
