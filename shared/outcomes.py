"""What happened to one piece of work: a value that a stage returns and `embedmill.shared.db.settlement` writes."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from embedmill.shared.errors import EmbedmillError, ProviderUnavailable
from embedmill.shared.states import Result


@dataclass(frozen=True, slots=True)
class Advance:
    """The stage succeeded; `values` are columns of the work row that later stages need."""

    stage: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Complete:
    """The document reached its end; `reason` says why when it was not simply indexed.

    `state` is that of its source under which it was read, and found to be as readers see it.
    """

    result: Result
    reason: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """The attempt failed; whether a retry follows depends on the error and on the attempts left.

    `advice` goes before the hint of the error. `values` are columns of the work row that say what was read, where that
    is not what was submitted.
    """

    error: BaseException
    advice: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_outage(self) -> bool:
        """Whether it is the provider's fault: then time decides and not attempts."""
        return isinstance(self.error, ProviderUnavailable)

    @property
    def retryable(self) -> bool:
        """Unknown errors may be transient, so they are retried until the attempts are used up."""
        return self.error.retryable if isinstance(self.error, EmbedmillError) else True

    @property
    def error_class(self) -> str:
        """The error's class name: what dead letters are filtered by."""
        return type(self.error).__name__

    @property
    def message(self) -> str:
        """One line that is safe to store: our own errors speak for themselves, foreign ones may quote a document."""
        if isinstance(self.error, EmbedmillError):
            return str(self.error)
        return f"{type(self.error).__name__} at {origin_of(self.error)}"

    @property
    def origin(self) -> str | None:
        """The frames that tell a foreign error from another of its class; None for our own errors."""
        return None if isinstance(self.error, EmbedmillError) else frames_of(self.error)

    @property
    def hint(self) -> str:
        """The next step for whoever works the dead letter."""
        return (
            self.advice
            or getattr(self.error, "hint", "")
            or "Replay it; if it fails the same way, report it with its document."
        )


@dataclass(frozen=True, slots=True)
class Park:
    """Flow control: wait without using up an attempt; `is_woken` when the end of the cause ends the wait.

    Without `seconds` nothing else does. `told` says more of the cause, for whoever looks at what waits. `failure` is
    what a request of this very work ended in, for the provider's fault; it does not wait so for ever.
    """

    reason: str
    seconds: float | None
    is_woken: bool = False
    told: str | None = None
    failure: ProviderUnavailable | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """Handed back untouched, as by a shutdown; uses up no attempt."""


Outcome = Advance | Complete | Fail | Park | Return


# Frames that tell two failures of one library apart: where it was raised, and by which way it came there.
FRAMES = 3


def origin_of(error: BaseException) -> str:
    """File and function where an error arose, without line numbers, so that fingerprints outlive small edits."""
    return frames_of(error).rpartition(" > ")[2]


def frames_of(error: BaseException) -> str:
    """The innermost frames of an error, outermost first, as `file:function > file:function`."""
    places = [_place(frame.f_code) for frame, _ in traceback.walk_tb(error.__traceback__)]
    return " > ".join(places[-FRAMES:]) or "unknown place"


def _place(code: CodeType) -> str:
    return f"{'/'.join(code.co_filename.split('/')[-2:])}:{code.co_name}"
