"""The `gate` policy: every chunk is judged before it is embedded, and kept, repaired or rejected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from embedmill.shared.db.reviews import Doubt
from embedmill.shared.providers.models.rules import judge as judge_by_rules
from embedmill.workers.stored import Repair, Stored
from embedmill.workers.validation.obtaining import Obtained, Opinion
from embedmill.workers.validation.passages import ChunkPassage, make_passages
from embedmill.workers.validation.repair import Reject, decide
from embedmill.workers.validation.sanity import find_doubts


@dataclass(slots=True)
class GateJudgement:
    """What was found out about one document; `missing` are the addresses whose verdicts could not be had."""

    rejections: dict[int, str] = field(default_factory=dict)
    repairs: dict[int, Repair] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def reject_by_rules(stored: Stored) -> dict[int, str]:
    """What holds no language, by ordinal with the reason."""
    judged = (
        (c.ordinal, judge_by_rules(text))
        for c, text in zip(stored.chunk_set.chunks, stored.chunk_set.shown(), strict=True)
    )
    return {ordinal: reason for ordinal, reason in judged if reason is not None}


def gate_passages(stored: Stored, *, judge: str) -> list[ChunkPassage]:
    """The chunks that a model is asked about: those that the rules, which cost nothing, let pass."""
    rejected = reject_by_rules(stored)
    chunks = [chunk for chunk in stored.chunk_set.chunks if chunk.ordinal not in rejected]
    return make_passages(stored.chunk_set, chunks, document=stored.item.document_id, judge=judge)


def apply_opinions(
    stored: Stored, passages: Sequence[ChunkPassage], obtained: Obtained, *, reject_below: int
) -> GateJudgement:
    """What the opinions mean for a document. A verdict in doubt changes nothing until a person has accepted it."""
    findings = GateJudgement(rejections=reject_by_rules(stored))
    known = _known(passages)
    for passage in passages:
        opinion = obtained.opinions.get(passage.address)
        if opinion is None:
            findings.missing.append(passage.address)
            continue
        doubts = doubts_of(passage, opinion, known)
        if doubts and opinion.decision is None:
            findings.doubts.append(_doubt(stored, passage, doubts))
        if opinion.decision == "rejected" or (doubts and opinion.decision is None):
            continue
        match decide(opinion.verdict, passage.body, reject_below=reject_below):
            case Reject(reason):
                findings.rejections[passage.ordinal] = reason
            case Repair() as repair:
                findings.repairs[passage.ordinal] = repair
    return findings


def doubts_of(passage: ChunkPassage, opinion: Opinion, known: str) -> list[str]:
    """Why the verdict on a passage should be looked at first."""
    return find_doubts(opinion.verdict, passage.body, tokens=passage.tokens, known=f"{known}\n{passage.known}")


def _known(passages: Iterable[ChunkPassage]) -> str:
    """All text of a document that a model may have been shown."""
    return "\n".join(passage.body for passage in passages)


def _doubt(stored: Stored, passage: ChunkPassage, doubts: Sequence[str]) -> Doubt:
    item = stored.item
    chunk = stored.chunk_set.ids[passage.ordinal]
    return Doubt(item.collection_id, item.document_id, chunk, passage.ordinal, passage.address, tuple(doubts))
