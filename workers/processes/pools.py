"""Pure planning of worker pools: which processes a supervisor should run, given what is wanted and who else serves."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from embedmill.shared import stages
from embedmill.shared.flow.limits import find_limits
from embedmill.shared.providers.names import ModelName
from embedmill.shared.providers.vectorstores.table import is_remote
from embedmill.shared.settings import Settings
from embedmill.shared.stages import Product, Resource

# Slots of one process with threads; more slots are more processes.
THREADS_PER_PROCESS = 32
# Batches whose texts one process has asked for at once: several for each request that is out, as few fill one.
ASKING_THREADS = 16


class PoolKind(StrEnum):
    """How a pool gets its slots: by processes of one slot, or by threads within a process."""

    PREFORK = "prefork"
    THREADS = "threads"


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """A pool as a supervisor was started with it; no queues are all queues, no kind is the queue's default."""

    queues: tuple[str, ...] = field(default_factory=stages.names)
    slots: int = 1
    kind: PoolKind | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, as it is registered."""
        return asdict(self)


def usual_pools(settings: Settings, slots: int, embeddings: Collection[str]) -> list[PoolSpec]:
    """One pool for all queues; where vectors are made elsewhere, one process with threads asks for those of all.

    So texts share requests whatever the number of workers, and nobody who could compute waits for an answer.
    """
    if not any(ModelName.parse(name).is_remote for name in embeddings):
        return [PoolSpec(slots=slots)]
    asking = stages.maker(Product.VECTORS)
    others = tuple(name for name in stages.names() if name != asking)
    cap = provider_cap(asking, settings)
    threads = ASKING_THREADS if cap is None else min(ASKING_THREADS, cap.slots)
    return [PoolSpec(others, slots), PoolSpec((asking,), threads, PoolKind.THREADS)]


@dataclass(frozen=True, slots=True)
class Group:
    """Processes that are alike: they serve the same queues in the same way."""

    queues: tuple[str, ...]
    kind: PoolKind


def default_kind(stage: str, settings: Settings) -> PoolKind:
    """Threads where a stage waits for somebody else's computer, processes where it needs this one's."""
    uses = stages.find_stage(stage).uses
    asks = Resource.PROVIDER in uses and _model(stage, settings).is_remote
    writes = Resource.STORE in uses and is_remote(settings.vector_url)
    return PoolKind.THREADS if asks or writes else PoolKind.PREFORK


def _model(stage: str, settings: Settings) -> ModelName:
    name = stages.find_stage(stage).model_setting
    return ModelName.parse(getattr(settings, name) if name else "")


@dataclass(frozen=True, slots=True)
class Cap:
    """The most slots of a queue that its provider has a use for, and the setting that says so."""

    slots: int
    setting: str


def provider_cap(stage: str, settings: Settings) -> Cap | None:
    """The slots of a stage beyond which a provider would only answer with refusals, or None when there is no limit.

    Of requests a minute, because a call takes less than that: with as many slots as requests, or as the calls that a
    slot has out at once make of them, some have none to make.
    """
    entry, name = stages.find_stage(stage), _model(stage, settings)
    rpm = find_limits(name.provider, name.model, settings.limits).fixed.get("requests") if name.model else None
    calls = getattr(settings, entry.calls_setting) if entry.calls_setting else 1
    caps = [Cap(max(1, rpm // calls), "EMBEDMILL_LIMITS")] if rpm else []
    if most := getattr(settings, entry.most_slots_setting) if entry.most_slots_setting else 0:
        caps.append(Cap(most, f"EMBEDMILL_{entry.most_slots_setting.upper()}"))
    return min(caps, key=lambda cap: cap.slots, default=None)


def share(desired: int, supervisors: Sequence[str], own: str) -> int:
    """This supervisor's part of the desired slots; the parts of all add up to it, whoever computes them."""
    ordered = sorted(supervisors)
    if own not in ordered:
        return 0
    whole, rest = divmod(desired, len(ordered))
    return whole + (ordered.index(own) < rest)


@dataclass(frozen=True, slots=True)
class Situation:
    """What a plan depends on beside the pools themselves: wanted slots, who serves a queue, and who asks."""

    own: str
    desired: Mapping[str, int]
    serving: Mapping[str, Sequence[str]]
    given_up: Mapping[tuple[str, ...], int]


def plan(specs: Sequence[PoolSpec], situation: Situation, settings: Settings) -> dict[Group, int]:
    """Slots of every group of processes.

    A queue that somebody scaled gets processes of its own, and those that serve several queues leave it to them;
    otherwise a number of slots would mean nothing. All else stays as it was started, less what was drained for good.
    """
    wanted: dict[Group, int] = {}
    for spec in specs:
        left = tuple(queue for queue in spec.queues if queue not in situation.desired)
        if left:
            group = Group(left, kind_of(spec, left, settings))
            slots = max(0, spec.slots - situation.given_up.get(spec.queues, 0))
            wanted[group] = wanted.get(group, 0) + slots
    for queue, desired in situation.desired.items():
        for spec in [spec for spec in specs if queue in spec.queues][:1]:
            group = Group((queue,), kind_of(spec, (queue,), settings))
            wanted[group] = share(desired, situation.serving.get(queue, ()), situation.own)
    return wanted


def kind_of(spec: PoolSpec, queues: Sequence[str], settings: Settings) -> PoolKind:
    """The kind of a pool's processes that serve `queues`."""
    if spec.kind is not None:
        return spec.kind
    return default_kind(queues[0], settings) if len(queues) == 1 else PoolKind.PREFORK


def split(kind: PoolKind, slots: int) -> list[int]:
    """Slots of each process of a group, largest first."""
    if kind is PoolKind.PREFORK:
        return [1] * slots
    processes = -(-slots // THREADS_PER_PROCESS)
    return [slots // processes + (n < slots % processes) for n in range(processes)]


def slots_by_queue(wanted: Mapping[Group, int]) -> dict[str, int]:
    """Slots that serve each queue; a process that serves several counts for each."""
    return {
        stage: sum(slots for group, slots in wanted.items() if stage in group.queues)
        for stage in stages.names()
        if any(stage in group.queues for group in wanted)
    }
