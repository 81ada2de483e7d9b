"""Audits: samples are shown to the model, beside the path of their documents."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db.collections import get_collection_by_id
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.reviews import Doubt, submit_reviews
from embedmill.shared.db.samples import (
    TERMS,
    VERDICT,
    Taken,
    drop_sample,
    finish_sample,
    postpone_samples,
    take_samples,
)
from embedmill.shared.db.sealed import TERM
from embedmill.shared.db.terms import FoundTerm, replace_terms
from embedmill.shared.errors import BlobMissing, EmbedmillError, FlowControl, NotFound, StorageFailed, UserError
from embedmill.shared.ledger import MESSAGE, Usage
from embedmill.shared.logs import get_logger
from embedmill.shared.privacy.verdict_seals import seal_doubt
from embedmill.shared.providers.models.base import Model
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.metering import LedgerMeter
from embedmill.workers.chunking import ChunkSet, decode_chunk_set
from embedmill.workers.validation.gate import doubts_of
from embedmill.workers.validation.obtaining import Obtained, judge_name, obtain_verdicts, own_judge, verdict_cache
from embedmill.workers.validation.passages import ChunkPassage, make_passages
from embedmill.workers.validation.sampling import BAD_SCORE
from embedmill.workers.validation.terms import TermsQuestion, Titled, request_terms

log = get_logger()

POSTPONED_SECONDS = 60.0


@dataclass(slots=True)
class Round:
    """What came of one round; `trouble` when a provider could not be had."""

    taken: int = 0
    done: int = 0
    trouble: bool = False


@dataclass(slots=True)
class _Group:
    """Samples of one job and collection: what is spent on them is held against that job's budget."""

    settings: CollectionSettings
    taken: list[Taken] = field(default_factory=list)


def audit(runtime: Runtime, *, limit: int) -> Round:
    """Look at up to `limit` samples; raises StorageFailed only."""
    taken = runtime.database.transact(lambda connection: take_samples(connection, limit=limit))
    result = Round(taken=len(taken))
    texts = _load(runtime, taken)
    for group in _by_job_and_collection(runtime, taken).values():
        there = [t for t in group.taken if t.sampled.chunks_ref in texts]
        _look(runtime, group.settings, there, texts, result)
    return result


def _look(
    runtime: Runtime,
    settings: CollectionSettings,
    taken: Sequence[Taken],
    texts: Mapping[str, ChunkSet],
    result: Round,
) -> None:
    try:
        model = runtime.model(settings.validator)
    except StorageFailed:
        raise
    except EmbedmillError as error:
        result.trouble = True
        _postpone(runtime, taken, error)
        return
    if chunks := [t for t in taken if t.sampled.kind == VERDICT]:
        _judge_chunks(runtime, model, chunks, texts, result)
    if documents := [t for t in taken if t.sampled.kind == TERMS]:
        _collect_terms(runtime, model, documents, texts, result)


def _judge_chunks(
    runtime: Runtime, model: Model, taken: Sequence[Taken], texts: Mapping[str, ChunkSet], result: Round
) -> None:
    collection_id = taken[0].sampled.collection_id
    judge = own_judge(runtime, collection_id, judge_name(model))
    passages = {t.id: _passage(t, texts[t.sampled.chunks_ref], judge) for t in taken}
    meter = _meter(runtime, taken[0])
    obtained = obtain_verdicts(
        runtime,
        verdict_cache(runtime, model, collection_id),
        model,
        list(passages.values()),
        meter=meter,
        concurrency=1,
    )
    known = Usage(model.provider, model.model, MESSAGE, inputs=0)
    meter.record_free(known, cached=obtained.cached, cached_tokens=obtained.cached_tokens)
    for sample in taken:
        passage = passages[sample.id]
        if passage.address in obtained.opinions:
            _conclude(runtime, sample, passage, obtained, known=texts[sample.sampled.chunks_ref].text)
            result.done += 1
        else:
            error = obtained.errors[passage.address]
            result.trouble = True
            _postpone(runtime, [sample], error)


def _passage(taken: Taken, chunk_set: ChunkSet, judge: str) -> ChunkPassage:
    chunk = chunk_set.chunks[taken.sampled.ordinal]
    return make_passages(chunk_set, [chunk], document=taken.sampled.document_id, judge=judge)[0]


