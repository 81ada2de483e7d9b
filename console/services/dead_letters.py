"""Dead letters: listed by root cause, explained, given up and exported; and messages that nobody could read."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from embedmill.console.rendering import FIRST
from embedmill.console.services.reach import in_letter, in_letters, installation
from embedmill.console.services.replay_cost import ReplayCost, measure_cost
from embedmill.console.services.sampling import Sample, take_sample
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.principals import Right
from embedmill.shared.db import dead_letters, replays, unreadable
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.dead_letters import LetterHistory, StoredLetter
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.jobs import get_job
from embedmill.shared.letters import (
    KeptMessage,
    LetterAttempt,
    LetterFilter,
    Refusal,
    Replay,
    RootCause,
    SiblingLetter,
)
from embedmill.shared.runtime import Runtime

# Kept messages are few: they come from a deployment that went wrong, not from documents.
MOST_MESSAGES = 10_000

EVERY_LETTER = LetterFilter()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A document that failed for good: where, why, after how many attempts, and what became of the letter since."""

    id: int
    job: int
    collection: str
    document: str
    uri: str
    stage: str
    error_class: str
    error: str
    hint: str
    fingerprint: str
    attempts: int
    max_attempts: int
    crashes: int
    code_version: str
    settings: str | None
    index_version: int | None
    epoch: int | None
    created_at: float
    resolved_at: float | None
    resolution: str | None
    resolution_reason: str | None
    replay: int | None
    outcome: str | None
    next_letter: int | None
    superseded_by: int | None


@dataclass(frozen=True, slots=True)
class WholeLetter(DeadLetter):
    """A letter with its attempts, the letters of its work, a sample of its document, and what a replay costs."""

    history: Sequence[LetterAttempt]
    letters: Sequence[SiblingLetter]
    sample: Sample
    cost: ReplayCost


@dataclass(frozen=True, slots=True)
class ExplainedLetter(WholeLetter):
    """The same with how many open letters have its root cause, the replay that sent it again, and what to do next."""

    same_cause: int
    replayed_by: Replay | None
    next: Sequence[str]


@dataclass(frozen=True, slots=True)
class ExportedLetter(WholeLetter):
    """A letter as a line of an export."""

    kind: str = field(default="dead_letter", metadata=FIRST)


@dataclass(frozen=True, slots=True)
class ExportedMessage(KeptMessage):
    """An unreadable message as a line of an export."""

    kind: str = field(default="unreadable_message", metadata=FIRST)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Some of the letters that match, their root causes, and unreadable messages; `total` is how many match."""

    total: int
    dead_letters: Sequence[DeadLetter]
    groups: Sequence[RootCause]
    unreadable: Sequence[KeptMessage]


@dataclass(frozen=True, slots=True)
class Discarded:
    """How many were given up, letters and messages by number, and letters that were named and could not be."""

    discarded: int
    ids: Sequence[int]
    messages: Sequence[int]
    refused: Sequence[Refusal]


@serves("dlq.list", Right.OPERATE, in_letters(), trace=Trace.READ)
def list_letters(
    runtime: Runtime, wanted: LetterFilter = EVERY_LETTER, *, limit: int = 100, before: int | None = None
) -> DeadLetters:
    """Letters, newest first, those below `before`; raises NotFound for a job or collection that there is not.

    Messages have nothing that a filter could ask for: with one, there are none.
    """

    def find(connection: Connection) -> DeadLetters:
        require_known(connection, wanted)
        found = dead_letters.list_letters(connection, wanted, limit=limit, before=before)
        return DeadLetters(
            total=dead_letters.count_letters(connection, wanted),
            dead_letters=[publish(letter) for letter in found],
            groups=dead_letters.group_letters(connection, wanted, limit=limit),
            unreadable=_list_messages(connection, wanted, limit=limit),
        )

    return runtime.database.query(find)


def require_known(connection: Connection, wanted: LetterFilter) -> None:
    """Raise NotFound for a job or a collection that there is not: its dead letters are none for want of a name."""
    if wanted.job is not None:
        get_job(connection, wanted.job)
    if wanted.collection is not None:
        get_collection(connection, wanted.collection)


def _list_messages(connection: Connection, wanted: LetterFilter, *, limit: int) -> list[KeptMessage]:
    if not wanted.is_everything:
        return []
    return unreadable.list_messages(connection, include_resolved=wanted.resolved, limit=limit)


def publish(letter: StoredLetter) -> DeadLetter:
    """A letter as people see it."""
    return DeadLetter(**_published(letter))


def _published(letter: StoredLetter) -> dict[str, Any]:
    stored = {"job": "job_id", "settings": "settings_hash", "replay": "replay_id"}
    return {name: getattr(letter, stored.get(name, name)) for name in DeadLetter.__dataclass_fields__}


@serves("dlq.show", Right.OPERATE, in_letter(), trace=Trace.READ, told=("number",))
def explain_letter(runtime: Runtime, number: int) -> ExplainedLetter:
    """Everything about one letter: what, where, why, its document's shape, and what comes next; raises NotFound."""

    def find(connection: Connection) -> tuple[LetterHistory, int, Replay | None]:
        found = dead_letters.show_letter(connection, number)
        letter = found.letter
        siblings = dead_letters.count_letters(connection, LetterFilter(fingerprint=letter.fingerprint))
        return found, siblings, replays.get_replay(connection, letter.replay_id) if letter.replay_id else None

    found, siblings, replay = runtime.database.query(find)
    return ExplainedLetter(
        **_whole(runtime, found), same_cause=siblings, replayed_by=replay, next=_next_steps(found.letter, siblings)
    )


