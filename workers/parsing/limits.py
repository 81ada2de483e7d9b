"""Owns the bounds that one document may not exceed while it is parsed."""

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from embedmill.shared.settings import Settings


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """What one document may cost.

    `seconds` is wall-clock time, `memory_mb` is MiB above what an idle parser process uses, `output_chars` and
    `blocks` bound what is extracted. `archive_bytes` is the uncompressed size of a ZIP container in bytes;
    `archive_ratio` is the greatest expansion allowed once a container passes `archive_ratio_floor` bytes. Of a message
    up to `attachments` attachments are read, `attachment_depth` deep in one another. Of a document `ocr_pages` pages
    without text are read from their picture, in tesseract's `ocr_languages`; 0 are none. `deadline` is when the
    seconds are over, as `time.monotonic` counts them.
    """

    seconds: float = 60.0
    memory_mb: int = 1024
    output_chars: int = 20_000_000
    blocks: int = 1_000_000
    archive_bytes: int = 200_000_000
    archive_ratio: int = 200
    archive_ratio_floor: int = 20_000_000
    archive_members: int = 10_000
    attachments: int = 200
    attachment_depth: int = 3
    ocr_pages: int = 0
    ocr_languages: tuple[str, ...] = ("eng",)
    deadline: float = inf

    @classmethod
    def from_settings(cls, settings: "Settings") -> Self:
        """The limits that an operator can set; the others keep their defaults."""
        return cls(
            seconds=settings.parser_seconds,
            memory_mb=settings.parser_memory_mb,
            output_chars=settings.parser_characters,
            ocr_pages=settings.ocr_pages if settings.ocr == "auto" else 0,
            ocr_languages=settings.ocr_languages,
        )
