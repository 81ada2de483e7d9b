"""What readers think of hits: said of a result, reported by query, and given out as judgements for `eval`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedmill.console.services.reach import in_collection, in_result, reach_within
from embedmill.console.services.recording import asker_of
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.principals import Right
from embedmill.shared.db import feedback
from embedmill.shared.db.collections import get_collection, list_collections
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.feedback import Shown
from embedmill.shared.db.sealed import FEEDBACK
from embedmill.shared.db.visibility import find_seen
from embedmill.shared.encoding import make_storable
from embedmill.shared.errors import NotFound, UsageError
from embedmill.shared.runtime import Runtime

LAST = "last"
"""Names the newest result."""
REASONS = 5
"""So many reasons are told of a query, the newest."""
RELEVANT, NOT_RELEVANT = 1, 0


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of a hit; `query` is the query's hash, `text` what it said where that is kept."""

    result: str
    collection: str
    query: str
    text: str | None
    document: str
    uri: str | None
    chunk: str
    helpful: bool
    why: str | None


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query and how often hits of it were helpful or not; `whys` say why not, the newest first."""

    collection: str
    query: str
    text: str | None
    helpful: int
    not_helpful: int
    whys: Sequence[str]


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    """What was said of hits: of how many of the recorded queries, and of the worst of these, the worst first."""

    collection: str | None
    queries: int
    judged: int
    helpful: int
    not_helpful: int
    worst: Sequence[JudgedQuery]


@dataclass(frozen=True, slots=True)
class ExportedQuery:
    """A query as `eval` takes it."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class ExportedJudgement:
    """A judgement as `eval` takes it."""

    query: str
    document: str
    relevance: int


@dataclass(frozen=True, slots=True)
class ExportedFeedback:
    """Queries and judgements for `eval`; `left_out` counts judged queries whose text was not kept."""

    collection: str
    queries: Sequence[ExportedQuery]
    judgements: Sequence[ExportedJudgement]
    left_out: int


@serves("feedback.add", Right.READ, in_result(), filters=True, trace=Trace.CHANGE, told=("result", "helpful"))
def add_feedback(runtime: Runtime, result: str, chunk: str, *, helpful: bool, why: str | None = None) -> Judged:
    """Say of a hit whether it helped; what was said of it before is replaced.

    A result goes by its id, the newest by `last`; a hit by its chunk, by document/chunk, or by its rank. Raises
    NotFound, and UsageError for a chunk that several documents have.
    """
    judged = runtime.database.query(_find_result, result)
    # Outside of the transaction, as it may take a key that is not opened yet.
    said = why and make_storable(runtime.redactor(judged.collection_id).redact(why).text)

    def put(connection: Connection) -> Judged:
        shown = _find_result(connection, judged.id)
        document, chunk_ = find_hit(shown, chunk).split("/")
        _require_seen(runtime, connection, shown, document, chunk)
        kept = said and runtime.vault.seal_text(shown.collection_id, FEEDBACK, said)
        feedback.put_feedback(connection, shown.id, document, chunk_, helpful=helpful, why=kept)
        uri = feedback.find_uri(connection, document)
        return Judged(shown.id, shown.collection, shown.hash, shown.text, document, uri, chunk_, helpful, said)

    return runtime.database.transact(put)


def _require_seen(runtime: Runtime, connection: Connection, shown: Shown, document: str, named: str) -> None:
    """Raise NotFound for a hit that the caller did not see."""
    reach = reach_within(runtime.principal, get_collection(connection, shown.collection))
    if reach is not None and not find_seen(connection, [document], reach):
        raise _no_hit(shown, named)


def _no_hit(shown: Shown, named: str) -> NotFound:
    return NotFound(f"the result {shown.id} has no hit {named!r}", hint="Name a hit by its chunk, or by its rank.")


def _find_result(connection: Connection, result: str) -> Shown:
    found = feedback.find_shown(connection, None if result == LAST else result)
    if found is None:
        what = "no query is recorded" if result == LAST else f"no result {result!r} is recorded"
        raise NotFound(what, hint="A result's id is in the JSON of search and ask; records are forgotten in time.")
    return found


def find_hit(shown: Shown, named: str) -> str:
    """The one hit that goes by a name, as document/chunk; raises NotFound, UsageError."""
    if named.isascii() and named.isdigit() and 0 <= int(named) - shown.first_rank < len(shown.shown):
        return shown.shown[int(named) - shown.first_rank]
    found = [hit for hit in shown.shown if named in (hit, hit.partition("/")[2])]
    if not found:
        raise _no_hit(shown, named)
    if len(found) > 1:
        raise UsageError(f"several documents have the chunk {named}", hint=f"Write {' or '.join(found)}.")
    return found[0]


@serves("feedback.report", Right.READ, in_collection(), filters=True, trace=Trace.NOTHING)
def report_feedback(runtime: Runtime, *, collection: str | None = None, limit: int = 20) -> FeedbackReport:
    """What was said of hits, in one collection or in all; raises NotFound.

    Who reads some access levels only is told of their own queries, and of hits that they see.
    """

    def find(connection: Connection) -> FeedbackReport:
        parts = list(_of(runtime, connection, collection))
        counts = [feedback.sum_queries(connection, part) for part in parts]
        rows = [row for part in parts for row in feedback.sum_feedback(connection, part)]
        rows.sort(key=lambda row: (row["helpful"] - row["not_helpful"], -row["not_helpful"]))
        whys = _group([reason for part in parts for reason in feedback.list_reasons(connection, part)])
        queries, judged = (sum(numbers) for numbers in zip(*counts, strict=True)) if counts else (0, 0)
        bad = [row for row in rows if row["not_helpful"]][:limit]
        return FeedbackReport(
            collection,
            queries,
            judged,
            sum(row["helpful"] for row in rows),
            sum(row["not_helpful"] for row in rows),
            [JudgedQuery(**row, whys=whys.get((row["collection"], row["query"]), [])[:REASONS]) for row in bad],
        )

    runtime.query_log.flush()
    return runtime.database.query(find)


def _of(runtime: Runtime, connection: Connection, collection: str | None) -> Iterator[feedback.Of]:
    """What the caller is told of; a reach is a collection's, so there is one of each where all are meant."""
    if collection is None and runtime.principal.reads_every_level:
        yield feedback.Of()
        return
    found = list_collections(connection) if collection is None else [get_collection(connection, collection)]
    for each in found:
        yield feedback.Of(each.id, asker_of(runtime), reach_within(runtime.principal, each))


def _group(reasons: Sequence[tuple[str, str, str]]) -> Mapping[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for collection, query, why in reasons:
        found.setdefault((collection, query), []).append(why)
    return found


@serves("feedback.export", Right.OPERATE, in_collection(), trace=Trace.READ)
def export_feedback(runtime: Runtime, collection: str) -> ExportedFeedback:
    """Judgements of the queries whose text was kept: a document is relevant that helped more often than not.

    Raises NotFound.
    """

    def find(connection: Connection) -> list[Mapping[str, Any]]:
        return feedback.list_judged(connection, get_collection(connection, collection).id)

    rows = runtime.database.query(find)
    texts = {row["query"]: row["text"] for row in rows if row["text"] is not None}
    return ExportedFeedback(
        collection,
        [ExportedQuery(id_, text) for id_, text in texts.items()],
        [ExportedJudgement(row["query"], row["document"], _grade(row)) for row in rows if row["query"] in texts],
        left_out=len({row["query"] for row in rows} - texts.keys()),
    )


def _grade(row: Mapping[str, Any]) -> int:
    return RELEVANT if row["helpful"] > row["not_helpful"] else NOT_RELEVANT