def _conclude(runtime: Runtime, taken: Taken, passage: ChunkPassage, obtained: Obtained, *, known: str) -> None:
    opinion = obtained.opinions[passage.address]
    verdict, sampled = opinion.verdict, taken.sampled
    doubts = doubts_of(passage, opinion, known)
    by_model = verdict.source == "model"

    def conclude(connection: Connection) -> None:
        score = verdict.score if by_model else None
        finish_sample(connection, taken.id, score=score, error=verdict.score <= BAD_SCORE if by_model else None)
        if doubts and opinion.decision is None:
            doubt = Doubt(
                sampled.collection_id,
                sampled.document_id,
                sampled.chunk,
                sampled.ordinal,
                passage.address,
                tuple(doubts),
            )
            submit_reviews(connection, [seal_doubt(runtime.vault, doubt)])

    runtime.database.transact(conclude)


def _collect_terms(
    runtime: Runtime, model: Model, taken: Sequence[Taken], texts: Mapping[str, ChunkSet], result: Round
) -> None:
    def keep(titled: Titled, terms: Sequence[FoundTerm] | None) -> None:
        _store_terms(runtime, by_key[titled.key], terms)
        result.done += terms is not None

    by_key: dict[Hashable, Taken] = {t.id: t for t in taken}
    requests = request_terms(_titled(t, texts[t.sampled.chunks_ref]) for t in taken)
    errors = ask_all(TermsQuestion(model, keep), requests, meter=_meter(runtime, taken[0]), pace=Pacing())
    for titled, error in errors.items():
        result.trouble = True
        _postpone(runtime, [by_key[titled.key]], error)


def _titled(taken: Taken, chunk_set: ChunkSet) -> Titled:
    return Titled(taken.id, taken.sampled.document_id, chunk_set.title, chunk_set.text)


def _store_terms(runtime: Runtime, taken: Taken, terms: Sequence[FoundTerm] | None) -> None:
    sampled = taken.sampled

    def store(connection: Connection) -> None:
        if terms is None:
            drop_sample(connection, taken.id, reason="the model gave no usable answer")
            return
        replace_terms(
            connection,
            terms,
            collection_id=sampled.collection_id,
            document_id=sampled.document_id,
            seal=partial(runtime.vault.seal_same, sampled.collection_id, TERM),
        )
        finish_sample(connection, taken.id, score=None)

    runtime.database.transact(store)


def _postpone(runtime: Runtime, taken: Sequence[Taken], error: EmbedmillError) -> None:
    """Try again later; flow control and settings are not the samples' fault."""
    waits = isinstance(error, FlowControl | UserError)
    seconds = error.retry_after_seconds if isinstance(error, FlowControl) else POSTPONED_SECONDS
    log.info("auditor.postponed", samples=len(taken), error_class=type(error).__name__)
    ids = [sample.id for sample in taken]
    runtime.database.transact(
        lambda connection: postpone_samples(connection, ids, seconds=seconds, reason=str(error), counted=not waits)
    )


def _load(runtime: Runtime, taken: Sequence[Taken]) -> dict[str, ChunkSet]:
    """The texts that are still there; samples whose text is gone, as after a newer version, are given up."""
    found = runtime.blobs.get_pack(list({t.sampled.chunks_ref for t in taken}))
    texts: dict[str, ChunkSet] = {}
    for reference, data in found.items():
        try:
            if not isinstance(data, BlobMissing):
                texts[reference] = decode_chunk_set(data)
        except BlobMissing:
            continue
    _drop(runtime, (t for t in taken if t.sampled.chunks_ref not in texts), "its text is gone")
    return texts


def _by_job_and_collection(runtime: Runtime, taken: Sequence[Taken]) -> dict[tuple[int | None, int], _Group]:
    groups: dict[tuple[int | None, int], _Group] = {}
    for sample in taken:
        job_id, collection_id = sample.sampled.job_id, sample.sampled.collection_id
        if (job_id, collection_id) not in groups:
            settings = _settings(runtime, collection_id)
            if settings is None or not (settings.audits or settings.gates):
                _drop(runtime, [sample], "the collection has no model for it any more")
                continue
            groups[job_id, collection_id] = _Group(settings)
        groups[job_id, collection_id].taken.append(sample)
    return groups


def _settings(runtime: Runtime, collection_id: int) -> CollectionSettings | None:
    try:
        found = runtime.database.query(lambda connection: get_collection_by_id(connection, collection_id))
    except NotFound:
        return None
    return read_collection_settings(found.settings)


def _drop(runtime: Runtime, taken: Iterable[Taken], reason: str) -> None:
    def drop(connection: Connection) -> None:
        for sample in samples:
            drop_sample(connection, sample.id, reason=reason)

    samples = list(taken)
    if samples:
        runtime.database.transact(drop)


def _meter(runtime: Runtime, taken: Taken) -> LedgerMeter:
    return LedgerMeter(runtime.spender, job_id=taken.sampled.job_id, collection_id=taken.sampled.collection_id)
