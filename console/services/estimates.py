"""`embedmill estimate`, and the estimate that is kept with a job: one method, from all documents or from a sample."""

import math
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from embedmill.console.cli.output import print_line, print_table, print_warning
from embedmill.console.cli.session import opened
from embedmill.console.dollars import format_usd
from embedmill.console.services.measuring import Measured, Measurer, Outline, Totals, measure_job
from embedmill.shared.addresses import document_id, version_id
from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.db import collections, documents, ledger
from embedmill.shared.errors import DocumentError, ParserCrashed
from embedmill.shared.ledger import FREE_PROVIDERS, Lane, Tokens
from embedmill.shared.providers.vectorstores.pinecone.units import UNIT
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.estimates import (
    Asked,
    Demand,
    Outlook,
    demands_of_indexing,
    foresee_verdicts,
    price_lanes,
    total_lanes,
)

if TYPE_CHECKING:
    from embedmill.console.services.passed_over import Noticed
    from embedmill.producers.sources.base import FileItem, Item, Remark, RowItem
    from embedmill.producers.sources.open import SourceOptions
    from embedmill.shared.db.collections import Collection
    from embedmill.shared.providers.embeddings.base import Embedder
    from embedmill.workers.chunking import ChunkSet
    from embedmill.workers.parsing.sandbox import Parser

SHOWN = 20
ITEMS = 256
EXACT, ROUGH = "exact", "rough"


def estimate(sources: Sequence[str], collection: str, options: "SourceOptions") -> dict[str, Any]:
    """Documents, chunks, tokens, calls, dollars and seconds per stage and lane of what an ingest would do now."""
    from embedmill.console.services.passed_over import Noticed
    from embedmill.producers.sources.open import open_sources
    from embedmill.workers.parsing.limits import ParserLimits
    from embedmill.workers.parsing.sandbox import Parser

    began = time.monotonic()
    with opened() as runtime, Parser(ParserLimits.from_settings(runtime.settings)) as parser:
        found = runtime.database.query(lambda connection: collections.find_collection(connection, collection))
        noticed, named = Noticed(), list[str]()
        counter = _Counter(runtime, parser, collection, found, noticed)
        for source in open_sources(sources, options=options, stdin=sys.stdin.buffer):
            named.append(str(source.spec["uri"]))
            counter.take_all(source.scan())
        measured = counter.measured()
        report = _price(runtime, counter.settings, measured)
    totals = measured.totals
    return {
        "documents": counter.unchanged + int(totals.documents),
        "unchanged": counter.unchanged,
        "skipped": counter.skipped,
        "unreadable": int(totals.unreadable),
        **report,
        "problems": counter.problems[:SHOWN],
        "refused": noticed.problems,
        "sources": named,
        **noticed.as_json(),
        "seconds": round(time.monotonic() - began, 3),
    }


def estimate_job(
    runtime: Runtime, job_id: int, collection: "Collection", *, lane: Lane = Lane.LIVE
) -> dict[str, Any] | None:
    """The same of a job, in one lane, from a sample of its documents: what is kept with it.

    Raises nothing that has to do with reading a document. Where nothing costs money there is none.
    """
    settings = read_collection_settings(collection.settings)
    if not _costs_money(runtime, settings):
        return None
    return _outline(_price(runtime, settings, measure_job(runtime, job_id, settings, collection)), lane)


def _outline(report: Mapping[str, Any], lane: Lane) -> dict[str, Any]:
    """What is kept with a job: its sums, and tokens and dollars of the stages that cost something."""

    def told(stage: Mapping[str, Any]) -> dict[str, Any]:
        # Where nothing goes by batches there is no such lane, and everything is asked at once.
        priced = stage["lanes"].get(lane, stage["lanes"][Lane.LIVE])
        amounts = {
            name: stage[name] for name in ("tokens_in", "tokens_out", "write_units", "read_units") if name in stage
        }
        return amounts | {name: priced[name] for name in ("usd", "usd_at_most")}

    embed = report["stages"]["embed"]
    paid = {name: told(stage) for name, stage in report["stages"].items() if _costs(stage)}
    total = report["total"].get(lane, report["total"][Lane.LIVE])
    counts = {"tokens": embed["tokens"], "chunks": report["stages"]["index"]["vectors"]}
    return {**counts, **total, "basis": report["basis"], "read": report["read"], "stages": paid}


def _costs_money(runtime: Runtime, settings: CollectionSettings) -> bool:
    from embedmill.shared.providers.vectorstores.table import find_offer

    embedder = runtime.embedder(settings.embedding).name.split("/")[0]
    models = settings.gates or settings.audits
    return embedder not in FREE_PROVIDERS or models or find_offer(runtime.settings.vector_url) is not None


