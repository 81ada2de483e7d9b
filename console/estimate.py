"""`embedmill estimate`: what an ingest would do, by parsing and chunking without storing or spending anything."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.output import print_line, print_table, print_warning
from console.session import opened
from shared.collections import CollectionSettings, read_collection_settings
from shared.db import collections, ledger, samples
from shared.errors import DocumentError, ParserCrashed
from shared.files import read_regular_file
from shared.providers.vectorstores.pinecone_units import UNIT
from shared.runtime import Runtime
from shared.spend.estimates import Demand, demand_of_verdicts, demands_of_indexing, grown, price_lanes, total_lanes
from shared.spend.terms import Lane, Tokens

if TYPE_CHECKING:
    from producers.sources.base import FileItem, RowItem
    from producers.sources.open import SourceOptions
    from shared.db.collections import Collection
    from shared.providers.embeddings.base import Embedder
    from workers.chunking import ChunkSet
    from workers.parsing.sandbox import Parser
    from workers.validation.forecast import Forecast

SHOWN = 20


def estimate(sources: Sequence[str], collection: str, options: "SourceOptions") -> dict[str, Any]:
    """Documents, chunks, tokens, calls, dollars and seconds per stage and lane."""
    from console.passed_over import Noticed
    from producers.sources.base import FileItem, Problem, RowItem, Skipped
    from producers.sources.open import open_sources
    from workers.parsing.limits import ParserLimits
    from workers.parsing.sandbox import Parser

    began = time.monotonic()
    counted = _Counted()
    totals, problems = counted.totals, counted.problems
    noticed, named = Noticed(), list[str]()
    with opened() as runtime:
        settings = _settings(runtime, collection)
        forecast = counted.forecast = _forecast(runtime, settings, collection)
        limits = ParserLimits.from_settings(runtime.settings)
        with Parser(limits) as parser:
            for source in open_sources(sources, options=options, stdin=sys.stdin.buffer):
                named.append(str(source.spec["uri"]))
                for item in source.scan():
                    if isinstance(item, FileItem | RowItem):
                        _count(runtime, parser, settings, item, counted)
                    else:
                        totals["skipped"] += isinstance(item, Skipped | Problem)
                        noticed.add(item)
        embedder = runtime.embedder(settings.embedding)
        calls = max(
            math.ceil(totals["chunks"] / embedder.max_inputs),
            math.ceil(totals["embedded_tokens"] / embedder.max_tokens_per_request),
        )
        verdicts = _demand(settings, forecast)
        paid = _price(runtime, verdicts, embedder, totals, calls=calls) | _price_indexing(runtime, embedder, totals)
    return {
        "documents": totals["documents"],
        "skipped": totals["skipped"],
        "unreadable": totals["unreadable"],
        "stages": {
            "chunk": {"documents": totals["documents"], "tokens": totals["tokens"]},
            "validate": {"validator": settings.validator, "chunks": verdicts.inputs, **paid["validate"]},
            "embed": {
                "model": embedder.name,
                "chunks": totals["chunks"],
                "tokens": totals["embedded_tokens"],
                **paid["embed"],
            },
            "index": {"vectors": totals["chunks"], **paid.get("index", {})},
        },
        "total": total_lanes(paid),
        "problems": problems[:SHOWN],
        "refused": noticed.problems,
        "sources": named,
        **noticed.as_json(),
        "seconds": round(time.monotonic() - began, 3),
    }


def _forecast(runtime: Runtime, settings: CollectionSettings, name: str) -> "Forecast | None":
    """Counts what a model would be asked; None where the validator is none."""
    from workers.validation.forecast import Forecast, Policy

    if not (settings.gates or settings.audits):
        return None
    with runtime.database.read() as connection:
        found = collections.find_collection(connection, name)
        before = {
            kind: samples.get_counts(connection, found.id, kind) if found else samples.Counts()
            for kind in (samples.VERDICT, samples.TERMS)
        }
    share = runtime.settings.terms_sample
    return Forecast(Policy(settings.audits, before[samples.VERDICT], before[samples.TERMS], terms_share=share))


def _demand(settings: CollectionSettings, forecast: "Forecast | None") -> Demand:
    if forecast is None:
        return demand_of_verdicts("rules", chunks=0, tokens=0)
    forecast.finish()
    provider, _, model = settings.validator.partition("/")
    tokens = grown(forecast.tokens, provider)
    return Demand(provider, model, "message", tokens, calls=forecast.calls, inputs=forecast.inputs)


def _price(
    runtime: Runtime, verdicts: Demand, embedder: "Embedder", totals: Mapping[str, int], *, calls: int
) -> dict[str, dict[str, Any]]:
    provider = embedder.name.split("/")[0]
    vectors = Demand(
        provider,
        embedder.model,
        "embed",
        Tokens(into=totals["embedded_tokens"]),
        calls=calls,
        inputs=totals["chunks"],
    )
    prices = runtime.spender.prices
    return {
        stage: {
            "calls": demand.calls,
            "tokens_in": demand.tokens.prompt,
            "tokens_out": demand.tokens.out,
            "lanes": price_lanes(demand, prices, runtime.settings),
        }
        for stage, demand in (("validate", verdicts), ("embed", vectors))
    }


def _price_indexing(runtime: Runtime, embedder: "Embedder", totals: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """What a vector store that bills its requests will bill."""
    from shared.providers.vectorstores.table import find_offer

    if find_offer(runtime.settings.vector_url) is None:
        return {}
    counted = {name: totals[name] for name in ("documents", "chunks", "text_bytes")}
    demands = demands_of_indexing(**counted, dimensions=embedder.dimensions)
    prices = [price_lanes(demand, runtime.spender.prices, runtime.settings)[Lane.LIVE] for demand in demands]
    dollars = [price["usd"] for price in prices]
    live = prices[0] | {"usd": None if None in dollars else sum(dollars)}
    written, *read = (demand.milliunits / UNIT for demand in demands)
    return {"index": {"write_units": written, "read_units": sum(read), "lanes": {str(Lane.LIVE): live}}}


def estimate_job(runtime: Runtime, job_id: int, collection: "Collection", *, lane: Lane = Lane.LIVE) -> dict[str, Any]:
    """A job's cost in a lane from the size of its documents alone, without reading them: cheap, and rough."""
    from producers.scanning import BYTES_PER_TOKEN

    settings = read_collection_settings(collection.settings)
    with runtime.database.read() as connection:
        documents, tokens = ledger.sum_sizes(connection, job_id)
    embedder = runtime.embedder(settings.embedding)
    chunks = math.ceil(tokens / max(settings.chunk_tokens - settings.chunk_overlap, 1))
    calls = math.ceil(tokens / min(runtime.settings.batch_tokens, embedder.max_tokens_per_request))
    text_bytes = tokens * BYTES_PER_TOKEN
    totals = {"documents": documents, "chunks": chunks, "embedded_tokens": tokens, "text_bytes": text_bytes}
    verdicts = _rough_demand(runtime, settings, collection.id, chunks=chunks, tokens=tokens)
    paid = _price(runtime, verdicts, embedder, totals, calls=calls) | _price_indexing(runtime, embedder, totals)
    lanes = total_lanes(paid)
    # Where nothing goes by batches there is no such lane, and everything is asked at once.
    total = lanes.get(lane, lanes[Lane.LIVE])
    return {"tokens": tokens, "chunks": chunks, **total, "basis": "size"}


