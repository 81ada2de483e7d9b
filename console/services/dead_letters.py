"""What people see of dead letters: rows, groups, an explanation of one, and the sending again of many."""

import getpass
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from embedmill.console.cli.output import DEAD_LETTERS, DONE, FAILED, print_json, print_line, print_table
from embedmill.console.cli.session import heard, opened
from embedmill.console.durations import format_duration
from embedmill.console.services.jobs import describe_job
from embedmill.console.services.replay_cost import EXACT_DOCUMENTS, describe_cost, estimate_cost, measure_cost
from embedmill.console.services.sampling import take_sample
from embedmill.console.services.working import work_on_job
from embedmill.shared.db import replays, unreadable
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.dead_letters import (
    Filter,
    count_letters,
    discard_letters,
    group_letters,
    list_letters,
    measure_work,
    show_letter,
    walk_letters,
)
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.jobs import get_job
from embedmill.shared.db.replays import replay_letters
from embedmill.shared.runtime import Runtime

SHOWN_REFUSALS = 20
LOOK_SECONDS = 0.3
# Kept messages are few: they come from a deployment that went wrong, not from documents.
MOST_MESSAGES = 10_000

_FIELDS = (
    "id job_id collection document uri stage error_class error hint fingerprint attempts max_attempts crashes "
    "code_version settings_hash index_version epoch created_at resolved_at resolution resolution_reason replay_id "
    "outcome next_letter superseded_by"
)
_PUBLIC = {"job_id": "job", "settings_hash": "settings", "replay_id": "replay"}


def public(letter: Mapping[str, Any]) -> dict[str, Any]:
    """A dead letter as `--json` shows it."""
    return {_PUBLIC.get(name, name): letter[name] for name in _FIELDS.split()}


def require_known(connection: Connection, wanted: Filter) -> None:
    """Raise NotFound for a job or a collection that there is not: its dead letters are none for want of a name."""
    if wanted.job is not None:
        get_job(connection, wanted.job)
    if wanted.collection is not None:
        get_collection(connection, wanted.collection)


def list_matching(wanted: Filter, *, limit: int, before: int | None) -> dict[str, Any]:
    """`{"total", "dead_letters", "groups", "unreadable"}`; messages have nothing that a filter could ask for."""
    is_filtered = wanted != Filter(resolved=wanted.resolved)

    def find(connection: Connection) -> dict[str, Any]:
        require_known(connection, wanted)
        messages = unreadable.list_messages(connection, include_resolved=wanted.resolved, limit=limit)
        return {
            "total": count_letters(connection, wanted),
            "dead_letters": [public(row) for row in list_letters(connection, wanted, limit=limit, before=before)],
            "groups": group_letters(connection, wanted, limit=limit),
            "unreadable": [] if is_filtered else messages,
        }

    with opened() as runtime:
        return runtime.database.query(find)


def print_groups(found: Mapping[str, Any]) -> None:
    """Dead letters by root cause, for people."""
    now = time.time()
    for group in found["groups"]:
        seen = f"last {_ago(group['last_seen'], now)}, first {_ago(group['first_seen'], now)}"
        jobs = f"{group['jobs']} job{'s' if group['jobs'] > 1 else ''}"
        print_line(f"{group['count']} x {group['error_class']} at {group['stage']}  [{group['fingerprint']}]")
        print_line(f"    {jobs}; {seen}")
        print_line(f"    for example letter {group['example']}: {group['uri']}: {group['error']}")
        print_line(f"    next: {group['hint']}")
    if not found["groups"]:
        print_line("no dead letters")
    _print_unreadable(found["unreadable"])


def print_rows(found: Mapping[str, Any]) -> None:
    """Dead letters one by one, for people."""
    columns = ["id", "job", "stage", "error_class", "fingerprint", "attempts", "crashes", "uri", "error"]
    if any(row["resolution"] for row in found["dead_letters"]):
        columns[6:6] = ["resolution", "outcome"]
    print_table(found["dead_letters"], columns, empty="no dead letters")
    if found["total"] > len(found["dead_letters"]) > 0:
        print_line(f"{found['total']} in all; the next ones: --before {found['dead_letters'][-1]['id']}")
    _print_unreadable(found["unreadable"])


