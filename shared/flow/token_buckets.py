"""A provider's limits and their arithmetic: token buckets with variable cost, taken from in all dimensions or in none.

A bucket refills continuously. It lets a call through that is larger than what it holds, once it is full, and goes into
debt by the difference: a provider's own bucket holds a whole minute, ours a few seconds of it, so ours is the narrower
one at every moment and yet lets every call through that the provider would. Where a provider says how much is left of
its own, ours is as large as that: its first minute is used at once, and no call is sent that does not fit. How much
its bucket holds it may say, too; that is less than a minute's worth where the limit is enforced over shorter spans.

What a person waits for goes before all others: while such a call waits for the buckets to hold enough for it, no other
takes from them. So it waits for one slot at most, however many wait in the row, and the row waits no longer for it than
for any other call.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from embedmill.shared.errors import LONGEST_WAIT_SECONDS
from embedmill.shared.flow import guesses
from embedmill.shared.logs import get_logger
from embedmill.shared.metering import Headroom

log = get_logger()

MINUTE_SECONDS = 60.0
BURST_SECONDS = 8.0
"""What a bucket holds: enough for the moments in which nobody happens to ask, too little for a burst that offends."""
LONGEST_PROMISE_SECONDS = 300.0
HALF_LIFE_SECONDS = 60.0
"""How fast a job's use is forgotten when jobs are compared."""
GRACE_SECONDS = 2.0
"""How long a job that was told to come back is waited for."""
YIELD_SECONDS = 0.2
LATE_SECONDS = 30.0
"""So late somebody may come to a turn that was promised; then it is nobody's any more."""
NEWEST_SHARE = 0.3
LEAST_SHARE = 1e-6
LEAST_RATIO, MOST_RATIO = 0.25, 4.0
SAME_COUNT, UNEVEN_COUNT = 0.005, 1.1
FEW_TOKENS, FEW_COUNT, FULL_COUNT = 50_000, 1.05, 1.02
"""By how much more than it did until now a provider may count a full request, while it has counted few tokens and then.

Thousands of texts differ less from each other than those of a small call do, and a full request that is refused costs
three.
"""


URGENT_PATIENCE_SECONDS = 10.0
"""What a person waits for cannot be parked; for longer it is done without."""

Value = dict[str, Any]
Amounts = Mapping[str, int]
NOTHING: Mapping[str, float] = {}
NO_AMOUNTS: Amounts = {}

FIRST_TOKENS = 8_000
"""What is asked first of a provider of whose limits nothing was heard yet; no account is known that grants less."""
QUANTUM_SECONDS = 2.0
"""A request is not made smaller than what a limit grants in this time, or every text would be one of its own."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The call does not fit now: `seconds` until it does if nobody else comes, `promise` until its turn in the row."""

    seconds: float
    promise: float


def headroom(value: Value, now: float, limits: Amounts) -> Headroom:
    """As much as is left of tokens, and no less than what is soon granted; no more than a bucket holds."""
    value = _refilled(value, now, limits)
    first, counted = _first(value, now), _full_ratio(value)
    if "tokens" not in limits:
        return Headroom(first, None, value["heard"], counted)
    limit, most = limits["tokens"], _capacity(value, limits, "tokens")
    left = min(max(value["levels"]["tokens"], limit * QUANTUM_SECONDS / MINUTE_SECONDS), most)
    # Ours are counts, and the provider's decide.
    tokens = int(left / max(_most_ratio(value, "tokens"), 1.0))
    return Headroom(max(1, min(tokens, first or tokens)), limit, value["heard"], counted)


def _first(value: Value, now: float) -> int | None:
    """What is asked at most of a provider that was not heard yet, or that refused more."""
    most = guesses.most_of(value, now)
    first = None if most is None else max(1, int(most / max(_most_ratio(value, "tokens"), 1.0)))
    return first if value["heard"] else min(first or FIRST_TOKENS, FIRST_TOKENS)


