"""The states of work and jobs, and the one table of legal transitions."""

from enum import StrEnum

from embedmill.shared.errors import IllegalTransition


class State(StrEnum):
    """What may happen to a piece of work next."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    DEAD = "dead"
    CANCELLED = "cancelled"


class WaitReason(StrEnum):
    """Why work is `waiting`; all but `retry` use up no attempt."""

    RETRY = "retry"
    RATE = "rate"
    BUDGET = "budget"
    PAUSED = "paused"
    CIRCUIT = "circuit"
    BULK = "bulk"
    KEY = "key"


class Result(StrEnum):
    """How completed work ended."""

    INDEXED = "indexed"
    SKIPPED = "skipped"
    DELETED = "deleted"
    SUPERSEDED = "superseded"
    UNCHANGED = "unchanged"


class DocumentState(StrEnum):
    """What became of a document, in the words that people are shown."""

    INDEXED = "indexed"
    EMPTY = "empty"
    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    REMOVING = "removing"
    DEAD = "dead"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"
    DELETED = "deleted"


class JobState(StrEnum):
    """The life of one submission."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WorkerState(StrEnum):
    """What a worker process does; `lost` is one that died or fell silent."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    PAUSED = "paused"
    DRAINING = "draining"
    STOPPED = "stopped"
    LOST = "lost"


FINAL = frozenset({State.COMPLETED, State.DEAD, State.CANCELLED})

TRANSITIONS: dict[State, dict[State, str]] = {
    State.PENDING: {
        State.QUEUED: "the dispatcher sent its message",
        State.WAITING: "its job was paused",
        State.CANCELLED: "its job was cancelled",
    },
    State.QUEUED: {
        State.RUNNING: "a worker claimed it: epoch and attempt grow, a lease begins",
        State.PENDING: "its message was lost or given back, and it is to be sent again",
        State.WAITING: "its job was paused",
        State.CANCELLED: "its job was cancelled",
    },
    State.RUNNING: {
        State.QUEUED: "the stage succeeded; the next stage's message leaves after the commit",
        State.PENDING: "the lease was handed back or expired",
        State.WAITING: "a retry is due later, or flow control parked it",
        State.COMPLETED: "the store confirmed it and the old version is gone",
        State.DEAD: "a permanent failure, or no attempt is left",
        State.CANCELLED: "its job was cancelled while it ran",
    },
    State.WAITING: {
        State.QUEUED: "it is due and the dispatcher sent its message",
        State.PENDING: "its job was resumed, or what it waited for came",
        State.CANCELLED: "its job was cancelled",
    },
    State.DEAD: {
        State.PENDING: "it was replayed",
        State.WAITING: "it was replayed at a rate, and its turn comes later",
        State.CANCELLED: "it was discarded",
    },
    State.COMPLETED: {State.PENDING: "its document changed, left or came back while its job was open"},
    State.CANCELLED: {State.PENDING: "its document changed, left or came back while its job was open"},
}

JOB_TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.RUNNING: frozenset({JobState.PAUSED, JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}),
    JobState.PAUSED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.COMPLETED: frozenset({JobState.RUNNING}),
    JobState.FAILED: frozenset({JobState.RUNNING}),
    JobState.CANCELLED: frozenset(),
}


def require_transition(start: State, target: State) -> None:
    """Raise IllegalTransition, naming both states, unless the table has the move."""
    if target not in TRANSITIONS[start]:
        raise IllegalTransition(f"work cannot go from {start} to {target}")


def require_job_transition(start: JobState, target: JobState) -> None:
    """Raise IllegalTransition, naming both states, unless a job may make the move."""
    if target not in JOB_TRANSITIONS[start]:
        raise IllegalTransition(f"a job cannot go from {start} to {target}")