def _price(runtime: Runtime, settings: CollectionSettings, measured: Measured) -> dict[str, Any]:
    """Stages and lanes with their prices, whoever measured."""
    embedder, totals = runtime.embedder(settings.embedding), measured.totals
    chunks, tokens = math.ceil(totals.due_chunks), math.ceil(totals.due_tokens)
    calls = max(math.ceil(chunks / embedder.max_inputs), math.ceil(tokens / embedder.max_tokens_per_request))
    vectors = Demand(embedder.name.split("/")[0], embedder.model, "embed", Tokens(into=tokens), calls, inputs=chunks)
    verdicts = _foresee(runtime, settings, measured.asked)
    paid = {"validate": _priced(runtime, verdicts), "embed": _priced(runtime, Outlook(vectors, vectors))}
    paid |= _price_indexing(runtime, embedder, totals)
    return {
        "stages": {
            "chunk": {"documents": math.ceil(totals.documents), "tokens": math.ceil(totals.tokens)},
            "validate": {
                "validator": settings.validator,
                "chunks": math.ceil(measured.asked.chunks),
                **paid["validate"],
            },
            "embed": {"model": embedder.name, "chunks": chunks, "tokens": tokens, **paid["embed"]},
            "index": {"vectors": math.ceil(totals.chunks), **paid.get("index", {})},
        },
        "total": total_lanes(paid),
        "basis": EXACT if measured.is_exact and embedder.counts_exactly else ROUGH,
        "read": measured.read,
    }


def _foresee(runtime: Runtime, settings: CollectionSettings, asked: Asked) -> Outlook:
    """What the validator takes, by what it answered in this home before, if it did."""
    if not asked.calls:
        return foresee_verdicts("rules", asked, tokens_per_answer=None)
    provider, _, model = settings.validator.partition("/")
    known = runtime.database.query(lambda c: ledger.measure_answers(c, provider=provider, model=model))
    return foresee_verdicts(settings.validator, asked, tokens_per_answer=known)


def _priced(runtime: Runtime, outlook: Outlook) -> dict[str, Any]:
    expected, most = outlook.expected, outlook.at_most
    return {
        "calls": expected.calls,
        "tokens_in": expected.tokens.prompt,
        "tokens_out": expected.tokens.out,
        "tokens_in_at_most": most.tokens.prompt,
        "tokens_out_at_most": most.tokens.out,
        "lanes": price_lanes(outlook, runtime.spender.prices, runtime.settings),
    }


def _price_indexing(runtime: Runtime, embedder: "Embedder", totals: Totals) -> dict[str, dict[str, Any]]:
    """What a vector store that bills its requests will bill."""
    from embedmill.shared.providers.vectorstores.table import find_offer

    if find_offer(runtime.settings.vector_url) is None:
        return {}
    counted = {name: math.ceil(getattr(totals, name)) for name in ("documents", "chunks", "text_bytes")}
    demands = demands_of_indexing(**counted, dimensions=embedder.dimensions)
    prices = [
        price_lanes(Outlook(demand, demand), runtime.spender.prices, runtime.settings)[Lane.LIVE] for demand in demands
    ]
    dollars = [price["usd"] for price in prices]
    usd = None if None in dollars else sum(dollars)
    live = prices[0] | {"usd": usd, "usd_at_most": usd}
    written, *read = (demand.milliunits / UNIT for demand in demands)
    return {"index": {"write_units": written, "read_units": sum(read), "lanes": {str(Lane.LIVE): live}}}


