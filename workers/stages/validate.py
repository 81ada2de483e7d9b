"""The validate stage: every chunk is kept, or rejected with a reason."""

from shared.db.work import Claim
from shared.outcomes import Advance, Outcome
from shared.providers.models.rules import judge
from shared.states import Stage, next_stage
from workers.runtime import WorkerRuntime
from workers.stages.stored import Stored, encode_rejections, load_stored


def validate(runtime: WorkerRuntime, claim: Claim) -> dict[int, Outcome]:
    """Judge the chunks of each document by the rules."""
    stored, outcomes = load_stored(runtime.blobs, claim.items)
    rejected = {s.item.id: found for s in stored if (found := _reject(s))}
    references = runtime.blobs.put_pack([encode_rejections(found) for found in rejected.values()])
    by_item = dict(zip(rejected, references, strict=True))
    for s in stored:
        values = {"rejections_ref": by_item.get(s.item.id), "chunks_rejected": len(rejected.get(s.item.id, {}))}
        outcomes[s.item.id] = Advance(next_stage(Stage.VALIDATE, validator="rules"), values)
    return outcomes


def _reject(stored: Stored) -> dict[int, str]:
    judged = (
        (c.ordinal, judge(body)) for c, body in zip(stored.chunk_set.chunks, stored.chunk_set.bodies(), strict=True)
    )
    return {ordinal: reason for ordinal, reason in judged if reason is not None}