def _whole(runtime: Runtime, found: LetterHistory) -> dict[str, Any]:
    return _published(found.letter) | {
        "history": found.attempts,
        "letters": found.letters,
        "sample": take_sample(runtime, found.letter),
        "cost": measure_cost(runtime, [found.letter]),
    }


def _next_steps(letter: StoredLetter, siblings: int) -> list[str]:
    if letter.next_letter:
        return [f"embedmill dlq show {letter.next_letter}"]
    if letter.resolution:
        return []
    discard = f'embedmill dlq discard {letter.id} --reason "..."'
    if letter.job_state == "cancelled" or letter.is_superseded:
        return [discard]
    of_cause = [f"embedmill dlq replay --fingerprint {letter.fingerprint} --dry-run"] if siblings > 1 else []
    return [f"embedmill dlq replay {letter.id}", *of_cause, discard]


@serves("dlq.message", Right.OPERATE, installation, trace=Trace.READ, told=("number",))
def show_message(runtime: Runtime, number: int) -> KeptMessage:
    """One unreadable message; raises NotFound."""
    return runtime.database.query(lambda connection: unreadable.show_message(connection, number))


@serves("dlq.discard", Right.OPERATE, in_letters(), told=("wanted", "messages", "reason"))
def discard_letters(
    runtime: Runtime, wanted: LetterFilter | None, *, messages: Sequence[int] = (), reason: str
) -> Discarded:
    """Give letters and unreadable messages up, for a reason that is kept; raises NotFound."""

    def discard_messages(connection: Connection) -> None:
        for number in messages:
            unreadable.discard_message(connection, number, reason=reason)

    if wanted is not None:
        runtime.database.query(lambda connection: require_known(connection, wanted))
    runtime.database.transact(discard_messages)
    ids = [] if wanted is None else dead_letters.discard_letters(runtime.database, wanted, reason=reason)
    refused = _refuse_rest(runtime, wanted, ids) if wanted is not None else []
    return Discarded(len(ids) + len(messages), ids, list(messages), refused)


def _refuse_rest(runtime: Runtime, wanted: LetterFilter, discarded: Sequence[int]) -> list[Refusal]:
    """Letters that were named and are not among those that were discarded now, each with the reason."""
    rest = replace(wanted, ids=sorted({*(wanted.ids or ())} - {*discarded}))
    reasons = {each.id: each for each in runtime.database.query(lambda c: replays.refuse_named(c, rest))}
    return [reasons.get(id_, Refusal(id_, "somebody else is at it")) for id_ in rest.ids or ()]


@serves("dlq.export", Right.OPERATE, in_letters(), trace=Trace.READ)
def export_letters(runtime: Runtime, wanted: LetterFilter = EVERY_LETTER) -> Iterator[ExportedLetter | ExportedMessage]:
    """Every letter in full, newest first; then unreadable messages, if no filter is given. Raises NotFound."""
    runtime.database.query(lambda connection: require_known(connection, wanted))
    for page in dead_letters.walk_letters(runtime.database, wanted):
        for found in page:
            yield ExportedLetter(**_whole(runtime, found))
    messages = runtime.database.query(lambda connection: _list_messages(connection, wanted, limit=MOST_MESSAGES))
    for message in messages:
        yield ExportedMessage(**asdict(message))
