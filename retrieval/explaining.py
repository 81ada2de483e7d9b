"""Owns what is told of how an order came about: what each stage cost, and which hits it moved, took in and left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from embedmill.retrieval.steps import Step

Trail = Mapping[str, Sequence[str]]
"""By stage, in the order in which they ran: the ids of the candidates as it left them, best first."""

STEP_OF = {"fused": "fuse"}
"""The step behind a stage, where it is called otherwise."""
SIDES = ("dense", "lexical")
"""Stages that begin an order and change none."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a stage did to the first hits: compared with the stage `after` which it came, among as many as are shown."""

    after: str
    moved: int
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class StageExplained:
    """A step with what it cost; `change` is None for one that orders nothing.

    `cached` are inputs that needed no call, as what was answered before is kept.
    """

    name: str
    ran: bool
    why: str
    calls: int
    usd: float
    tokens_in: int
    tokens_out: int
    seconds: float
    change: Change | None
    cached: int = 0


@dataclass(frozen=True, slots=True)
class HitExplained:
    """A hit's rank after each stage; None where the stage did not have it."""

    rank: int
    document: str
    uri: str
    chunk: str
    ranks: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How the shown order came about."""

    stages: Sequence[StageExplained]
    hits: Sequence[HitExplained]


def explain(
    trail: Trail, steps: Sequence[Step], shown: Mapping[str, tuple[int, str, str, str]], *, depth: int
) -> Explanation:
    """What became of the first `depth`; `shown` are hits by id, with rank, document, address and chunk."""
    changes = _changes(trail, depth)
    places = {stage: {id: place for place, id in enumerate(ids, 1)} for stage, ids in trail.items()}
    hits = [
        HitExplained(*told, {stage: found.get(id) for stage, found in places.items()}) for id, told in shown.items()
    ]
    return Explanation([explain_step(step, changes.get(step.name)) for step in steps], hits)


def as_kept(explanation: Explanation | None, steps: Sequence[Step]) -> Explanation:
    """The explanation of a result that is shown again: what its stages changed, and what they cost this time.

    Of a result that an older release has kept only the latter is known.
    """
    explanation = explanation or explain({}, steps, {}, depth=0)
    now = {step.name: step for step in steps}
    stages = [explain_step(now[stage.name], stage.change) for stage in explanation.stages if stage.name in now]
    return replace(explanation, stages=stages)


def explain_step(step: Step, change: Change | None = None) -> StageExplained:
    """What a step cost and changed."""
    spent = (step.calls, step.usd, step.tokens_in, step.tokens_out, step.seconds)
    return StageExplained(step.name, step.ran, step.why, *spent, change, step.cached)


def _changes(trail: Trail, depth: int) -> dict[str, Change]:
    """What each stage did, by its step."""
    found: dict[str, Change] = {}
    before = next((stage for stage in SIDES if trail.get(stage)), "")
    for stage, ids in trail.items():
        if stage in SIDES or not ids:
            continue
        if before:
            found[STEP_OF.get(stage, stage)] = _change(before, trail[before][:depth], ids[:depth])
        before = stage
    return found


def _change(name: str, before: Sequence[str], after: Sequence[str]) -> Change:
    places = {id: place for place, id in enumerate(before)}
    moved = sum(places.get(id, place) != place for place, id in enumerate(after))
    kept = places.keys() & set(after)
    return Change(name, moved, len(after) - len(kept), len(before) - len(kept))
