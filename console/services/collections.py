"""Collections: made, listed, changed and deleted with all that is in them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack

from embedmill.console.services.lanes import require_stage_price
from embedmill.console.services.owning import require_shown
from embedmill.console.services.reach import every_reached, in_collection, new_collection, reach_within
from embedmill.console.services.serving import Trace, serves
from embedmill.console.services.states import settings
from embedmill.shared.access.labels import Reach
from embedmill.shared.access.principals import Right, require_level, require_name
from embedmill.shared.collections import OFF, CollectionSettings, read_collection_settings
from embedmill.shared.db import collections, erasures, expiry
from embedmill.shared.db import terms as stored_terms
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.query_records import forget_texts
from embedmill.shared.db.reviews import count_open_reviews
from embedmill.shared.db.samples import VERDICT, Counts, count_samples, get_counts
from embedmill.shared.durations import moment
from embedmill.shared.erasing import RETENTION
from embedmill.shared.errors import UsageError
from embedmill.shared.runtime import Runtime

LONGEST_DOMAIN = 2_000
"""Characters: every question that a model reads brings them along."""
STAGE_MODELS = ("fast_model", "rank_model", "answer_model")


class SettingChoices(TypedDict, total=False):
    """What is chosen of how documents are split and validated; None leaves a setting as it is."""

    chunk_tokens: int | None
    chunk_overlap: int | None
    validator: str | None
    policy: str | None
    reject_below: int | None
    redact: str | None
    redact_keep: Sequence[str] | None
    rank: bool | None
    expand: bool | None
    normalise: bool | None
    decompose: bool | None
    domain: str | None
    access: str | None
    owner: str | None
    keep_queries: bool | None
    fast_model: str | None
    rank_model: str | None
    answer_model: str | None
    similarity_weight: float | None
    candidates: int | None
    ranked: int | None
    max_usd: float | None
    retain_days: float | None


class CollectionChoices(SettingChoices, total=False):
    """The same for a new collection, with what stays for ever."""

    shards: int | None
    embedding: str | None
    encrypt: bool | None
    vectors: str | None


@dataclass(frozen=True, slots=True)
class AuditCounts:
    """What a model looked at beside the path: chunks, the bad ones among them, and samples by kind and state."""

    sampled: int
    judged: int
    errors: int
    samples: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """For how many days documents are kept, how many are over that now, and how many went, the last ones when."""

    days: float
    due: int
    erased: int
    last: datetime | None


@dataclass(frozen=True, slots=True)
class CollectionReport:
    """A collection with its settings and size; `in_doubt` are verdicts that wait for a person."""

    name: str
    documents: int
    chunks: int
    settings: Mapping[str, Any]
    model: str
    dimensions: int
    index_version: int
    shards: int
    moving: bool
    audit: AuditCounts
    in_doubt: int
    retention: RetentionReport | None


@dataclass(frozen=True, slots=True)
class CollectionReports:
    """Every collection, by name."""

    collections: Sequence[CollectionReport]


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another word for a term, and in how many documents it stands for it."""

    synonym: str
    documents: int


@dataclass(frozen=True, slots=True)
class CollectedTerm:
    """A term that a model found, where, how often, and what else it is called."""

    term: str
    documents: int
    mentions: int
    synonyms: Sequence[Synonym]


@dataclass(frozen=True, slots=True)
class CollectedTerms:
    """The terms of a collection, those of the most documents first."""

    collection: str
    terms: Sequence[CollectedTerm]


@dataclass(frozen=True, slots=True)
class DeletedCollection:
    """The collection that is no more."""

    deleted: str


