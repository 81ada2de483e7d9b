"""What an ingest would take and cost, and the estimate that is kept with a job: from all documents or from a sample."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, cast

from embedmill.console.dollars import EXACT, ROUGH
from embedmill.console.rendering import FIRST, LEFT_OUT
from embedmill.console.services.counting import DocumentCounter
from embedmill.console.services.measures import MeasuredDocuments
from embedmill.console.services.measuring import measure_job
from embedmill.console.services.noticing import Noticed
from embedmill.console.services.reach import in_collection
from embedmill.console.services.serving import Trace, serves
from embedmill.shared import stages
from embedmill.shared.access.principals import Right
from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db import collections, spending
from embedmill.shared.ledger import EMBED, Lane, Tokens, Usage
from embedmill.shared.notes import Note, Reason
from embedmill.shared.providers.names import ModelName
from embedmill.shared.providers.vectorstores.metering import UNIT
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.estimates import (
    Outlook,
    ValidationLoad,
    foresee_verdicts,
    price_lanes,
    total_lanes,
)
from embedmill.shared.stages import Product

if TYPE_CHECKING:
    from embedmill.producers.sources.base import Source
    from embedmill.shared.db.collections import Collection

SHOWN = 20
_KEPT_AMOUNTS = ("tokens_in", "tokens_out", "write_units", "read_units")


@dataclass(frozen=True, slots=True)
class LaneTotal:
    """Dollars of a lane, None where a price is not known, and the seconds that limits make it take, if they do."""

    usd: float | None
    usd_at_most: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class LanePrice(LaneTotal):
    """The same of one stage, with the price that it was reckoned by."""

    price: str


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """What a stage takes; a subclass says more, and has `lanes` where somebody is paid."""

    @property
    def prices(self) -> Mapping[str, LanePrice]:
        """Prices by lane, none where nobody is paid."""
        return getattr(self, "lanes", None) or {}


@dataclass(frozen=True, slots=True)
class ChunkEstimate(StageEstimate):
    """What is read and cut."""

    documents: int
    tokens: int


@dataclass(frozen=True, slots=True)
class CallsEstimate(StageEstimate):
    """What a provider is asked in a stage: as expected, and at most."""

    calls: int
    tokens_in: int
    tokens_out: int
    tokens_in_at_most: int
    tokens_out_at_most: int
    lanes: Mapping[str, LanePrice]


@dataclass(frozen=True, slots=True)
class ValidateEstimate(CallsEstimate):
    """What is judged by a model."""

    validator: str = field(metadata=FIRST)
    chunks: int = field(metadata=FIRST)


@dataclass(frozen=True, slots=True)
class EmbedEstimate(CallsEstimate):
    """What is embedded and was not before."""

    model: str = field(metadata=FIRST)
    chunks: int = field(metadata=FIRST)
    tokens: int = field(metadata=FIRST)


@dataclass(frozen=True, slots=True)
class IndexEstimate(StageEstimate):
    """What is written; units and lanes where the vector store bills."""

    vectors: int
    write_units: float | None = field(default=None, metadata=LEFT_OUT)
    read_units: float | None = field(default=None, metadata=LEFT_OUT)
    lanes: Mapping[str, LanePrice] | None = field(default=None, metadata=LEFT_OUT)


StageEstimates = Mapping[str, StageEstimate]


def list_paid(found: StageEstimates) -> dict[str, StageEstimate]:
    """The stages that cost something."""
    return {name: stage for name, stage in found.items() if any(price.usd != 0 for price in stage.prices.values())}


def of_vectors(found: StageEstimates) -> EmbedEstimate:
    """What is embedded."""
    return cast(EmbedEstimate, found[stages.maker(Product.VECTORS)])


def of_rows(found: StageEstimates) -> IndexEstimate:
    """What is written."""
    return cast(IndexEstimate, found[stages.maker(Product.ROWS)])


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an ingest would take and cost: `total` by lane, `basis` exact or rough, `read` documents looked into.

    Of `documents` some are `unchanged` or `unreadable`; what would be `skipped` is counted beside them.
    """

    documents: int
    unchanged: int
    skipped: int
    unreadable: int
    stages: StageEstimates
    total: Mapping[str, LaneTotal]
    basis: str
    read: int
    problems: list[str]
    refused: int
    sources: list[str]
    notes: list[Note]
    reasons: list[Reason]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Priced:
    """Stages and lanes with their prices, whoever measured."""

    stages: StageEstimates
    total: Mapping[str, LaneTotal]
    basis: str
    read: int


