"""Chunk settings: how many tokens a chunk aims at, must have and may have, and how many it repeats."""

from dataclasses import dataclass
from typing import Self

from embedmill.shared.errors import SettingsError
from embedmill.shared.ranked_tokens import ENCODING

CHUNKER_VERSION = 3
"""Raised whenever the same document and settings would be cut otherwise; every chunk id changes with it.

2 carries the heads of tables and keeps parts apart. 3 knows more abbreviations, and ordinal numbers, in nine languages.
"""

SMALLEST_TARGET = 8
USUAL_MINIMUM, USUAL_TARGET, USUAL_MAXIMUM, USUAL_OVERLAP = 256, 384, 1024, 32


@dataclass(frozen=True, slots=True)
class ChunkSettings:
    """All in cl100k tokens of a chunk's body and of the head of a table that it carries.

    A chunk closes at `target`, at a heading once it has `minimum`, and at the end of a part, such as a slide or a
    sheet; it goes over `target` only to reach `minimum` or to keep a block whole, and never over `maximum`. Up to
    `overlap` tokens of the chunk before are repeated, counted within `target` (`embedmill.workers.chunking.overlap`).
    The target of 384 leaves room for the prefix within the 512 positions of small embedding models and keeps averaged
    embeddings about one subject. Raises SettingsError unless minimum + overlap <= target <= maximum and target >= 8.
    """

    target: int = USUAL_TARGET
    minimum: int = USUAL_MINIMUM
    maximum: int = USUAL_MAXIMUM
    overlap: int = USUAL_OVERLAP

    def __post_init__(self) -> None:
        if self.target < SMALLEST_TARGET:
            raise SettingsError(f"chunk tokens must be at least {SMALLEST_TARGET}, not {self.target}")
        if not 0 <= self.overlap <= self.target - max(self.minimum, 1):
            raise SettingsError(f"chunk overlap must be 0 to {self.target - self.minimum} tokens, not {self.overlap}")
        if not 1 <= self.minimum <= self.target <= self.maximum:
            raise SettingsError(f"chunk sizes must rise: {self.minimum}, {self.target}, {self.maximum}")

    @classmethod
    def from_target(cls, target: int, *, overlap: int | None = None, most: int | None = None) -> Self:
        """Settings from `--chunk-tokens` and `--chunk-overlap`.

        A target under 384 has a minimum of half and a maximum of twice itself. Without an overlap it is an eighth of
        the target, at most 32 tokens; more than half the target raises SettingsError. `most` is what the embedding
        model takes, and bounds target and maximum.
        """
        if most is not None and target > most:
            target, overlap = most, None if overlap is None else min(overlap, most // 2)
        repeated = min(USUAL_OVERLAP, target // 8) if overlap is None else overlap
        if not 0 <= repeated <= max(target, SMALLEST_TARGET) // 2:
            raise SettingsError(f"chunk overlap must be 0 to {target // 2} tokens, not {repeated}")
        small = target < USUAL_TARGET
        minimum = min(target // 2 if small else USUAL_MINIMUM, target - repeated)
        maximum = target * 2 if small else max(target, USUAL_MAXIMUM)
        if most is not None:
            maximum = min(maximum, most)
        return cls(target=target, minimum=minimum, maximum=maximum, overlap=repeated)

    @property
    def room(self) -> int:
        """Tokens that a chunk fills with new text, so that the repeated text still fits the target."""
        return self.target - self.overlap

    @property
    def most_head(self) -> int:
        """Tokens that the head of a table may take in every chunk of its rows; of a longer one the last lines do."""
        return self.target * 3 // 4

    def fingerprint(self) -> str:
        """Everything that decides where a text is cut: chunker version, tokenizer and sizes."""
        sizes = f"{self.target}-{self.minimum}-{self.maximum}-{self.overlap}"
        return f"chunker-{CHUNKER_VERSION}/{ENCODING}/{sizes}"