class _Counter:
    """Reads every document that is new or changed, and counts."""

    def __init__(
        self, runtime: Runtime, parser: "Parser", name: str, found: "Collection | None", noticed: "Noticed"
    ) -> None:
        chosen = runtime.settings
        self.settings = (
            read_collection_settings(found.settings)
            if found is not None
            else CollectionSettings(chosen.embedding, chosen.validator, chosen.validation_policy)
        )
        self.unchanged = self.skipped = 0
        self.problems: list[str] = []
        self._runtime = runtime
        self._name = name
        self._noticed = noticed
        self._known_by = None if found is None else runtime.fingerprint(found)
        self._measurer = Measurer(runtime, self.settings, parser)
        outline = Outline.read(runtime, self.settings, found)
        self._forecast = outline.forecast() if outline.asks else None
        self._totals = Totals()

    def take_all(self, source: "Iterable[Item | Remark]") -> None:
        """Everything in a source."""
        items = iter(source)
        while some := list(islice(items, ITEMS)):
            self._take(some)

    def _take(self, items: "Sequence[Item | Remark]") -> None:
        from embedmill.producers.sources.base import FileItem, Problem, RowItem, Skipped

        for item in items:
            if not isinstance(item, FileItem | RowItem):
                self.skipped += isinstance(item, Skipped | Problem)
                self._noticed.add(item)
        for document in self._changed([item for item in items if isinstance(item, FileItem | RowItem)]):
            self._count(document)

    def measured(self) -> Measured:
        """What was counted."""
        asked = self._forecast.finish() if self._forecast else Asked()
        return Measured(self._totals, asked, int(self._totals.documents))

    def _changed(self, items: "Sequence[FileItem | RowItem]") -> "list[FileItem | RowItem]":
        """Without those that are indexed as they are."""
        if self._known_by is None:
            return list(items)
        ids = {item.uri: document_id(self._name, item.uri) for item in items}
        active = self._runtime.database.query(lambda c: documents.find_active_versions(c, list(ids.values())))
        changed = [i for i in items if active.get(ids[i.uri]) != version_id(i.content_hash, self._known_by)]
        self.unchanged += len(items) - len(changed)
        return changed

    def _count(self, item: "FileItem | RowItem") -> None:
        try:
            chunk_set = self._split(item)
        except (DocumentError, ParserCrashed) as error:
            self._totals += Totals(documents=1, unreadable=1)
            self.problems.append(f"{item.uri}: {error}")
            return
        if self._forecast is not None:
            self._forecast.add(chunk_set, item.uri)
        self._totals += self._measurer.measure(chunk_set)

    def _split(self, item: "FileItem | RowItem") -> "ChunkSet":
        from embedmill.producers.sources.base import RowItem

        if isinstance(item, RowItem):
            return self._measurer.split_row(item.text, title=item.title)
        return self._measurer.split_file(item.path, uri=item.uri, title=item.title or "")


def print_estimate(report: Mapping[str, Any]) -> None:
    """The estimate for people."""
    from embedmill.console.services.passed_over import print_passed_over

    embed = report["stages"]["embed"]
    passed = ", ".join(f"{report[name]} {name}" for name in ("unchanged", "unreadable", "skipped") if report[name])
    print_line(
        f"{report['documents']} documents ({passed or 'all new'}): {_count_chunks(report)}, "
        f"{embed['tokens']} tokens to embed with {embed['model']} in {embed['calls']} calls"
    )
    rows = [_row(name, stage) for name, stage in report["stages"].items() if _costs(stage)]
    if rows:
        columns = ("stage", "calls", "tokens_in", "tokens_out", "write_units", "read_units", *report["total"])
        print_table(rows, [column for column in columns if any(column in row for row in rows)], empty="")
    for lane, total in report["total"].items():
        limits = "" if total["seconds"] is None else f", {total['seconds']:.0f} s at the providers' limits"
        print_line(f"lane {lane}: {describe_cost(total, report['basis'])}{limits}")
    for problem in report["problems"]:
        print_warning(problem)
    print_passed_over(report)


def _count_chunks(report: Mapping[str, Any]) -> str:
    """The chunks that will be indexed, and how many of them have no vector yet, if not all."""
    chunks, due = report["stages"]["index"]["vectors"], report["stages"]["embed"]["chunks"]
    return f"{chunks} chunks" if chunks == due else f"{chunks} chunks of which {due} were not embedded before"


def describe_cost(total: Mapping[str, Any], basis: str) -> str:
    """`$0.0423, counted`, or `about $0.94, at most $2.20`; `unpriced` where a price is not known."""
    if total["usd"] is None:
        return "unpriced"
    most = total.get("usd_at_most")
    about = f"{format_usd(total['usd'])}, counted" if basis == EXACT else f"about {format_usd(total['usd'])}"
    return about if most is None or most <= total["usd"] else f"{about}, at most {format_usd(most)}"


def _costs(stage: Mapping[str, Any]) -> bool:
    return any(lane["usd"] != 0 for lane in stage.get("lanes", {}).values())


def _row(name: str, stage: Mapping[str, Any]) -> dict[str, Any]:
    """A stage with its dollars by lane, as people read it."""
    counts = {key: math.ceil(n) for key, n in stage.items() if key.endswith("_units")}
    counts |= {key: stage[key] for key in ("calls", "tokens_in", "tokens_out") if key in stage}
    lanes = {lane: format_usd(told["usd"]) for lane, told in stage["lanes"].items()}
    return {"stage": name, **counts, **lanes}
