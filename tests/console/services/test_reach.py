"""Who sees what: every principal on every read path finds what is within reach, and not a word of anything else."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import orjson
import pytest

from embedmill.console.rendering import to_json
from embedmill.console.services import (
    asking,
    auditing,
    collections,
    dead_letters,
    document_reports,
    documents,
    erasing,
    exporting,
    feedback,
    fields,
    jobs,
    query_stats,
    searching,
    sources,
    spending,
    tokens,
    workers,
    working,
)
from embedmill.console.services.documents import DocumentQuery
from embedmill.console.services.searching import Query
from embedmill.retrieval.hits import SearchResult
from embedmill.retrieval.view import View
from embedmill.shared.access.principals import RIGHTS, Principal, Right, Role
from embedmill.shared.configuration import load_settings
from embedmill.shared.errors import AccessDenied, EmbedmillError, NotFound
from embedmill.shared.letters import LetterFilter
from embedmill.shared.presence import Presence
from embedmill.shared.runtime import Runtime
from embedmill.workers.runtime import WorkerRuntime
from tests.conftest import SMALL
from tests.console.services.world import Thing, add_terms, make_world, put_in
from tests.migrated import place_migrated


class World:
    """What there is, and what somebody should see of it."""

    def __init__(self, runtime: WorkerRuntime) -> None:
        self.runtime = runtime
        self.things = make_world(runtime)
        self.results: dict[str, str] = {}

    def seen_by(self, principal: Principal, collection: str | None = None) -> set[str]:
        """Words of the documents that a principal should find."""
        return {
            thing.word
            for thing in self.things
            if principal.reaches(thing.collection)
            and collection in (None, thing.collection)
            and reads(principal, thing)
        }


def reads(principal: Principal, thing: Thing) -> bool:
    return principal.levels is None or thing.access in principal.levels or thing.owner == principal.name


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("world")
    settings = load_settings(home=home, embedding=SMALL["EMBEDMILL_EMBEDDING"])
    place_migrated(home / "tracking.db")
    with Presence(home / "run") as presence:
        runtime = WorkerRuntime(settings, process_id=presence.id)
        yield World(runtime)
        runtime.close()


COLLECTIONS: list[frozenset[str] | None] = [None, frozenset({"north"}), frozenset({"south", "east"})]
LEVELS: list[frozenset[str] | None] = [
    None,
    frozenset(),
    frozenset({"public"}),
    frozenset({"internal", "secret"}),
]
VIEWERS = [
    Principal(name, Role.VIEWER, reached, levels)
    for name, reached, levels in product(("ann", "zoe"), COLLECTIONS, LEVELS)
]
OTHERS = [
    Principal("ops", role, reached) for role in (Role.OPERATOR, Role.ADMIN, Role.AUDITOR) for reached in COLLECTIONS
]

Read = Callable[[Runtime, Any, Thing], object]
SEARCHES: dict[str, Callable[[Runtime, str, Thing], SearchResult]] = {
    "by meaning": lambda r, c, t: search(r, c, t, mode="dense"),
    "by words": lambda r, c, t: search(r, c, t, mode="lexical"),
    "by both": lambda r, c, t: search(r, c, t, mode="hybrid"),
    "expanded": lambda r, c, t: search(r, c, t, mode="hybrid", expand=True),
}
READS: dict[str, Read] = {
    **SEARCHES,
    "each": lambda r, c, t: list(
        searching.search_each(r, iter([Query(1, t.word)]), collection=c, top_k=20, mode="hybrid")
    ),
    "phrase": lambda r, c, t: searching.search(r, f'"{t.word}"', collection=c, top_k=20, mode="hybrid"),
    "filter": lambda r, c, t: searching.search(
        r, "cellar", collection=c, top_k=20, mode="hybrid", where=f"shelf = {t.word}"
    ),
    "ask": lambda r, c, t: asking.ask(r, f"Where is the {t.word}?", collection=c),
    "documents": lambda r, c, t: documents.list_documents(r, DocumentQuery(c)),
    "documents by metadata": lambda r, c, t: documents.list_documents(r, DocumentQuery(c, metadata={"shelf": t.word})),
    "a document": lambda r, c, t: document_reports.show_document(r, t.uri, collection=c),
    "a document by id": lambda r, c, t: document_reports.show_document(r, t.id),
    "export": lambda r, c, t: list(exporting.export(r, c or "")),
    "rejected": lambda r, c, t: list(exporting.export_rejected(r, c or "")),
    "collections": lambda r, c, t: collections.list_collections(r),
    "a collection": lambda r, c, t: collections.show_collection(r, c or ""),
    "terms": lambda r, c, t: collections.list_terms(r, c or ""),
    "fields": lambda r, c, t: fields.list_fields(r, c or ""),
    "jobs": lambda r, c, t: jobs.list_jobs(r, collection=c),
    "a job": lambda r, c, t: [jobs.explain_job(r, 1), jobs.describe_job(r, 1)],
    "what a job waits for": lambda r, c, t: jobs.list_waiting(r, 1),
    "sources": lambda r, c, t: sources.list_sources(r, collection=c),
    "a source": lambda r, c, t: sources.show_source(r, "1", collection=c),
    "what is erased by a condition": lambda r, c, t: erasing.preview_erasure(
        r, (), DocumentQuery(c, metadata={"shelf": t.word})
    ),
    "what is erased of a person": lambda r, c, t: erasing.preview_erasure(
        r, (), DocumentQuery(c), subject=f"keep.{c}word@example.com"
    ),
    "erasures": lambda r, c, t: erasing.list_erasures(r),
    "letters": lambda r, c, t: dead_letters.list_letters(r, LetterFilter(job=1)),
    "stats": lambda r, c, t: query_stats.measure_queries(r, collection=c),
    "feedback": lambda r, c, t: feedback.report_feedback(r, collection=c),
    "judged": lambda r, c, t: feedback.export_feedback(r, c or ""),
    "spend": lambda r, c, t: spending.sum_spend(r, "collection"),
    "audit": lambda r, c, t: auditing.list_records(r),
    "exported audit": lambda r, c, t: list(auditing.export_records(r, form="ocsf")),
    "checked audit": lambda r, c, t: auditing.verify_records(r),
    "explained": lambda r, c, t: search(r, c, t, mode="hybrid", view=View(fold=False, explain=True, context=1)),
    "tokens": lambda r, c, t: tokens.list_tokens(r),
    "workers": lambda r, c, t: workers.list_workers(r),
}


ALL = View(fold=False)


def search(runtime: Runtime, collection: str, thing: Thing, **choices: Any) -> SearchResult:
    whole: dict[str, Any] = {"top_k": 20, "view": View(fold=False), **choices}
    return searching.search(runtime, f"{thing.word} cellar", collection=collection, **whole)


def told(world: World, principal: Principal, read: Read, collection: str | None, thing: Thing) -> str:
    """All that somebody learns, be it an answer or an error, without the words that they gave themselves."""
    try:
        with world.runtime.acting_for(principal):
            said = orjson.dumps(to_json(read(world.runtime, collection, thing)), default=str).decode()
    except EmbedmillError as error:
        said = f"{error} {error.hint}"
    for own in (thing.word, thing.uri, thing.id):
        said = said.replace(own, "…")
    return said


def hidden_words(world: World, principal: Principal, thing: Thing, collection: str | None) -> set[str]:
    """What may not be told: words, places and names of all that is out of reach, but for what was asked with."""
    seen = world.seen_by(principal) if principal.role is not Role.AUDITOR else set()
    out = [each for each in world.things if each.word not in seen]
    words = {word for each in out for word in (each.word, each.uri) if each is not thing}
    if Right.AUDIT not in RIGHTS[principal.role]:
        # In the audit, documents go by their ids.
        words |= {each.id for each in out if each is not thing}
    unreached = {name for name in ("north", "south") if not principal.reaches(name) and name != collection}
    kept = {f"keep.{name}word" for name in unreached}
    return words | unreached | kept


PRINCIPALS = (*VIEWERS, *OTHERS)
# Each read is asked for by every third, of each role, set of levels and name; the others ask for other reads.
SHARES = [
    *(pytest.param(name, PRINCIPALS[n % 3 :: 3], id=name) for n, name in enumerate(READS)),
    *(pytest.param(name, PRINCIPALS, id=f"{name}, all", marks=pytest.mark.chaos) for name in READS),
]


@pytest.mark.parametrize(("name", "principals"), SHARES)
def test_nobody_is_told_a_word_of_what_is_out_of_reach(
    world: World, name: str, principals: Sequence[Principal]
) -> None:
    read = READS[name]
    for n, principal in enumerate(principals):
        thing = world.things[n % len(world.things)]
        for collection in {thing.collection, ("north", "south", "nowhere", None)[n % 4]}:
            said = told(world, principal, read, collection, thing)
            leaks = {word for word in hidden_words(world, principal, thing, collection) if word in said}
            assert not leaks, (principal, collection, said[:500])


@pytest.mark.parametrize("read", SEARCHES.values(), ids=list(SEARCHES))
def test_all_that_is_within_reach_is_found(world: World, read: Callable[[Runtime, str, Thing], SearchResult]) -> None:
    for principal in VIEWERS:
        for collection in filter(principal.reaches, ("north", "south")):
            thing = next(each for each in world.things if each.collection == collection)
            with world.runtime.acting_for(principal):
                uris = {hit.uri for hit in read(world.runtime, collection, thing).hits}
            found = {each.word for each in world.things if each.uri in uris}
            assert found == world.seen_by(principal, collection), principal


def test_lists_exports_and_counts_are_of_what_is_within_reach(world: World) -> None:
    for principal in VIEWERS:
        for collection in filter(principal.reaches, ("north", "south")):
            expected = world.seen_by(principal, collection)
            ids = {thing.id for thing in world.things if thing.word in expected}
            with world.runtime.acting_for(principal):
                listed = documents.list_documents(world.runtime, DocumentQuery(collection)).documents
                exported = list(exporting.export(world.runtime, collection))
                report = collections.show_collection(world.runtime, collection)
                terms = collections.list_terms(world.runtime, collection).terms
            assert {each.id for each in listed} == {each.document for each in exported} == ids
            assert report.documents == len(ids)
            assert sum(term.documents for term in terms) == len(ids)
            labels = {thing.id: (thing.access, thing.owner) for thing in world.things}
            assert all((each.access, each.owner) == labels[each.id] for each in listed)
            assert all((each.access, each.owner) == labels[each.document] for each in exported)


def test_who_reads_some_levels_is_told_of_their_own_queries_and_of_fields_that_they_see(world: World) -> None:
    zoe = Principal("zoe", Role.VIEWER, None, frozenset({"public"}))
    ann = Principal("ann", Role.VIEWER, None, frozenset({"public"}))
    before = {}
    for who in (zoe, ann):
        with world.runtime.acting_for(who):
            before[who] = sum(
                day.queries for day in query_stats.measure_queries(world.runtime, collection="south").days
            )
    with world.runtime.acting_for(zoe):
        found = searching.search(world.runtime, "common cellar", collection="south", top_k=5, mode="hybrid")
        feedback.add_feedback(world.runtime, str(found.id), "1", helpful=False, why="a zoe matter")
        report = feedback.report_feedback(world.runtime, collection="south")
        assert [(query.not_helpful, query.whys) for query in report.worst] == [(1, ["a zoe matter"])]
        stats = query_stats.measure_queries(world.runtime, collection="south")
        assert sum(day.queries for day in stats.days) == before[zoe] + 1
        (shelf,) = [each for each in fields.list_fields(world.runtime, "south").fields if each.name == "shelf"]
        assert {str(value) for value in shelf.examples} <= world.seen_by(zoe, "south")
        assert shelf.documents == len(world.seen_by(zoe, "south"))
    with world.runtime.acting_for(ann):
        assert feedback.report_feedback(world.runtime, collection="south").worst == []
        stats = query_stats.measure_queries(world.runtime, collection="south")
        assert sum(day.queries for day in stats.days) == before[ann]
        with pytest.raises(AccessDenied, match="its numbers count documents of every level"):
            jobs.list_waiting(world.runtime, 1)


def test_jobs_and_sources_are_of_the_documents_that_are_seen(world: World) -> None:
    number = {"north": 1, "south": 2}
    for principal in VIEWERS:
        for collection in filter(principal.reaches, number):
            seen = len(world.seen_by(principal, collection))
            if principal.reads_every_level:
                continue
            with world.runtime.acting_for(principal):
                listed = jobs.list_jobs(world.runtime, collection=collection).jobs
                claimed = sources.list_sources(world.runtime, collection=collection).sources
                assert sum(job.documents.total for job in listed) == seen, principal
                assert sum(source.documents for source in claimed) == seen
                assert [job.spend.tokens_in for job in listed] == [0] * len(listed)
                if seen and number[collection] in {job.id for job in listed}:
                    report = jobs.explain_job(world.runtime, number[collection])
                    detail = sources.show_source(world.runtime, str(claimed[0].id), collection=collection)
                    assert report.documents.total == next(j.documents.total for j in listed if j.id == report.id)
                    assert (detail.documents, detail.options) == (claimed[0].documents, {})
                    assert detail.only_here == detail.documents
                if not seen:
                    with pytest.raises(NotFound, match=f"no job {number[collection]}"):
                        jobs.describe_job(world.runtime, number[collection])
                    with pytest.raises(NotFound, match="no source"):
                        sources.show_source(world.runtime, str(number[collection]), collection=collection)


@pytest.mark.parametrize("collection", ["north", "south", None])
def test_what_is_hidden_chooses_documents_as_what_is_not_there_does(world: World, collection: str | None) -> None:
    """By number or place of a source, and by a job."""

    def ask(**chosen: Any) -> str:
        try:
            found = documents.list_documents(world.runtime, DocumentQuery(collection, **chosen)).documents
        except NotFound as error:
            return f"{error} {error.hint}"
        return f"{len(found)} documents"

    place = sources.list_sources(world.runtime).sources[0].uri
    with world.runtime.acting_for(Principal("nobody", Role.VIEWER, None, frozenset({"none-such"}))):
        assert ask() == "0 documents"
        for hidden, missing in (
            ({"source": "1"}, {"source": "99"}),
            ({"source": place}, {"source": "given:99"}),
            ({"job": 1}, {"job": 99}),
        ):
            (name,) = hidden
            assert ask(**hidden) == ask(**missing).replace(str(missing[name]), str(hidden[name]))
        with pytest.raises(NotFound, match="no job 1"):
            working.wait(world.runtime, 1)
    zoe = Principal("zoe", Role.VIEWER, None, frozenset({"public"}))
    with world.runtime.acting_for(zoe):
        expected = f"{len(world.seen_by(zoe, 'south'))} documents"
        assert collection == "north" or ask(job=2) == ask(source="2") == expected
        assert working.wait(world.runtime, 2) == jobs.describe_job(world.runtime, 2)


def test_scores_tell_nothing_of_what_is_out_of_reach(world: World) -> None:
    """They are what they would be if there were nothing else: by words, each is as rare as among what is seen."""
    principal = Principal("zoe", Role.VIEWER, None, frozenset({"public"}))
    with world.runtime.acting_for(principal):
        before = searching.search(world.runtime, "common cellar", collection="south", top_k=20, mode="lexical")
    secret = {"id": "south-more", "text": "common cellar " * 40, "metadata": {"access": "secret"}}
    put_in(world.runtime, "south", [secret])
    with world.runtime.acting_for(principal):
        after = searching.search(world.runtime, "common cellar", collection="south", top_k=20, mode="lexical")
    more = Thing("south", "south-more", "secret", "ann", "southmore")
    world.things.append(more)
    add_terms(world.runtime, "south", [more])
    assert [(hit.uri, hit.score) for hit in after.hits] == [(hit.uri, hit.score) for hit in before.hits]
    documents_of = [step.out for step in before.steps], [step.out for step in after.steps]
    assert documents_of[0] == documents_of[1]
