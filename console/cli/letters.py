"""What people read of dead letters and their replays, and the status that a replay gives."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from embedmill.console.cli.output import DEAD_LETTERS, DONE, FAILED, print_error, print_line, print_table, print_wrapped
from embedmill.console.rendering import to_json
from embedmill.shared.durations import format_duration
from embedmill.shared.letters import RESOLUTIONS

if TYPE_CHECKING:
    from embedmill.console.services.dead_letters import DeadLetters, Discarded, ExplainedLetter
    from embedmill.console.services.replay_cost import ReplayCost
    from embedmill.console.services.replaying import ReplayPreview, ReplayReport, Replays
    from embedmill.console.services.sampling import Sample
    from embedmill.shared.letters import KeptMessage, LetterFilter, Refusal, Replay, RootCause

SHOWN_REFUSALS = 20


def print_causes(found: "DeadLetters") -> None:
    """Dead letters by root cause."""
    now = time.time()
    for cause in found.groups:
        _print_cause(cause, now)
    if not found.groups:
        print_line("no dead letters")
    _print_messages(found.unreadable)


def _print_cause(cause: "RootCause", now: float) -> None:
    jobs = f"{cause.jobs} job{'s' if cause.jobs > 1 else ''}"
    print_line(f"{cause.count} x {cause.error_class} at {cause.stage}  [{cause.fingerprint}]")
    print_line(f"    {jobs}; last {_ago(cause.last_seen, now)}, first {_ago(cause.first_seen, now)}")
    print_wrapped(f"    for example letter {cause.example}: {cause.uri}: {cause.error}")
    closed = [f"{count} {name}" for name in RESOLUTIONS if (count := getattr(cause, name))]
    if closed:
        why = f"; letter {cause.example}: {cause.resolution_reason}" if cause.resolution_reason else ""
        print_wrapped(f"    closed: {', '.join(closed)}{why}")
    if cause.open:
        print_wrapped(f"    next: {cause.hint}")


def print_letters(found: "DeadLetters") -> None:
    """Dead letters one by one."""
    letters = found.dead_letters
    columns = ["id", "job", "stage", "error_class", "fingerprint", "attempts", "crashes", "uri", "error"]
    if any(letter.resolution for letter in letters):
        columns[6:6] = ["resolution", "resolution_reason", "outcome"]
    print_table(letters, columns, empty="no dead letters")
    if found.total > len(letters) > 0:
        print_line(f"{found.total} in all; the next ones: --before {letters[-1].id}")
    _print_messages(found.unreadable)


def _print_messages(messages: "Sequence[KeptMessage]") -> None:
    if messages:
        print_line(f"{len(messages)} messages that no consumer could read (dlq show mID; dlq discard mID --reason …):")
        rows = [{**to_json(message), "id": f"m{message.id}"} for message in messages]
        print_table(rows, ("id", "queue", "times", "reason", *_resolution_of(messages)), empty="")


def _resolution_of(messages: "Sequence[KeptMessage]") -> tuple[str, ...]:
    return ("resolution", "resolution_reason") if any(message.resolution for message in messages) else ()


def print_message(message: "KeptMessage") -> None:
    """One unreadable message."""
    for name, value in to_json(message).items():
        print_line(f"{name:18} {value if value is not None else '-'}")


def print_explanation(found: "ExplainedLetter") -> None:
    """One dead letter."""
    print_wrapped(f"letter {found.id}: {found.uri}")
    print_wrapped(f"  job {found.job}, collection {found.collection}, document {found.document}")
    died = _ago(found.created_at, time.time())
    print_wrapped(f"  died at {found.stage} {died}: {found.error_class}: {found.error}")
    if found.resolution is None:
        print_wrapped(f"  next: {found.hint}")
    print_wrapped(f"  {found.attempts} of {found.max_attempts} attempts, {found.crashes} crashes")
    print_wrapped(f"  root cause {found.fingerprint}, open letters with it: {found.same_cause}")
    print_wrapped(
        f"  code {found.code_version}, settings {found.settings}, index version {found.index_version}, "
        f"epoch {found.epoch}"
    )
    _print_resolution(found)
    _print_sample(found.sample)
    if found.resolution is None:
        print_wrapped(f"to send it again: {describe_cost(found.cost)}")
    for step in found.next:
        print_line(f"  {step}")
    _print_past(found)


def _print_past(found: "ExplainedLetter") -> None:
    print_wrapped("attempts:")
    columns = ("stage", "epoch", "attempt", "outcome", "seconds", "error_class", "error", "worker")
    print_table(found.history, columns, empty="none recorded")
    if len(found.letters) > 1:
        print_wrapped("every letter of this document in this job:")
        print_table(found.letters, ("id", "stage", "error_class", "resolution", "replay_id", "outcome"), empty="")


def _print_resolution(found: "ExplainedLetter") -> None:
    if found.resolution is None:
        return
    why = f": {found.resolution_reason}" if found.resolution_reason else ""
    replay = f" by replay {found.replay}" if found.replay else ""
    again = f" as letter {found.next_letter}" if found.next_letter else ""
    by = f", by job {found.superseded_by}" if found.superseded_by else ""
    outcome = f"; {found.outcome}{again}" if found.outcome else ""
    print_wrapped(f"  {found.resolution}{replay}{why}{by}{outcome}")


def _print_sample(sample: "Sample") -> None:
    facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sample.facts.items())
    print_wrapped(f"sample, from {sample.source}: {facts}")
    for line in sample.excerpt.splitlines():
        print_line(f"  | {line}")


def print_preview(found: "ReplayPreview") -> None:
    """What a replay would send."""
    print_line(f"{found.would_replay} would be replayed")
    _print_refusals(found.refused)
    if found.groups or not found.refused:
        columns = ("count", "stage", "error_class", "fingerprint", "jobs", "error")
        print_table(found.groups, columns, empty="no dead letter matches")
    if found.groups:
        print_line(describe_cost(found.cost))


def describe_cost(cost: "ReplayCost") -> str:
    """What a replay costs, in one line."""
    if cost.chunks is None:
        return f"at most {cost.tokens} tokens to embed; what was embedded before is free"
    known = f"{cost.cached} of {cost.chunks} chunks are embedded already" if cost.chunks else "no stored text"
    return f"{known}; {'' if cost.exact else 'about '}{cost.tokens} tokens to embed"


def print_replayed(done: "ReplayReport", *, rate: float | None, is_awaited: bool) -> None:
    """What was sent again, and what became of it where that was waited for."""
    count = done.replayed
    pace = f" at {rate:g} documents a second, the last in {format_duration(count / rate)}" if rate else ""
    print_line(f"{count} replayed{pace}" + (f"; embedmill dlq replays {done.replay}" if count else ""))
    _print_refusals(done.refused)
    if is_awaited:
        _print_outcomes(done.outcomes)


def _print_outcomes(outcomes: Mapping[str, int]) -> None:
    named = {"completed": "went through", "dead again": "died again"}
    counted = [f"{count} {named.get(name, name)}" for name, count in outcomes.items() if count]
    if counted:
        print_line(", ".join(counted) + ("; embedmill dlq list" if outcomes["dead again"] else ""))


def _print_refusals(refused: "Sequence[Refusal]") -> None:
    for refusal in refused[:SHOWN_REFUSALS]:
        print_wrapped(f"letter {refusal.id} left alone: {refusal.reason}")
    if len(refused) > SHOWN_REFUSALS:
        print_line(f"… and {len(refused) - SHOWN_REFUSALS} more left alone")


def require_any(wanted: "LetterFilter", done: int, refused: "Sequence[Refusal]") -> None:
    """End with an error where letters were named and none of them can be taken."""
    if wanted.ids and not done:
        numbers = ", ".join(map(str, wanted.ids[:SHOWN_REFUSALS]))
        why = f": {refused[0].reason}" if len(refused) == len(wanted.ids) == 1 else ""
        print_error(f"there is no open letter to take: {numbers}{why}", "embedmill dlq list --resolved --flat")
        raise typer.Exit(FAILED)


def replay_status(outcomes: Mapping[str, int]) -> int:
    """0 when every letter of a replay went through, 3 when some died again, 1 when some did not come to an end."""
    if outcomes["running"] or outcomes["cancelled"]:
        return FAILED
    return DEAD_LETTERS if outcomes["dead again"] else DONE


def print_replays(found: "Replays") -> None:
    """Replays in a table."""
    columns = ("id", "by", "count", "refused", "rate", "completed", "dead again", "cancelled", "running", "asked")
    print_table([_row(replay) for replay in found.replays], columns, empty="nothing was ever replayed")


def _row(replay: "Replay") -> dict[str, Any]:
    asked = " ".join(f"{name}={value}" for name, value in replay.filter.items()) or "all"
    return {**to_json(replay), **replay.outcomes, "asked": asked}


def print_discarded(done: "Discarded") -> None:
    """What was given up."""
    print_line(f"{done.discarded} discarded")
    _print_refusals(done.refused)


def _ago(then: float, now: float) -> str:
    return f"{format_duration(max(0.0, now - then))} ago"