@serves("estimate", Right.OPERATE, in_collection(), trace=Trace.NOTHING)
def estimate(runtime: Runtime, sources: "Sequence[Source]", *, collection: str, limit: int | None = None) -> Estimate:
    """Documents, chunks, tokens, calls, dollars and seconds per stage and lane of what an ingest would do now.

    With a limit, of so many documents of each source.
    """
    from embedmill.workers.parsing.limits import ParserLimits
    from embedmill.workers.parsing.sandbox import Parser

    began = time.monotonic()
    with Parser(ParserLimits.from_settings(runtime.settings)) as parser:
        found = runtime.database.query(lambda connection: collections.find_collection(connection, collection))
        noticed = Noticed()
        counter = DocumentCounter(runtime, parser, collection, found, noticed)
        counter.take_all(sources, limit=limit)
        measured = counter.measured()
        priced = _price(runtime, counter.settings, measured)
    return Estimate(
        documents=counter.unchanged + int(measured.totals.documents),
        unchanged=counter.unchanged,
        skipped=counter.skipped,
        unreadable=int(measured.totals.unreadable),
        stages=priced.stages,
        total=priced.total,
        basis=priced.basis,
        read=priced.read,
        problems=counter.problems[:SHOWN],
        refused=noticed.problems,
        sources=[str(source.spec["uri"]) for source in sources],
        notes=noticed.notes,
        reasons=noticed.reasons(),
        seconds=round(time.monotonic() - began, 3),
    )


def estimate_job(runtime: Runtime, job_id: int, collection: "Collection", *, lane: Lane = Lane.LIVE) -> dict[str, Any]:
    """The same of a job, in one lane, from a sample of its documents: the JSON that is kept with it.

    Raises nothing that has to do with reading a document.
    """
    settings = read_collection_settings(collection.settings)
    return _outline(_price(runtime, settings, measure_job(runtime, job_id, settings, collection)), lane)


def _outline(priced: _Priced, lane: Lane) -> dict[str, Any]:
    """What is kept with a job: its sums, and tokens and dollars of the stages that cost something."""
    total = priced.total.get(lane, priced.total[Lane.LIVE])
    return {
        "tokens": of_vectors(priced.stages).tokens,
        "chunks": of_rows(priced.stages).vectors,
        **asdict(total),
        "basis": priced.basis,
        "read": priced.read,
        "stages": {name: _outline_stage(stage, lane) for name, stage in list_paid(priced.stages).items()},
    }


def _outline_stage(stage: StageEstimate, lane: Lane) -> dict[str, Any]:
    lanes = stage.prices
    # Where nothing goes by batches there is no such lane, and everything is asked at once.
    price = lanes.get(lane, lanes[Lane.LIVE])
    amounts = {name: getattr(stage, name, None) for name in _KEPT_AMOUNTS}
    told = {name: amount for name, amount in amounts.items() if amount is not None}
    return told | {"usd": price.usd, "usd_at_most": price.usd_at_most}


def _price(runtime: Runtime, settings: CollectionSettings, measured: MeasuredDocuments) -> _Priced:
    found: dict[str, StageEstimate] = {
        stage.name: resolve_name(stage.estimate)(runtime, settings, measured)
        for stage in stages.STAGES
        if stage.estimate
    }
    is_exact = measured.is_exact and runtime.embedder(settings.embedding).counts_exactly
    return _Priced(found, _add_up(found), EXACT if is_exact else ROUGH, measured.read)