def _print_unreadable(messages: Sequence[Mapping[str, Any]]) -> None:
    if messages:
        print_line(f"{len(messages)} messages that no consumer could read (dlq show mID; dlq discard mID --reason …):")
        rows = [{**row, "id": f"m{row['id']}"} for row in messages]
        print_table(rows, ("id", "queue", "times", "reason", "resolution"), empty="")


def _ago(then: float, now: float) -> str:
    return f"{format_duration(max(0.0, now - then))} ago"


def explain(runtime: Runtime, letter_id: int) -> dict[str, Any]:
    """Everything about one dead letter: what, where, why, its history, its document's shape, and what comes next."""

    def find(connection: Connection) -> tuple[dict[str, Any], int, dict[str, Any] | None]:
        letter = show_letter(connection, letter_id)
        siblings = count_letters(connection, Filter(fingerprint=letter["fingerprint"]))
        return letter, siblings, replays.get_replay(connection, letter["replay_id"]) if letter["replay_id"] else None

    letter, siblings, replay = runtime.database.query(find)
    return whole(runtime, letter) | {
        "cost": measure_cost(runtime, [letter]),
        "same_cause": siblings,
        "replayed_by": replay,
        "next": _next_steps(letter, siblings),
    }


def whole(runtime: Runtime, letter: Mapping[str, Any]) -> dict[str, Any]:
    """A letter with its attempts, the other letters of its work and a redacted sample."""
    return public(letter) | {
        "history": [_without(row, "id", "work_id") for row in letter["history"]],
        "letters": [_without(row, "work_id") for row in letter["letters"]],
        "sample": take_sample(runtime, letter),
    }


def _without(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _next_steps(letter: Mapping[str, Any], siblings: int) -> list[str]:
    if letter["next_letter"]:
        return [f"embedmill dlq show {letter['next_letter']}"]
    if letter["resolution"]:
        return []
    if letter["job_state"] == "cancelled" or letter["is_superseded"]:
        return [f'embedmill dlq discard {letter["id"]} --reason "..."']
    steps = [f"embedmill dlq replay {letter['id']}", f'embedmill dlq discard {letter["id"]} --reason "..."']
    if siblings > 1:
        steps.insert(1, f"embedmill dlq replay --fingerprint {letter['fingerprint']} --dry-run")
    return steps


def print_explanation(found: Mapping[str, Any]) -> None:
    """One dead letter for people."""
    now = time.time()
    print_line(f"letter {found['id']}: {found['uri']}")
    print_line(f"  job {found['job']}, collection {found['collection']}, document {found['document']}")
    print_line(f"  died at {found['stage']} {_ago(found['created_at'], now)}: {found['error_class']}: {found['error']}")
    print_line(f"  next: {found['hint']}")
    print_line(f"  {found['attempts']} of {found['max_attempts']} attempts, {found['crashes']} crashes")
    print_line(f"  root cause {found['fingerprint']}, open letters with it: {found['same_cause']}")
    print_line(
        f"  code {found['code_version']}, settings {found['settings']}, index version {found['index_version']}, "
        f"epoch {found['epoch']}"
    )
    _print_resolution(found)
    _print_sample(found["sample"])
    print_line(f"to send it again: {describe_cost(found['cost'])}")
    for step in found["next"]:
        print_line(f"  {step}")
    print_line("attempts:")
    columns = ("stage", "epoch", "attempt", "outcome", "seconds", "error_class", "error", "worker")
    print_table(found["history"], columns, empty="none recorded")
    if len(found["letters"]) > 1:
        print_line("every letter of this document in this job:")
        print_table(found["letters"], ("id", "stage", "error_class", "resolution", "replay_id", "outcome"), empty="")


def _print_resolution(found: Mapping[str, Any]) -> None:
    if found["resolution"] is None:
        return
    why = f": {found['resolution_reason']}" if found["resolution_reason"] else ""
    batch = f" by replay {found['replay']}" if found["replay"] else ""
    again = f" as letter {found['next_letter']}" if found["next_letter"] else ""
    by = f", by job {found['superseded_by']}" if found["superseded_by"] else ""
    outcome = f"; {found['outcome']}{again}" if found["outcome"] else ""
    print_line(f"  {found['resolution']}{batch}{why}{by}{outcome}")


def _print_sample(sample: Mapping[str, Any]) -> None:
    facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sample["facts"].items())
    print_line(f"sample, from {sample['source']}: {facts}")
    for line in sample["excerpt"].splitlines():
        print_line(f"  | {line}")


