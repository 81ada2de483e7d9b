"""The stages' side of the batch lane: documents that lack an answer ask for it there and wait, holding no worker."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import embedmill.shared.errors
from embedmill.shared.db import bulk_lane
from embedmill.shared.db.bulk_lane import Standing, Want
from embedmill.shared.db.leases import Item
from embedmill.shared.errors import EmbedmillError, FlowControl, InputTooLong
from embedmill.shared.outcomes import Outcome, Park
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.lanes import find_obstacle
from embedmill.shared.states import WaitReason
from embedmill.workers.executor import outcome_of


@dataclass(slots=True)
class Held:
    """What becomes of documents that the batch lane holds back, and the addresses that it paid for, by work."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    paid: dict[int, set[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """The kind of answer that documents are after, and who gives it."""

    kind: str
    target: str
    provider: str
    model: str
    operation: str


Wanted = Mapping[int, Sequence[Want]]
Known = Callable[[Sequence[str]], Collection[str]]
"""Which of some addresses the cache has."""


def hold(
    runtime: Runtime, items: Sequence[Item], question: Question, *, list_wants: Callable[[], Wanted], known: Known
) -> Held:
    """Keep back documents of one job whose answers are to come by the batch lane; nothing for all others.

    `list_wants` is asked, by work, for all that a request could be made for, and only if the lane is concerned at all.
    """
    prices = runtime.spender.prices
    if not items or find_obstacle(prices, question.provider, question.model, question.operation) is not None:
        return Held()
    job_id, ids = items[0].job_id, [item.id for item in items]
    if not runtime.database.query(lambda connection: bulk_lane.is_concerned(connection, job_id, ids)):
        return Held()
    wants = list_wants()
    have = known(sorted({want.address for found in wants.values() for want in found}))
    lacking = {id_: [want for want in found if want.address not in have] for id_, found in wants.items()}
    there = {id_: [want.address for want in found if want.address in have] for id_, found in wants.items()}
    standings = runtime.database.transact(
        lambda connection: bulk_lane.ask_for(
            connection,
            lacking,
            there,
            documents={item.id: item.document_id for item in items},
            job_id=job_id,
            kind=question.kind,
            target=question.target,
        )
    )
    outcomes = {id_: outcome for id_, s in standings.items() if (outcome := _outcome(s)) is not None}
    return Held(outcomes, {id_: s.paid for id_, s in standings.items() if s.paid})


def _outcome(standing: Standing) -> Outcome | None:
    """A failure decides at once; otherwise the document waits for whatever is out.

    What is too long is no failure: the stage asks about it at once, is refused for nothing, and cuts it.
    """
    errors = [_error(*told) for told in standing.errors]
    if not all(isinstance(error, InputTooLong) for error in errors):
        return outcome_of(min(errors, key=lambda error: (error.retryable, not isinstance(error, FlowControl))))
    return Park(WaitReason.BULK, None) if standing.is_open else None


def _error(name: str, message: str) -> EmbedmillError:
    """An error as it was stored; only those of our own tree ever are."""
    found: type[EmbedmillError] = getattr(embedmill.shared.errors, name)
    return found(message)