@serves("collections.create", Right.MANAGE, new_collection(), told=("name", "chosen"))
def create_collection(runtime: Runtime, name: str, **chosen: Unpack[CollectionChoices]) -> CollectionReport:
    """Make a collection; raises UsageError, SettingsError, UserError when it is there already."""
    from embedmill.producers import submission

    given = _given(chosen)
    _require_usable(runtime, given)
    require_shown(given.get("owner"), given.get("redact", OFF))
    if "chunk_tokens" in given and "chunk_overlap" not in given:
        # The usual overlap shrinks with small chunks.
        given["chunk_overlap"] = min(32, given["chunk_tokens"] // 8)
    return _describe(runtime, submission.create_collection(runtime, name, **given))


@serves("collections.list", Right.READ, every_reached, filters=True, trace=Trace.NOTHING)
def list_collections(runtime: Runtime) -> CollectionReports:
    """Every collection that the caller reaches, with its settings and size."""
    principal = runtime.principal
    found = runtime.database.query(collections.list_collections)
    return CollectionReports([_describe(runtime, each) for each in found if principal.reaches(each.name)])


@serves("collections.show", Right.READ, in_collection("name"), filters=True, trace=Trace.NOTHING)
def show_collection(runtime: Runtime, name: str) -> CollectionReport:
    """One collection with its settings and size; raises NotFound."""
    return _describe(runtime, runtime.database.query(lambda connection: collections.get_collection(connection, name)))


@serves("collections.update", Right.MANAGE, in_collection("name"), told=("chosen",), state=settings)
def update_collection(runtime: Runtime, name: str, **chosen: Unpack[SettingChoices]) -> CollectionReport:
    """Change how documents will be split, validated or searched; raises NotFound, SettingsError, UsageError.

    What is indexed stays as it is until its source is ingested again. Texts of queries that are not to be kept are
    forgotten at once.
    """
    from embedmill.producers import submission

    given = _given(chosen)
    _require_usable(runtime, given)

    def change(connection: Connection) -> Collection:
        found = collections.get_collection(connection, name)
        settings = submission.fit_chunks(CollectionSettings(**{**found.settings, **given}), given)
        if given.keys() & {"owner", "redact"}:
            require_shown(settings.owner, settings.redact)
        collections.update_settings(connection, found.id, settings.as_json())
        if not settings.keep_queries:
            forget_texts(connection, found.id)
        return collections.get_collection(connection, name)

    return _describe(runtime, runtime.database.transact(change))


@serves("collections.terms", Right.READ, in_collection("name"), filters=True)
def list_terms(runtime: Runtime, name: str, *, limit: int = 200) -> CollectedTerms:
    """Terms and synonyms that a model found in a sample of the documents; raises NotFound."""

    def find(connection: Connection) -> list[dict[str, Any]]:
        found = collections.get_collection(connection, name)
        reach = reach_within(runtime.principal, found)
        return stored_terms.list_terms(connection, found.id, limit=limit, reach=reach)

    rows = runtime.database.query(find)
    return CollectedTerms(
        name, [CollectedTerm(**row | {"synonyms": [Synonym(**entry) for entry in row["synonyms"]]}) for row in rows]
    )


@serves("collections.delete", Right.MANAGE, in_collection("name"), trace=Trace.NOTHING)
def require_deletable(runtime: Runtime, name: str) -> None:
    """Raise NotFound for a collection that there is not, UserError for one that a job works on."""
    runtime.database.query(lambda connection: _find_idle(connection, name))


@serves("collections.delete", Right.MANAGE, in_collection("name"))
def delete_collection(runtime: Runtime, name: str) -> DeletedCollection:
    """Delete a collection with its index and its history; raises NotFound, UserError while a job works on it.

    The vectors go first: if the store refuses, the collection is still there, and the same call goes on.
    """
    found = runtime.database.query(lambda connection: _find_idle(connection, name))
    store = runtime.store(found)
    for shard in found.reading_shards:
        store.drop(shard)
    runtime.database.transact(lambda connection: collections.delete_collection(connection, found.id))
    return DeletedCollection(name)


def _find_idle(connection: Connection, name: str) -> Collection:
    found = collections.get_collection(connection, name)
    collections.require_idle(connection, found.id)
    return found


def _given(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen; an infinite sum is one that has no bound, and no ranking here is none set elsewhere either."""
    given = {name: value for name, value in chosen.items() if value is not None}
    if "access" in given:
        given["access"] = require_level(given["access"])
    if given.get("owner"):
        require_name(given["owner"])
    if "redact_keep" in given:
        given["redact_keep"] = [value.strip() for value in given["redact_keep"] if value.strip()]
    if "rank" in given:
        given["unranked"] = not given["rank"]
    return given | ({"max_usd": None} if given.get("max_usd") == math.inf else {})


def _require_usable(runtime: Runtime, given: Mapping[str, Any]) -> None:
    """Refuse what no query could use: models without a known price, a domain that would crowd out the question.

    What a collection has already is not looked at. Raises SettingsError, UsageError, MissingExtra.
    """
    if len(given.get("domain", "")) > LONGEST_DOMAIN:
        raise UsageError(f"a domain of {len(given['domain']):,} characters: at most {LONGEST_DOMAIN:,} are taken")
    if given.get("redact", OFF) != OFF:
        from embedmill.shared.redaction.redactor import Redactor

        Redactor(
            given["redact"], scanner=runtime.settings.secret_scanner
        ).require()  # refused now, and not by the first worker, when its model is missing
    for name in (given[setting] for setting in STAGE_MODELS if given.get(setting)):
        require_stage_price(runtime, name)


def _describe(runtime: Runtime, collection: Collection) -> CollectionReport:
    reach = reach_within(runtime.principal, collection)
    return runtime.database.query(_measure, collection, reach)


def _measure(connection: Connection, collection: Collection, reach: Reach | None) -> CollectionReport:
    """What samples and reviews are about is not told to those who see some documents only."""
    documents, chunks = collections.count_documents(connection, collection.id, reach)
    counts = get_counts(connection, collection.id, VERDICT) if reach is None else Counts()
    samples = count_samples(connection, collection.id) if reach is None else {}
    return CollectionReport(
        name=collection.name,
        documents=documents,
        chunks=chunks,
        settings=collection.settings,
        model=collection.model,
        dimensions=collection.dimensions,
        index_version=collection.index_version,
        shards=len(collection.shards),
        moving=bool(collection.leaving),
        audit=AuditCounts(counts.sampled, counts.judged, counts.errors, samples),
        in_doubt=count_open_reviews(connection, collection.id) if reach is None else 0,
        retention=_measure_retention(connection, collection) if reach is None else None,
    )


def _measure_retention(connection: Connection, collection: Collection) -> RetentionReport | None:
    days = read_collection_settings(collection.settings).retain_days
    if not days:
        return None
    due = expiry.count_expired(connection, collection.id, days=days)
    erased, last = erasures.sum_by_cause(connection, RETENTION, collection.id)
    return RetentionReport(days, due, erased, None if last is None else moment(last))