def preview(wanted: Filter) -> dict[str, Any]:
    """What a replay would send, by root cause, and what it would cost."""

    def find(connection: Connection) -> tuple[Any, ...]:
        require_known(connection, wanted)
        return (
            count_letters(connection, wanted),
            replays.count_refusals(connection, wanted),
            group_letters(connection, wanted, limit=1000),
            measure_work(connection, wanted),
            list_letters(connection, wanted, limit=EXACT_DOCUMENTS),
        )

    with opened() as runtime:
        count, refused, groups, measured, letters = runtime.database.query(find)
        cost = measure_cost(runtime, letters) if count <= len(letters) else estimate_cost(measured)
    rows = [public(letter) for letter in letters]
    counts = {"would_replay": count - refused, "would_refuse": refused}
    return counts | {"groups": groups, "stages": measured, "cost": cost, "dead_letters": rows}


def print_preview(found: Mapping[str, Any]) -> None:
    """The preview for people."""
    alone = f", {found['would_refuse']} left alone: cancelled or submitted again" if found["would_refuse"] else ""
    print_line(f"{found['would_replay']} would be replayed{alone}")
    columns = ("count", "stage", "error_class", "fingerprint", "jobs", "error")
    print_table(found["groups"], columns, empty="no dead letter matches")
    if found["groups"]:
        print_line(describe_cost(found["cost"]))


def replay(wanted: Filter, *, rate: float | None, work: bool, wait: bool, as_json: bool) -> int:
    """Send what matches again; with `work`, work on it here, with `wait`, let workers do it, until it has ended.

    Returns the exit status: what became of these letters, whatever else their jobs hold.
    """
    with opened() as runtime:
        runtime.database.query(lambda connection: require_known(connection, wanted))
        done = replay_letters(runtime.database, wanted, by=user(), rate=rate)
        jobs = sorted(done.jobs)
        with heard(quiet=as_json) as listener:
            for job_id in jobs if work else ():
                work_on_job(runtime, job_id, listener)
            if wait and done.id is not None:
                _await_replay(runtime, done.id)
        outcomes = _read_outcomes(runtime, done.id)
        reports = [describe_job(runtime, job_id) for job_id in jobs]
    if as_json:
        print_json(
            {
                "replay": done.id,
                "replayed": len(done.letters),
                "ids": done.letters,
                "outcomes": outcomes,
                "refused": [asdict(refusal) for refusal in done.refused],
                "jobs": reports,
            }
        )
    else:
        _print_replayed(len(done.letters), done.id, rate)
        print_refusals([asdict(refusal) for refusal in done.refused])
        if work or wait:
            _print_outcomes(outcomes)
    return replay_status(outcomes) if work or wait else DONE


def _await_replay(runtime: Runtime, replay_id: int) -> None:
    """Return when every letter of a replay has ended; a paused job's letters wait for somebody to resume it."""
    while _read_outcomes(runtime, replay_id)["running"]:
        time.sleep(LOOK_SECONDS)


def _read_outcomes(runtime: Runtime, replay_id: int | None) -> dict[str, int]:
    if replay_id is None:
        return dict.fromkeys(replays.OUTCOMES, 0)
    outcomes: dict[str, int] = runtime.database.query(lambda c: replays.get_replay(c, replay_id))["outcomes"]
    return outcomes


