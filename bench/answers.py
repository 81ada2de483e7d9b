"""Measures what models add to a question, and what they can break: `python -m bench answers [PART …]`.

- `failing`: questions while a share of model calls fails in every way that the simulators know, and the deadline.
- `nonsense`: questions while every answer fits its schema and means nothing.
- `order`: the final order beside a scripted judge's, one who favours the first of a list, and one who makes up quotes.
- `tokens`: calls and billed tokens of a ranked search, beside one call of the strong model for each candidate.
- `overhead`: processor time of a search without models, beside the bare query of its store (`bench.bare_query`).
- `memory`: resident memory of a process that searches ten thousand times.

Documents and questions are made up, with the model `hash`; the models are simulated. Nothing is asserted.
"""

import argparse
import ctypes
import os
import random
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import embedmill
from bench.bare_query import BareQuery
from bench.judges import RulingModel, Verdict
from bench.machines import STAGE_SECONDS, documents, home, queries, simulated
from embedmill.console.services.opening import open_runtime
from embedmill.console.services.searching import open_searcher
from embedmill.retrieval.grading.grader import Judges
from embedmill.retrieval.grading.questions import AskedQuestion, RankingQuestion
from embedmill.retrieval.grading.staged import Depths, Judge, Weights
from embedmill.retrieval.passages import RELEVANT, Passage
from embedmill.retrieval.search import Searcher
from embedmill.shared.addresses import digest
from embedmill.shared.asking.packing import Room
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db.collections import get_collection
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.models.base import Model
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.faults import Fault