def _rough_demand(
    runtime: Runtime, settings: CollectionSettings, collection_id: int, *, chunks: int, tokens: int
) -> Demand:
    """A gate asks about everything, an audit about the first hundred chunks and then a share."""
    from workers.validation.sampling import FIRST_CHUNKS, chunk_share

    asked = chunks
    if settings.audits:
        with runtime.database.read() as connection:
            counts = samples.get_counts(connection, collection_id, samples.VERDICT)
        first = min(chunks, max(FIRST_CHUNKS - counts.sampled, 0))
        asked = first + math.ceil((chunks - first) * chunk_share(counts))
    return demand_of_verdicts(settings.validator, chunks=asked, tokens=math.ceil(tokens * asked / max(chunks, 1)))


def _settings(runtime: Runtime, name: str) -> CollectionSettings:
    with runtime.database.read() as connection:
        found = collections.find_collection(connection, name)
    if found is not None:
        return read_collection_settings(found.settings)
    chosen = runtime.settings
    return CollectionSettings(embedding=chosen.embedding, validator=chosen.validator, policy=chosen.validation_policy)


@dataclass(slots=True)
class _Counted:
    """What was found so far."""

    totals: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("documents", "skipped", "unreadable", "chunks", "tokens", "embedded_tokens", "text_bytes"), 0
        )
    )
    problems: list[str] = field(default_factory=list)
    forecast: "Forecast | None" = None