def replay_status(outcomes: Mapping[str, int]) -> int:
    """0 when every letter of a replay went through, 3 when some died again, 1 when some did not come to an end."""
    if outcomes["running"] or outcomes["cancelled"]:
        return FAILED
    return DEAD_LETTERS if outcomes["dead again"] else DONE


def _print_outcomes(outcomes: Mapping[str, int]) -> None:
    named = {"completed": "went through", "dead again": "died again"}
    counted = [f"{count} {named.get(name, name)}" for name, count in outcomes.items() if count]
    if counted:
        print_line(", ".join(counted) + ("; embedmill dlq list" if outcomes["dead again"] else ""))


def user() -> str:
    """Who asks, for the record."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return socket.gethostname()


def _print_replayed(count: int, replay_id: int | None, rate: float | None) -> None:
    pace = f" at {rate:g} documents a second, the last in {format_duration(count / rate)}" if rate else ""
    print_line(f"{count} replayed{pace}" + (f"; embedmill dlq replays {replay_id}" if count else ""))


def print_refusals(refused: Sequence[Mapping[str, Any]]) -> None:
    """What was asked for and not done, and why, for people."""
    for refusal in refused[:SHOWN_REFUSALS]:
        print_line(f"letter {refusal['id']} left alone: {refusal['reason']}")
    if len(refused) > SHOWN_REFUSALS:
        print_line(f"… and {len(refused) - SHOWN_REFUSALS} more left alone")


def list_batches(replay_id: int | None, *, limit: int) -> list[dict[str, Any]]:
    """Replays with what became of their letters, newest first."""

    def find(connection: Connection) -> list[dict[str, Any]]:
        if replay_id is not None:
            return [replays.get_replay(connection, replay_id)]
        return replays.list_replays(connection, limit=limit)

    with opened() as runtime:
        return runtime.database.query(find)


def print_batches(batches: Sequence[Mapping[str, Any]]) -> None:
    """Replays for people."""
    rows = [{**row, **row["outcomes"], "asked": _describe_filter(row["filter"])} for row in batches]
    columns = ("id", "by", "count", "refused", "rate", "completed", "dead again", "cancelled", "running", "asked")
    print_table(rows, columns, empty="nothing was ever replayed")


def _describe_filter(wanted: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in wanted.items()) or "all"


def discard(wanted: Filter | None, messages: Sequence[int], *, reason: str) -> dict[str, Any]:
    """Give dead letters and unreadable messages up."""

    def discard_messages(connection: Connection) -> None:
        for message_id in messages:
            unreadable.discard_message(connection, message_id, reason=reason)

    with opened() as runtime:
        if wanted is not None:
            runtime.database.query(lambda connection: require_known(connection, wanted))
        runtime.database.transact(discard_messages)
        discarded = [] if wanted is None else discard_letters(runtime.database, wanted, reason=reason)
    named = (wanted.ids if wanted is not None else None) or ()
    refused = [{"id": id_, "reason": "it is no open dead letter"} for id_ in sorted({*named} - {*discarded})]
    done = {"discarded": len(discarded) + len(messages), "ids": discarded, "messages": list(messages)}
    return done | {"refused": refused}


def export_lines(runtime: Runtime, wanted: Filter, *, with_messages: bool) -> Iterator[dict[str, Any]]:
    """Every matching dead letter as `dlq show` explains it; then, if wanted, the unreadable messages."""
    runtime.database.query(lambda connection: require_known(connection, wanted))
    for page in walk_letters(runtime.database, wanted):
        for letter in page:
            yield {"kind": "dead_letter"} | whole(runtime, letter) | {"cost": measure_cost(runtime, [letter])}
    if with_messages:
        with runtime.database.read() as connection:
            rows = unreadable.list_messages(connection, include_resolved=wanted.resolved, limit=MOST_MESSAGES)
        yield from ({"kind": "unreadable_message"} | row for row in rows)


def show_unreadable(message_id: int) -> dict[str, Any]:
    """One unreadable message."""
    with opened() as runtime:
        return runtime.database.query(lambda connection: unreadable.show_message(connection, message_id))
