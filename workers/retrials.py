"""Documents for which their provider failed before: apart from all others, and in ever smaller company.

One of them may be what the provider cannot digest, and would take along whatever shares its request. Mostly none is: a
connection broke, and took hundreds with it. What shares a request with a culprit gets rid of it by halves.

Where texts of all claims share requests, those that failed as often do, and a request is half as large for each
failure. Otherwise it is the documents of a claim: the first goes alone. When it is well, half of the rest follows
together, and then the rest; a failure begins this anew.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from embedmill.shared.db.leases import WorkItem
from embedmill.shared.db.settlement import RetryPolicy
from embedmill.shared.outcomes import Advance, Fail, Outcome, Park

MemberT = TypeVar("MemberT")

MOST_HALVINGS = 20
AGAIN = -1
"""In the place of a document's id: those that are tried again, apart from all others."""


def apart(item: WorkItem, retry: RetryPolicy) -> int:
    """0 for who shares requests with all, `AGAIN`, or the own id of who shares them with none.

    None is in company when its failure may be its last: nobody dies of a request that he shared.
    """
    if item.failing_since is None:
        return 0
    return item.id if item.claimed_at - item.failing_since >= retry.outage / 2 else AGAIN


@dataclass(frozen=True, slots=True)
class Company:
    """Who shares requests: all, those for which their provider failed as often, or none but who is `alone`, by id."""

    alone: int = 0
    failures: int = 0

    @property
    def is_failing(self) -> bool:
        """Whether the provider failed for them before."""
        return self.failures > 0

    @property
    def parts(self) -> int:
        """One of their requests takes one of so many parts of a full one."""
        return 1 << min(self.failures, MOST_HALVINGS)


def company_of(item: WorkItem, retry: RetryPolicy, failures: Mapping[int, int]) -> Company:
    """In what company a document asks; it is alone at its last attempt, too. `failures` says how often, by id."""
    is_last = item.attempt >= item.max_attempts > 1
    place = item.id if is_last else apart(item, retry)
    return Company(failures=failures.get(item.id, 1)) if place == AGAIN else Company(place)


def try_again(members: Sequence[MemberT], call: Callable[[Sequence[MemberT]], bool | None]) -> None:
    """Call with one, with half of the rest, with the rest; `call` says how it went, None where nobody was asked."""
    left, well = list(members), 0
    while left:
        size = (1, math.ceil(len(left) / 2), len(left))[min(well, 2)]
        some, left = left[:size], left[size:]
        went = call(some)
        if went is not None:
            well = well + 1 if went else 0


def went_well(outcomes: Iterable[Outcome]) -> bool | None:
    """Whether documents got what they had asked for; None when they only wait, and nobody was asked."""
    ends = list(outcomes)
    if any(isinstance(end, Fail) or (isinstance(end, Park) and end.failure is not None) for end in ends):
        return False
    return True if any(isinstance(end, Advance) for end in ends) else None