def take(
    value: Value, now: float, amounts: Amounts, limits: Amounts, *, job: str, patience: float
) -> tuple[Value, Wait | None]:
    """Take amounts from the buckets of `limits` (units a minute); None when they were taken.

    A call that has to wait for longer than `patience` is put at the end of the row and told when its turn is. One that
    came to its turn and finds less than was thought is not sent to the end again. All of them wait for urgent ones.
    """
    value = _refilled(value, now, limits)
    counted = as_counted(value, amounts)
    has_turn = _come_to_turn(value, now, _share(counted, limits))
    most = {name: max(amount, round(amount * _most_ratio(value, name))) for name, amount in amounts.items()}
    lacking = (_lacking(value, limits, name, amount) for name, amount in most.items())
    seconds = max([value["not_before"] - now, *lacking], default=0)
    seconds = max([seconds, *(max(other["due"] - now, 0.0) + YIELD_SECONDS for other in value["urgent"].values())])
    if seconds <= 0 and _must_yield(value, job, now):
        seconds = YIELD_SECONDS
    if seconds > 0:
        patience_left = None if has_turn else patience
        return value, _promised(value, now, seconds, counted, limits, job=job, patience=patience_left)
    _spend(value, amounts, limits)
    share = _share(amounts, limits)
    used = value["jobs"].get(job, {}).get("used", 0.0)
    value["jobs"][job] = {"used": used + share, "due": None, "seen": now}
    return value, None


def take_urgently(
    value: Value, now: float, amounts: Amounts, limits: Amounts, *, caller: str, patience: float
) -> tuple[Value, Wait | None]:
    """The same for what a person waits for, who is `caller`: it yields to none but to those who waited before it.

    One that has to wait for longer than `patience` is not waited for, as it does not come back.
    """
    value = _refilled(value, now, limits)
    since = value["urgent"].pop(caller, {"since": now})["since"]
    before = [other["due"] for other in value["urgent"].values() if other["since"] < since]
    counted = as_counted(value, amounts)
    lacking = (_lacking(value, limits, name, max(amount, counted[name])) for name, amount in amounts.items())
    seconds = max(
        [value["not_before"] - now, *lacking, *(max(due - now, 0.0) + YIELD_SECONDS for due in before)], default=0
    )
    if seconds <= 0:
        _spend(value, amounts, limits)
        return value, None
    if seconds <= patience:
        value["urgent"][caller] = {"due": now + seconds, "since": since}
    return value, Wait(seconds, seconds)


def _spend(value: Value, amounts: Amounts, limits: Amounts) -> None:
    value["sent"] += amounts.get("tokens", 0)
    for dimension, amount in amounts.items():
        if dimension in limits:
            value["levels"][dimension] -= amount


def correct(value: Value, now: float, difference: Amounts, limits: Amounts) -> Value:
    """Give back what a call turned out not to have used, or, negative, take what it used beyond."""
    value = _refilled(value, now, limits)
    value["sent"] -= difference.get("tokens", 0)
    for dimension, amount in difference.items():
        if dimension in limits:
            level = value["levels"][dimension] + amount
            value["levels"][dimension] = min(level, _capacity(value, limits, dimension))
    return value


def learn(
    value: Value,
    now: float,
    remaining: Amounts,
    limits: Amounts,
    *,
    unheard_of: Collection[str] = (),
    holds: Mapping[str, float] = NOTHING,
) -> Value:
    """Believe a provider that says less is left than we thought: others may use the same key.

    What is left of the provider's own minute when a limit was `unheard_of` before may be used at once. `holds` is what
    its buckets hold at most; the least that it ever said is believed, because it may round.
    """
    known_holds = {name: most for name, most in value.get("holds", {}).items() if name not in unheard_of}
    value["holds"] = known_holds | {name: min(most, known_holds.get(name, most)) for name, most in holds.items()}
    value = _refilled(value, now, limits)
    for dimension, left in remaining.items():
        if dimension in limits:
            known = limits[dimension] if dimension in unheard_of else value["levels"][dimension]
            value["levels"][dimension] = float(min(known, left))
            value["told"] = sorted({*value["told"], dimension})
    return value