def _count(
    runtime: Runtime, parser: "Parser", settings: CollectionSettings, item: "FileItem | RowItem", counted: _Counted
) -> None:
    from shared.tokenizer import count_many

    totals = counted.totals
    totals["documents"] += 1
    try:
        chunk_set = _split(runtime, parser, settings, item)
    except (DocumentError, ParserCrashed) as error:
        totals["unreadable"] += 1
        counted.problems.append(f"{item.uri}: {error}")
        return
    if counted.forecast is not None:
        counted.forecast.add(chunk_set, item.uri)
    totals["chunks"] += len(chunk_set.chunks)
    totals["text_bytes"] += sum(len(body.encode()) for body in chunk_set.bodies())
    totals["tokens"] += sum(chunk.tokens for chunk in chunk_set.chunks)
    totals["embedded_tokens"] += sum(count_many(chunk_set.embedded_texts()))


def _split(runtime: Runtime, parser: "Parser", settings: CollectionSettings, item: "FileItem | RowItem") -> "ChunkSet":
    from producers.sources.base import RowItem
    from workers.stages.chunk import parse_row, split

    if isinstance(item, RowItem):
        return split(parse_row(item.text), settings, title=item.title)
    data = read_regular_file(item.path, max_bytes=runtime.settings.max_document_bytes)
    return split(parser.parse(data, name=item.uri), settings, title=item.title or "")


def print_estimate(report: Mapping[str, Any]) -> None:
    """The estimate for people."""
    from console.passed_over import print_passed_over

    embed = report["stages"]["embed"]
    print_line(
        f"{report['documents']} documents ({report['unreadable']} unreadable, {report['skipped']} things skipped): "
        f"{embed['chunks']} chunks, {embed['tokens']} tokens to embed with {embed['model']} in {embed['calls']} calls"
    )
    rows = [_row(name, stage) for name, stage in report["stages"].items() if _costs(stage)]
    if rows:
        columns = ("stage", "calls", "tokens_in", "tokens_out", "write_units", "read_units", *report["total"])
        print_table(rows, [column for column in columns if any(column in row for row in rows)], empty="")
    for lane, total in report["total"].items():
        cost = "unpriced" if total["usd"] is None else f"${total['usd']:.6f}"
        limits = "" if total["seconds"] is None else f", {total['seconds']:.0f} s at the providers' limits"
        print_line(f"lane {lane}: {cost}{limits}")
    for problem in report["problems"]:
        print_warning(problem)
    print_passed_over(report)


def _costs(stage: Mapping[str, Any]) -> bool:
    return any(lane["usd"] != 0 for lane in stage.get("lanes", {}).values())


def _row(name: str, stage: Mapping[str, Any]) -> dict[str, Any]:
    """A stage with its dollars by lane, as people read it."""
    counts = {key: math.ceil(n) for key, n in stage.items() if key.endswith("_units")}
    counts |= {key: stage[key] for key in ("calls", "tokens_in", "tokens_out") if key in stage}
    lanes = {
        lane: "unpriced" if told["usd"] is None else f"${told['usd']:.6f}" for lane, told in stage["lanes"].items()
    }
    return {"stage": name, **counts, **lanes}