def _add_up(found: StageEstimates) -> dict[str, LaneTotal]:
    billed = {name: stage.prices for name, stage in found.items() if stage.prices}
    totals = total_lanes({name: {"lanes": {k: asdict(v) for k, v in of.items()}} for name, of in billed.items()})
    return {lane: LaneTotal(**total) for lane, total in totals.items()}


def estimate_chunks(runtime: Runtime, settings: CollectionSettings, measured: MeasuredDocuments) -> ChunkEstimate:
    """What is read and cut."""
    del runtime, settings
    return ChunkEstimate(math.ceil(measured.totals.documents), math.ceil(measured.totals.tokens))


def estimate_verdicts(runtime: Runtime, settings: CollectionSettings, measured: MeasuredDocuments) -> ValidateEstimate:
    """What is judged by a model."""
    priced = _priced(runtime, _foresee(runtime, settings, measured.asked))
    return ValidateEstimate(**priced, validator=settings.validator, chunks=math.ceil(measured.asked.chunks))


def estimate_vectors(runtime: Runtime, settings: CollectionSettings, measured: MeasuredDocuments) -> EmbedEstimate:
    """What is embedded and was not before."""
    embedder, totals = runtime.embedder(settings.embedding), measured.totals
    chunks, tokens = math.ceil(totals.due_chunks), math.ceil(totals.due_tokens)
    calls = max(math.ceil(chunks / embedder.max_inputs), math.ceil(tokens / embedder.max_tokens_per_request))
    vectors = Usage(embedder.provider, embedder.model, EMBED, Tokens(into=tokens), inputs=chunks, calls=calls)
    priced = _priced(runtime, Outlook(vectors, vectors))
    return EmbedEstimate(**priced, model=embedder.name, chunks=chunks, tokens=tokens)


def _foresee(runtime: Runtime, settings: CollectionSettings, asked: ValidationLoad) -> Outlook:
    """What the validator takes, by what it answered in this home before, if it did."""
    if not asked.calls:
        return foresee_verdicts("rules", asked, tokens_per_answer=None)
    name = ModelName.parse(settings.validator)
    known = runtime.database.query(lambda c: spending.measure_answers(c, provider=name.provider, model=name.model))
    return foresee_verdicts(settings.validator, asked, tokens_per_answer=known)


def _priced(runtime: Runtime, outlook: Outlook) -> dict[str, Any]:
    """The fields of a CallsEstimate."""
    expected, most = outlook.expected, outlook.at_most
    return {
        "calls": expected.calls,
        "tokens_in": expected.tokens.prompt,
        "tokens_out": expected.tokens.out,
        "tokens_in_at_most": most.tokens.prompt,
        "tokens_out_at_most": most.tokens.out,
        "lanes": _price_lanes(runtime, outlook),
    }


def _price_lanes(runtime: Runtime, outlook: Outlook) -> dict[str, LanePrice]:
    lanes = price_lanes(outlook, runtime.spender.prices, runtime.settings)
    return {lane: LanePrice(**priced) for lane, priced in lanes.items()}


def estimate_rows(runtime: Runtime, settings: CollectionSettings, measured: MeasuredDocuments) -> IndexEstimate:
    """What is written; with what a vector store that bills its requests will bill."""
    from embedmill.shared.providers.vectorstores.table import find_offer

    embedder, totals = runtime.embedder(settings.embedding), measured.totals
    vectors = math.ceil(totals.chunks)
    offer = find_offer(runtime.settings.vector_url)
    if offer is None:
        return IndexEstimate(vectors)
    counted = {name: math.ceil(getattr(totals, name)) for name in ("documents", "chunks", "text_bytes")}
    usages = offer.usage_of_indexing(**counted, dimensions=embedder.dimensions)
    prices = [_price_lanes(runtime, Outlook(usage, usage))[Lane.LIVE] for usage in usages]
    dollars = [price.usd for price in prices if price.usd is not None]
    usd = sum(dollars) if len(dollars) == len(prices) else None
    written, *read = (usage.milliunits / UNIT for usage in usages)
    live = replace(prices[0], usd=usd, usd_at_most=usd)
    return IndexEstimate(vectors, written, sum(read), {str(Lane.LIVE): live})