FAILING_SHARE = 0.4
WAYS = (
    Fault(kind="status", status=500),
    Fault(kind="status", status=529),
    Fault(kind="status", status=429, headers={"retry-after": "1"}),
    Fault(kind="status", status=400),
    Fault(kind="cut"),
    Fault(kind="cut_body"),
    Fault(kind="malformed"),
    Fault(kind="truncated"),
    Fault(kind="usage", usage=-5),
    Fault(kind="refusal"),
    Fault(kind="max_tokens"),
    Fault(kind="nonsense"),
)
SLOW = Fault(kind="slow", seconds=2.5 * STAGE_SECONDS)
WARM, LONG = 1_000, 10_000
GRADES = (1, 2, 3, 4, 5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each number."""
    options = _parser().parse_args(arguments)
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    for part in options.parts or PARTS:
        for name, value in PARTS[part](options).items():
            print(f"{part:9} {name:58} {value}", flush=True)
    return 0


def failing(options: argparse.Namespace) -> dict[str, str]:
    """No question fails, whatever the models do, and none takes longer than it may."""
    with simulated(options) as (settings, simulator):
        simulator.faults.add(*_striking(FAILING_SHARE))
        seconds, replies = _ask_all(settings, options.queries)
        happened = {place: fault for place, fault in enumerate(simulator.faults.left()) if fault["happened"]}
        failed = sum(int(fault["happened"]) for fault in happened.values())
        unbilled = sum(int(fault["happened"]) for fault in happened.values() if fault["kind"] in ("status", "cut"))
        sent = int(simulator.bill.total("requests")) + unbilled
    deadline = settings.search_seconds + 3 * settings.rank_seconds
    steps = Counter(step.name for reply in replies for step in reply.steps if step.failed)
    return {
        "questions that ended in an error (goal 0)": f"{options.queries - len(replies)} of {options.queries}",
        "calls that failed, and in how many ways": f"{failed} of {sent} ({failed / sent:.0%}), {len(happened)}",
        "questions with an answer": str(sum(reply.answered for reply in replies)),
        "questions that were degraded": str(sum(reply.degraded for reply in replies)),
        "steps that said that they failed": ", ".join(f"{name} {count}" for name, count in steps.items()),
        "p50, p95, longest seconds (deadline)": f"{_percentiles(seconds)} ({deadline:g})",
        "longest step": _longest_step(replies),
    }


def nonsense(options: argparse.Namespace) -> dict[str, str]:
    """What random answers leave behind: no error, and no quote that the documents do not hold."""
    with simulated(options) as (settings, simulator):
        simulator.faults.add(Fault(kind="nonsense", times=None))
        seconds, replies = _ask_all(settings, options.queries)
    texts = [document["text"] for document in documents(options.documents, options.words)]
    quotes = [quote.text for reply in replies for claim in reply.claims for quote in claim.quotes]
    false = [quote for quote in quotes if not any(quote in text for text in texts)]
    refused = sum(sum(reply.faults.values()) for reply in replies)
    return {
        "questions that ended in an error (goal 0)": f"{options.queries - len(replies)} of {options.queries}",
        "quotes shown that no document holds (goal 0)": f"{len(false)} of {len(quotes)}",
        "quotes and numbers of answers that were refused": str(refused),
        "p50, p95, longest seconds": _percentiles(seconds),
    }


def order(options: argparse.Namespace) -> dict[str, str]:
    """The judge's order is the final one, a favoured place gains nothing, and what is made up is not shown."""
    with home(options) as settings, open_runtime(settings) as runtime, _searcher(runtime) as searcher:
        inverted = [_inversions(searcher, query) for query in queries(options.queries)]
        gains = [_favoured(searcher, query) for query in queries(options.queries)]
        made_up = [_made_up(searcher, query) for query in queries(options.queries)]
    shown, counted, asked = (sum(part) for part in zip(*made_up, strict=True))
    return {
        "orders that are not the judge's (goal 0)": f"{sum(map(bool, inverted))} of {len(inverted)}",
        "favoured first of a list: rank 1 before it is rank 1 after": (
            f"{sum(gains)} of {len(gains)}, by chance {len(gains) / RankingQuestion.room.inputs:.0f}"
        ),
        "made-up quotes among the first ten (goal 0)": str(shown),
        "made-up quotes that were counted": f"{counted} of {asked}",
    }


def tokens(options: argparse.Namespace) -> dict[str, str]:
    """What a ranked search is billed, beside one call of the strong model for each candidate."""
    asked = queries(min(options.queries, 20))
    with simulated(options) as (settings, simulator), open_runtime(settings) as runtime:
        with open_searcher(runtime, "default", rank=True) as searcher:
            calls = [_calls(searcher, query) for query in asked]
        staged, usd = _billed(simulator), sum(call["usd"] for call in calls)
        simulator.bill.clear()
        with _searcher(runtime) as searcher:
            for query in asked:
                _one_call_each(searcher, query, runtime.model("anthropic/claude-opus-4-7"))
        alone = _billed(simulator)
        again = _repeated(runtime, asked)
    most = [max(call[step] for call in calls) for step in ("filter", "rank")]
    return {
        "most calls of a search: filter, rank (goal 1, 4)": f"{most[0]}, {most[1]}",
        "billed tokens of a search, of one call a candidate": f"{staged // len(asked)}, {alone // len(asked)}",
        "fewer tokens (goal 70 %)": f"{1 - staged / alone:.0%}",
        "dollars of a search": f"{usd / len(asked):.4f}",
        "calls and tokens of the same searches once more (goal 0)": again,
    }


def overhead(options: argparse.Namespace) -> dict[str, str]:
    """What a search takes beside the bare query of its store, asked in turn; and what the store alone takes of it."""
    with home(options) as settings, open_runtime(settings) as runtime, _searcher(runtime) as searcher:
        bare = _bare(runtime, searcher)
        asked = queries(options.queries + 20)
        same = [_found(searcher, query) == bare.find(query, top_k=10) for query in asked[:20]]
        spent = [_spent(searcher, bare, query, bare_first=place % 2 == 1) for place, query in enumerate(asked[20:])]
        calls = _timed(searcher)
        for query in asked[20:]:
            searcher.search(query)
    ours, theirs = (1000 * median(column) for column in zip(*spent, strict=True))
    below = 1000 * sum(calls.values()) / options.queries
    most = sorted(calls.items(), key=lambda part: -part[1])[:5]
    parts = ", ".join(f"{name} {1000 * seconds / options.queries:.2f}" for name, seconds in most)
    return {
        f"ms of the processor a search, median, {options.documents} documents": f"{ours:.2f}",
        "the bare query of the store": f"{theirs:.2f}; the same hits {sum(same)} of {len(same)} times",
        "overhead (goal 20 %)": f"{ours / theirs - 1:.0%}",
        "of these in calls of the store and the embedder": f"{below:.2f} ({parts})",
    }


def _bare(runtime: Runtime, searcher: Searcher) -> BareQuery:
    found = runtime.database.query(lambda connection: get_collection(connection, "default"))
    (shard,) = found.reading_shards
    embedder = runtime.embedder(read_collection_settings(found.settings).embedding)
    return BareQuery(runtime.store(found), shard, embedder, searcher.choose_fusion())


def _found(searcher: Searcher, query: str) -> list[str]:
    return [f"{hit.document}-{hit.chunk}" for hit in searcher.search(query).hits]


def _spent(searcher: Searcher, bare: BareQuery, query: str, *, bare_first: bool) -> tuple[float, float]:
    """Seconds of the processor for a search and for the bare query; whoever is second finds what it reads at hand."""
    asked: list[Callable[[], object]] = [partial(searcher.search, query), partial(bare.find, query, top_k=10)]
    if bare_first:
        theirs, ours = _worked(asked[1]), _worked(asked[0])
        return ours, theirs
    return _worked(asked[0]), _worked(asked[1])


def _worked(ask: Callable[[], object]) -> float:
    begin = time.process_time()
    ask()
    return time.process_time() - begin


def memory(options: argparse.Namespace) -> dict[str, str]:
    """Resident memory after a thousand searches and after ten thousand, as it is and without what is free in it.

    Each question has a word of its own, so that caches of words fill up meanwhile: they have bounds.
    """
    with home(options) as settings, open_runtime(settings) as runtime, _searcher(runtime) as searcher:
        sizes, held = [], []
        for number, query in enumerate(queries(options.long + 1)):
            searcher.search(query)
            if number in (WARM, options.long // 2, options.long):
                sizes.append(_resident_mb())
                _give_back()
                held.append(_resident_mb())
    return {
        f"MB after {WARM}, {options.long // 2} and {options.long} searches": ", ".join(f"{size:.1f}" for size in sizes),
        "of these in use": ", ".join(f"{size:.1f}" for size in held),
        "more in use over the last half (goal flat)": f"{held[2] - held[1]:+.1f} MB",
        "highest": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f}",
    }


def _give_back() -> None:
    """Have the C library return what is free to the system, where it is glibc."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


PARTS: Mapping[str, Callable[[argparse.Namespace], dict[str, str]]] = {
    "failing": failing,
    "nonsense": nonsense,
    "order": order,
    "tokens": tokens,
    "overhead": overhead,
    "memory": memory,
}


@contextmanager
def _searcher(runtime: Runtime) -> Iterator[Searcher]:
    with open_searcher(runtime, "default", rank=False) as searcher:
        yield searcher


def _striking(share: float) -> list[Fault]:
    """Faults of every kind, as often one as the other, that together strike this share of the requests."""
    each = share / (len(WAYS) + 1)
    one_after_another = [
        fault.model_copy(update={"times": None, "probability": each / (1 - each * place)})
        for place, fault in enumerate(WAYS)
    ]
    return [*one_after_another, SLOW.model_copy(update={"times": None, "probability": each})]


def _ask_all(settings: Settings, count: int) -> tuple[list[float], list[Any]]:
    """Seconds and replies of the questions that did not end in an error."""
    seconds, replies = [], []
    with embedmill.open(settings=settings) as mill:
        for query in queries(count):
            begin = time.perf_counter()
            try:
                replies.append(mill.ask(query))
            except embedmill.EmbedmillError as error:
                print(f"{query}: {error}")
            seconds.append(time.perf_counter() - begin)
    return seconds, replies


def _percentiles(seconds: Sequence[float]) -> str:
    cuts = quantiles(seconds, n=20)
    return f"{cuts[9]:.2f}, {cuts[18]:.2f}, {max(seconds):.2f}"


def _longest_step(replies: Sequence[Any]) -> str:
    step = max((step for reply in replies for step in reply.steps), key=lambda step: step.seconds)
    return f"{step.name} {step.seconds:.2f} s"


def _judges(rule: Callable[[int, str], Verdict]) -> tuple[Judges, RulingModel]:
    """One who grades all that there is; nothing is sifted."""
    model = RulingModel(rule)
    return Judges(rank=Judge(model, FreeMeter()), depths=Depths(20, 20), weights=Weights()), model


def _inversions(searcher: Searcher, query: str) -> int:
    """Hits that stand before one that the judge likes better."""

    def rule(_: int, text: str) -> Verdict:
        return random.Random(digest(query, text)).choice(GRADES), text.partition(".")[0]

    searcher.judges, _ = _judges(rule)
    liked = [hit.model_score for hit in searcher.search(query, top_k=20).hits if hit.model_score is not None]
    relevant = [score for score in liked if score >= RELEVANT]
    others = [score for score in liked if score < RELEVANT]
    return sum(one < two for part in (relevant, others) for one, two in pairwise(part))


def _favoured(searcher: Searcher, query: str) -> bool:
    """Whether rank 1 before the models is rank 1 after one that likes the first of each list."""
    searcher.judges = None
    first = searcher.search(query).hits[0].document
    searcher.judges, _ = _judges(lambda place, text: (1 if place else 5, text.partition(".")[0]))
    hits = searcher.search(query, top_k=20).hits
    return hits[0].document == first


def _made_up(searcher: Searcher, query: str) -> tuple[int, int, int]:
    """Made-up quotes that were shown among the first ten, that were counted, and that the judge gave."""
    searcher.judges, model = _judges(lambda _, text: (5, text.partition(".")[0] + " of solid gold"))
    found = searcher.search(query)
    return sum(hit.quote is not None for hit in found.hits), sum(found.faults.values()), model.shown


def _calls(searcher: Searcher, query: str) -> Mapping[str, float]:
    steps = searcher.search(query).steps
    return {step.name: step.calls for step in steps} | {"usd": sum(step.usd for step in steps)}


def _billed(simulator: AnthropicSimulator) -> int:
    names = ("tokens_in", "tokens_out", "cache_read", "cache_write_5m", "cache_write_1h")
    return sum(int(simulator.bill.total(name)) for name in names)


def _one_call_each(searcher: Searcher, query: str, model: Model) -> None:
    hits = searcher.search(query, top_k=Depths().candidates).hits
    question = RankingQuestion(model, AskedQuestion(query))
    question.room = Room(1, RankingQuestion.room.tokens)
    passages = [Passage(hit.chunk, hit.document, hit.uri, hit.title, hit.section, hit.text) for hit in hits]
    for request in question.pack(passages):
        question.send(request)


def _repeated(runtime: Runtime, asked: Sequence[str]) -> str:
    with open_searcher(runtime, "default", rank=True) as searcher:
        steps = [step for query in asked for step in searcher.search(query).steps]
    return f"{sum(step.calls for step in steps)}, {sum(step.tokens_in + step.tokens_out for step in steps)}"


def _timed(searcher: Searcher) -> dict[str, float]:
    """Have the store and the embedder counted: seconds of the processor by what was called."""
    spent: dict[str, float] = defaultdict(float)
    store, embedder = searcher._store, searcher._open_embedder()  # noqa: SLF001 - where the time goes is inside
    asked = ("search_vectors", "search_words", "count_words", "score", "score_words", "fetch")
    for target, names in ((store, asked), (embedder, ("embed_batch",))):
        for name in names:
            setattr(target, name, _counting(spent, name, getattr(target, name)))
    return spent


def _counting(spent: dict[str, float], name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*given: Any, **named: Any) -> Any:
        begin = time.thread_time()
        try:
            return call(*given, **named)
        finally:
            spent[name] += time.thread_time() - begin

    return counted


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024**2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench answers", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="parts to run; all without any")
    parser.add_argument("--documents", type=int, default=1_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--long", type=int, default=LONG, help="searches of the part memory")
    parser.add_argument("--words", type=int, default=60, help="words of filling in each text")
    return parser