def observe(value: Value, planned: Amounts, used: Amounts) -> Value:
    """Learn by how much the provider counts otherwise than we do, so that turns are promised by its count."""
    ratios, counts = dict(value.get("ratios", {})), dict(value.get("counts", {}))
    for dimension, amount in planned.items():
        if amount > 0 and used.get(dimension, 0) > 0:
            ratio = min(max(used[dimension] / amount, LEAST_RATIO), MOST_RATIO)
            before = ratios.get(dimension, ratio)
            ratios[dimension] = before + NEWEST_SHARE * (ratio - before)
            counts[dimension] = min(counts.get(dimension, 0) + amount, FEW_TOKENS)
    return value | {"ratios": ratios, "counts": counts}


def relearn(value: Value, limits: Amounts) -> Value:
    """Believe what a provider says that its limits are; a bucket holds what is granted in as long a time as before."""
    before = value.get("learned", {})
    changed = {name: limits[name] / before[name] for name in limits if name in before}
    holds = {name: most * changed.get(name, 1.0) for name, most in value.get("holds", {}).items()}
    return value | {"learned": {**before, **limits}, "holds": holds}


def refuse(
    value: Value,
    now: float,
    seconds: float,
    limits: Amounts,
    *,
    amounts: Amounts = NO_AMOUNTS,
    remaining: Amounts = NO_AMOUNTS,
) -> Value:
    """The provider refused: nobody asks again for so long, and then there is room for what it refused, and no more.

    Of which limit that was it may not say. `remaining` is what it says that is left.
    """
    value = _refilled(value, now, limits)
    value["not_before"] = max(value["not_before"], now + seconds)
    for dimension, limit in limits.items():
        left = amounts.get(dimension, 0) - seconds * limit / MINUTE_SECONDS
        if dimension in remaining:
            value["levels"][dimension] = min(value["levels"][dimension], max(float(remaining[dimension]), left))
        elif dimension == "tokens" and amounts and dimension not in value["told"]:
            value["levels"][dimension] = min(value["levels"][dimension], left)
    return value


def _refilled(value: Value, now: float, limits: Amounts) -> Value:
    then = value.get("at", now)
    passed = max(now - then, 0.0)
    levels = value.get("levels", {})
    faded = 0.5 ** (passed / HALF_LIFE_SECONDS)
    jobs = {
        job: entry | {"used": entry["used"] * faded}
        for job, entry in value.get("jobs", {}).items()
        if now - entry["seen"] < LONGEST_PROMISE_SECONDS + GRACE_SECONDS
    }
    last = value.get("last")
    # A clock that was put back must not hold everybody up until it has caught up.
    put_back = max(then - now, 0.0)
    not_before = min(value.get("not_before", 0.0) - put_back, now + LONGEST_WAIT_SECONDS)
    return {
        "at": now,
        "levels": {
            name: min(
                levels.get(name, _capacity(value, limits, name)) + passed * limit / MINUTE_SECONDS,
                _capacity(value, limits, name),
            )
            for name, limit in limits.items()
        },
        "not_before": not_before,
        "last": last if last and now < last["turn"] < now + LONGEST_PROMISE_SECONDS else None,
        "turns": [turn for turn in value.get("turns", ()) if -LATE_SECONDS < turn[0] - now < LONGEST_PROMISE_SECONDS],
        "jobs": jobs,
        "told": value.get("told", []),
        "sent": value.get("sent", 0),
        "guess": value.get("guess", {}),
        "ratios": value.get("ratios", {}),
        "counts": value.get("counts", {}),
        # Who did not come back is gone.
        "urgent": {
            caller: waiting
            for caller, waiting in value.get("urgent", {}).items()
            if -GRACE_SECONDS < waiting["due"] - now < URGENT_PATIENCE_SECONDS + GRACE_SECONDS
        },
        "learned": value.get("learned", {}),
        "holds": value.get("holds", {}),
        "heard": value.get("heard", bool(value.get("learned"))),
    }


def _capacity(value: Value, limits: Amounts, dimension: str) -> float:
    """A few seconds of a limit; where a provider tells its level, what its bucket holds: a minute, or as it says."""
    limit = limits[dimension]
    most: float = value.get("holds", {}).get(dimension, limit)
    if dimension in value.get("told", ()):
        return max(1.0, min(most, limit))
    return max(1.0, min(most, limit * BURST_SECONDS / MINUTE_SECONDS))


