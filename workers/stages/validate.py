"""The validate stage: every chunk is kept, repaired, or rejected with a reason."""

from collections.abc import Mapping, Sequence

from embedmill.shared import stages
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.reviews import submit_reviews
from embedmill.shared.db.samples import TERMS, VERDICT, submit_samples
from embedmill.shared.ledger import MESSAGE, Usage
from embedmill.shared.outcomes import Advance, Outcome
from embedmill.shared.privacy.verdict_seals import seal_doubt
from embedmill.shared.spend.metering import LedgerMeter
from embedmill.workers.bulk.verdicts import divert_passages
from embedmill.workers.executor import worst_outcome
from embedmill.workers.retrials import AGAIN, apart, try_again, went_well
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stored import Stored, encode_findings, load_stored
from embedmill.workers.validation.gate import GateJudgement, apply_opinions, gate_passages, reject_by_rules
from embedmill.workers.validation.obtaining import Obtained, judge_name, obtain_verdicts, own_judge, verdict_cache
from embedmill.workers.validation.sampling import (
    chunk_candidates,
    document_candidate,
    is_chunk_sampled,
    is_document_sampled,
)


def validate(runtime: WorkerRuntime, claim: Lease) -> dict[int, Outcome]:
    """Judge the chunks of each document as its collection wants it."""
    stored, outcomes = load_stored(runtime.blobs, claim.items, runtime.handed_on)
    findings: dict[int, GateJudgement] = {}
    for (_, collection_id, alone), documents in _by_job_and_collection(runtime, stored).items():
        settings = runtime.collection_settings(collection_id)

        def judge(
            some: Sequence[Stored], settings: CollectionSettings = settings, collection_id: int = collection_id
        ) -> bool | None:
            waiting: dict[int, Outcome] = {}
            if settings.gates:
                found, waiting = _gate(runtime, settings, some)
            else:
                found = {s.item.id: GateJudgement(rejections=reject_by_rules(s)) for s in some}
            findings.update(found)
            outcomes.update(waiting)
            _sample(runtime, settings, collection_id, [s for s in some if s.item.id in found])
            went = went_well(waiting.values())
            return bool(found) or None if went is None else went

        if alone == AGAIN:
            try_again(documents, judge)
        else:
            judge(documents)
    return outcomes | _advance(runtime, claim, findings)


def _by_job_and_collection(
    runtime: WorkerRuntime, stored: Sequence[Stored]
) -> dict[tuple[int, int, int], list[Stored]]:
    """Documents that share calls: what is spent is one job's, and held against that job's budget.

    Those for which their provider failed before come last, apart from all others.
    """
    groups: dict[tuple[int, int, int], list[Stored]] = {}
    for s in sorted(stored, key=lambda s: s.item.failing_since is not None):
        groups.setdefault((s.item.job_id, s.item.collection_id, apart(s.item, runtime.retry)), []).append(s)
    return groups


def _gate(
    runtime: WorkerRuntime, settings: CollectionSettings, stored: Sequence[Stored]
) -> tuple[dict[int, GateJudgement], dict[int, Outcome]]:
    """Findings of the documents all of whose verdicts could be had, and what becomes of the others."""
    model = runtime.model(settings.validator)
    item = stored[0].item
    judge = own_judge(runtime, item.collection_id, judge_name(model))
    meter = LedgerMeter(runtime.spender, job_id=item.job_id, collection_id=item.collection_id)
    passages = {s.item.id: gate_passages(s, judge=judge) for s in stored}
    diverted = divert_passages(runtime, model, [s.item for s in stored], passages)
    stored = [s for s in stored if s.item.id not in diverted.outcomes]
    if not stored:
        return {}, diverted.outcomes
    passages = {s.item.id: passages[s.item.id] for s in stored}
    obtained = obtain_verdicts(
        runtime,
        verdict_cache(runtime, model, item.collection_id),
        model,
        [passage for found in passages.values() for passage in found],
        meter=meter,
        concurrency=min(
            runtime.settings.validation_concurrency, runtime.spender.concurrency(model.provider, model.model).allowed
        ),
    )
    batched = {address for addresses in diverted.paid.values() for address in addresses}
    batched_tokens = sum(
        {s.address: s.tokens for found in passages.values() for s in found if s.address in batched}.values()
    )
    meter.record_free(
        Usage(model.provider, model.model, MESSAGE, inputs=0),
        cached=obtained.cached - len(batched),
        cached_tokens=obtained.cached_tokens - batched_tokens,
    )
    found = {
        s.item.id: apply_opinions(s, passages[s.item.id], obtained, reject_below=settings.reject_below) for s in stored
    }
    doubts = [seal_doubt(runtime.vault, doubt) for findings in found.values() for doubt in findings.doubts]
    runtime.database.transact(lambda connection: submit_reviews(connection, doubts))
    whole, waiting = _split(found, obtained)
    return whole, waiting | diverted.outcomes


def _split(
    found: Mapping[int, GateJudgement], obtained: Obtained
) -> tuple[dict[int, GateJudgement], dict[int, Outcome]]:
    whole = {id_: findings for id_, findings in found.items() if not findings.missing}
    waiting = {
        id_: worst_outcome([obtained.errors[address] for address in findings.missing])
        for id_, findings in found.items()
        if findings.missing
    }
    return whole, waiting


def _sample(runtime: WorkerRuntime, settings: CollectionSettings, collection_id: int, stored: Sequence[Stored]) -> None:
    """Note what a model is to look at beside the path; nothing here waits for it."""
    if not (settings.audits or settings.gates) or not stored:
        return
    share = runtime.settings.terms_sample

    def note(connection: Connection) -> None:
        if settings.audits:
            submit_samples(
                connection,
                [candidate for s in stored for candidate in chunk_candidates(s)],
                collection_id=collection_id,
                kind=VERDICT,
                choose=is_chunk_sampled,
            )
        if share > 0:
            submit_samples(
                connection,
                [document_candidate(s) for s in stored],
                collection_id=collection_id,
                kind=TERMS,
                choose=lambda sampled, counts: is_document_sampled(sampled, counts, share=share),
            )

    runtime.database.transact(note)


def _advance(runtime: WorkerRuntime, claim: Lease, findings: Mapping[int, GateJudgement]) -> dict[int, Outcome]:
    kept = {id_: found for id_, found in findings.items() if found.rejections or found.repairs}
    collections = {item.id: item.collection_id for item in claim.items}
    encoded = {id_: encode_findings(found.rejections, found.repairs) for id_, found in kept.items()}
    sealed = [runtime.vault.seal_blob(collections[id_], data) for id_, data in encoded.items()]
    by_item = dict(zip(kept, runtime.blobs.put_pack(sealed), strict=True))
    return {
        id_: Advance(
            stages.following(claim.stage, runtime.collection_settings(collections[id_])),
            {"rejections_ref": by_item.get(id_), "chunks_rejected": len(found.rejections)},
        )
        for id_, found in findings.items()
    }
