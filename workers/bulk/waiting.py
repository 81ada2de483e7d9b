"""The stages' side of the batch lane: documents that lack an answer ask for it there and wait, holding no worker."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from embedmill.shared.db import bulk_waits
from embedmill.shared.db.bulk_waits import NewItem, WaitState
from embedmill.shared.db.leases import WorkItem
from embedmill.shared.errors import InputTooLong
from embedmill.shared.outcomes import Outcome, Park
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.lanes import find_obstacle
from embedmill.shared.states import WaitReason
from embedmill.workers.executor import worst_outcome


@dataclass(slots=True)
class Diverted:
    """What becomes of documents that go by the batch lane, and the addresses that it paid for, by work."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    paid: dict[int, set[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchTarget:
    """The kind of answer that documents are after, and who gives it."""

    kind: str
    name: str
    provider: str
    model: str
    operation: str


def divert(
    runtime: Runtime,
    items: Sequence[WorkItem],
    target: BatchTarget,
    *,
    list_needed: Callable[[], Mapping[int, Sequence[NewItem]]],
    find_known: Callable[[Sequence[str]], Collection[str]],
) -> Diverted:
    """The documents of one job whose answers are to come by the batch lane; nothing of all others.

    `list_needed` is asked, by work, for all that a request could be made for, and only if the lane is concerned at all;
    `find_known` tells which addresses the cache has.
    """
    prices = runtime.spender.prices
    if not items or runtime.vault.is_encrypted(items[0].collection_id):
        return Diverted()
    if find_obstacle(prices, target.provider, target.model, target.operation) is not None:
        return Diverted()
    job_id, ids = items[0].job_id, [item.id for item in items]
    if not runtime.database.query(lambda connection: bulk_waits.is_concerned(connection, job_id, ids)):
        return Diverted()
    needed = list_needed()
    have = find_known(sorted({new.address for found in needed.values() for new in found}))
    lacking = {id_: [new for new in found if new.address not in have] for id_, found in needed.items()}
    there = {id_: [new.address for new in found if new.address in have] for id_, found in needed.items()}
    states = runtime.database.transact(
        lambda connection: bulk_waits.ask_for(
            connection,
            lacking,
            there,
            documents={item.id: item.document_id for item in items},
            job_id=job_id,
            kind=target.kind,
            target=target.name,
        )
    )
    outcomes = {id_: outcome for id_, state in states.items() if (outcome := _outcome(state)) is not None}
    return Diverted(outcomes, {id_: state.paid for id_, state in states.items() if state.paid})


def _outcome(state: WaitState) -> Outcome | None:
    """A failure decides at once; otherwise the document waits for whatever is out.

    What is too long is no failure: the stage asks about it at once, is refused for nothing, and cuts it.
    """
    if not all(isinstance(error, InputTooLong) for error in state.errors):
        return worst_outcome(state.errors)
    return Park(WaitReason.BULK, None) if state.is_open else None