def _lacking(value: Value, limits: Amounts, dimension: str, amount: int) -> float:
    """Seconds until a bucket has enough."""
    if dimension not in limits:
        return 0.0
    limit = limits[dimension]
    needed = min(float(amount), _capacity(value, limits, dimension)) - value["levels"][dimension]
    # A whole millisecond more, or rounding would make the call come back for the last millionth of a token.
    return needed / limit * MINUTE_SECONDS + 0.001 if needed > 1e-9 else 0.0


def _must_yield(value: Value, job: str, now: float) -> bool:
    """Whether another job, which has had less, is due at this moment."""
    used = value["jobs"].get(job, {}).get("used", 0.0)
    return any(
        other["due"] is not None and other["due"] <= now <= other["due"] + GRACE_SECONDS and other["used"] < used
        for name, other in value["jobs"].items()
        if name != job
    )


def _come_to_turn(value: Value, now: float, size: float) -> bool:
    """Whether turns have come that were promised: whoever asks now is taken for who was sent away.

    What was sent away as one call may come back as several, or several as one, so turns have sizes (shares of a
    minute), and are used up by them.
    """
    left = size
    turns = []
    for turn, room in sorted(value["turns"]):
        used = min(left, room) if turn <= now else 0.0
        left -= used
        if room - used > LEAST_SHARE:
            turns.append([turn, room - used])
    value["turns"] = turns
    return left <= size / 2


def _share(amounts: Amounts, limits: Amounts) -> float:
    """How much of a minute a call takes, of what is scarcest."""
    return max((amount / limits[name] for name, amount in amounts.items() if name in limits), default=0.0)


def _promised(
    value: Value, now: float, seconds: float, counted: Amounts, limits: Amounts, *, job: str, patience: float | None
) -> Wait:
    """How long to wait, and the turn; without `patience`, the call has come to its turn, and stays in front."""
    entry = value["jobs"].get(job, {"used": 0.0, "due": None})
    if patience is None or seconds <= patience:
        turn, promise = now + seconds, seconds
    else:
        turn = _queued(value, now, counted, limits)
        promise = min(turn - now, max(seconds, LONGEST_PROMISE_SECONDS))
    if patience is None or seconds > patience:
        value["turns"].append([now + promise, _share(counted, limits)])
    value["jobs"][job] = entry | {"due": turn, "seen": now}
    return Wait(seconds, promise)


def as_counted(value: Value, amounts: Amounts) -> dict[str, int]:
    """Amounts by the provider's count, as far as it is known."""
    return {name: round(amount * value.get("ratios", {}).get(name, 1.0)) for name, amount in amounts.items()}


def _most_ratio(value: Value, dimension: str) -> float:
    """How much more than we a provider may count: where it counts otherwise at all, not always by as much."""
    ratio: float = value.get("ratios", {}).get(dimension, 1.0)
    return ratio if abs(ratio - 1.0) < SAME_COUNT else ratio * UNEVEN_COUNT


def _full_ratio(value: Value) -> float:
    """How much more than we a provider may count a request that is as large as it takes one."""
    ratio: float = value["ratios"].get("tokens", 1.0)
    if ratio < 1.0 + SAME_COUNT:
        return 1.0
    return ratio * (FULL_COUNT if value["counts"].get("tokens", 0) >= FEW_TOKENS else FEW_COUNT)


def _queued(value: Value, now: float, amounts: Amounts, limits: Amounts) -> float:
    """Put a call at the end of the row: its turn is when the buckets hold enough for it after all before it.

    Of the row, only its last turn is kept, and what the buckets will hold then.
    """
    last = value["last"] or {"turn": now, "levels": value["levels"]}
    start, levels = (
        float(last["turn"]),
        {name: last["levels"].get(name, _capacity(value, limits, name)) for name in limits},
    )
    then = {"levels": levels, "told": value["told"], "holds": value["holds"]}
    lacking = [_lacking(then, limits, dimension, amount) for dimension, amount in amounts.items()]
    turn = max(start + max(lacking, default=0.0), float(value["not_before"]))
    value["last"] = {
        "turn": turn,
        "levels": {
            name: min(levels[name] + (turn - start) * limit / MINUTE_SECONDS, _capacity(value, limits, name))
            - amounts.get(name, 0)
            for name, limit in limits.items()
        },
    }
    return turn
