"""Dead letters: what is asked about them, and what is known of them, their root causes, replays and messages."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

RESOLUTIONS = ("replayed", "discarded", "superseded")
"""What becomes of a letter that is open no more."""


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters; None means any. `older_than` and `newer_than` are ages in seconds.

    `resolved`: also those that were replayed, discarded or superseded.
    """

    ids: Sequence[int] | None = None
    job: int | None = None
    collection: str | None = None
    stage: str | None = None
    error_class: str | None = None
    fingerprint: str | None = None
    older_than: float | None = None
    newer_than: float | None = None
    resolved: bool = False

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows it."""
        return self == LetterFilter(resolved=self.resolved)

    def as_json(self) -> dict[str, Any]:
        """What was asked for, without what was not."""
        found = asdict(self) | {"ids": None if self.ids is None else list(self.ids)}
        return {name: value for name, value in found.items() if value not in (None, False)}


@dataclass(frozen=True, slots=True)
class LetterAttempt:
    """One attempt at the work of a letter."""

    stage: str
    epoch: int
    attempt: int
    worker: str
    started_at: float
    ended_at: float
    outcome: str
    error_class: str | None
    error: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class SiblingLetter:
    """A letter of the same work."""

    id: int
    stage: str
    error_class: str
    created_at: float
    resolution: str | None
    replay_id: int | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class RootCause:
    """Letters with one fingerprint, and as an example the newest that is open, or the newest where none is.

    `open` of them are open; the others are counted by what was done about them. `resolution` and its reason are those
    of the example.
    """

    fingerprint: str
    count: int
    open: int
    replayed: int
    discarded: int
    superseded: int
    jobs: int
    first_seen: float
    last_seen: float
    example: int
    stage: str
    error_class: str
    error: str
    hint: str
    uri: str
    resolution: str | None
    resolution_reason: str | None


@dataclass(frozen=True, slots=True)
class DeadAtStage:
    """Documents that died at a stage, and the size of their text in tokens."""

    stage: str
    documents: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A dead letter that is left alone, and why."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Replay:
    """A batch of letters that were sent again: what was asked for, by whom, and how many are in which outcome."""

    id: int
    filter: Mapping[str, Any]
    by: str
    rate: float | None
    count: int
    refused: int
    next_at: float | None
    created_at: float
    finished_at: float | None
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message that no consumer could read, `times` of it; a body is kept up to 8 KB."""

    id: int
    queue: str
    reason: str
    digest: str
    body: str
    headers: Mapping[str, Any]
    times: int
    received_at: float
    last_received_at: float
    resolved_at: float | None
    resolution: str | None
    resolution_reason: str | None
