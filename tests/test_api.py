"""The Python API beyond its examples: threads, documents as values, settings as values, and its end."""

import sqlite3
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

import embedmill
from embedmill.api import Mill, log_notice
from embedmill.console.listening import Notice
from embedmill.console.services import fields as fields_of_collections
from embedmill.shared import stages
from embedmill.shared.configuration import beyond_environment, load_settings
from embedmill.shared.db.queueing import queue_ready
from embedmill.shared.errors import NotFound, SourceError, UsageError
from embedmill.shared.presence import Presence
from embedmill.shared.settings import Settings
from embedmill.workers.messages import BatchMessage
from embedmill.workers.runtime import WorkerRuntime
from tests.workers.working import work_through


@pytest.fixture
def mill(settings: Settings) -> Iterator[Mill]:
    with embedmill.open(settings=settings) as opened:
        yield opened


def document(number: int) -> dict[str, object]:
    return {"id": str(number), "text": f"Document {number} is about the number {number}."}


def index(mill: Mill, settings: Settings, documents: Iterable[dict[str, object]]) -> int:
    """A job, done in this process: starting workers is what `ingest` adds, and takes a second."""
    job = mill.submit(documents=documents).job
    with Presence(settings.home_path / "run") as presence:
        runtime = WorkerRuntime(settings, process_id=presence.id)
        with runtime.database.write() as connection:
            ready = tuple(work.id for work in queue_ready(connection, job, limit=100))
        work_through(runtime, [BatchMessage(stages.first(), ready)])
        runtime.close()
    return job


def test_threads_submit_search_and_look_at_once(mill: Mill) -> None:
    mill.ingest(documents=[document(0)])

    def work(number: int) -> tuple[int, list[str]]:
        job = mill.submit(documents=[document(number)]).job
        assert mill.job(job).documents.total == 1
        return job, [hit.uri for hit in mill.search("document number 0").hits]

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(work, range(1, 17)))
    assert len({job for job, _ in done}) == 16
    assert all(found == ["0"] for _, found in done)
    assert {job.documents.total for job in mill.jobs()} == {1}
    assert len(mill.jobs()) == 17


def test_what_is_given_twice_is_one_job_and_what_is_left_out_stays(mill: Mill) -> None:
    first = mill.submit(documents=iter([document(1), document(2)]))
    assert mill.submit(documents=[document(1), document(2)]).job == first.job
    assert mill.submit(documents=[document(1)]).job != first.job
    assert mill.job(first.job).documents.total == 2
    assert mill.job(first.job).held_deletions == 0


def test_what_is_no_document_is_told_and_the_others_are_taken(mill: Mill) -> None:
    report = mill.submit(documents=[document(1), {"id": "2"}, {"id": "1", "text": "again"}])
    assert (report.documents, report.problems) == (3, 2)
    assert [(note.line, note.reason[:9]) for note in report.notes] == [(2, "no 'text'"), (3, "the id or")]
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        mill.submit(documents=[{"id": "1", "text": object()}])


def test_fields_may_have_other_names(mill: Mill) -> None:
    found = mill.estimate(documents=[{"key": 1, "body": "a text"}], fields={"id": "key", "text": "body"})
    assert (found.documents, found.refused, found.notes) == (1, 0, [])
    with pytest.raises(UsageError, match="no field 'body'"):
        mill.estimate(documents=[], fields={"body": "text"})


def test_rows_of_a_database_are_read_with_their_options(mill: Mill, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "some.db")) as connection, connection:
        connection.execute("CREATE TABLE pages (id INTEGER PRIMARY KEY, body TEXT)")
        connection.execute("INSERT INTO pages VALUES (1, 'one'), (2, 'two')")
    options: Any = {"table": "pages", "text": ["body"], "cursor": "id"}
    assert mill.submit(f"sqlite:///{tmp_path}/some.db", **options).documents == 2
    with pytest.raises(UsageError, match="text is one string"):
        mill.submit(f"sqlite:///{tmp_path}/some.db", **(options | {"text": "body"}))


def test_nothing_given_is_told(mill: Mill) -> None:
    assert mill.submit(documents=[]).problems == 1
    with pytest.raises(UsageError, match="no SOURCE was given"):
        mill.submit()
    with pytest.raises(UsageError, match="command line's"):
        mill.submit("-")


def test_settings_that_are_values_reach_other_processes(settings: Settings, tmp_path: Path) -> None:
    assert beyond_environment(settings) == {}
    changed = load_settings(home=tmp_path / "other", workers=3, limits={"openai": {"rpm": 5}})
    told = beyond_environment(changed)
    assert told["EMBEDMILL_HOME"] == str(tmp_path / "other")
    assert told["EMBEDMILL_WORKERS"] == "3"
    assert set(told) == {"EMBEDMILL_HOME", "EMBEDMILL_WORKERS", "EMBEDMILL_LIMITS"}


def test_values_of_settings_hold_for_workers_too(settings: Settings, tmp_path: Path) -> None:
    with embedmill.open(tmp_path / "other", settings={"workers": 1}) as mill:
        report = mill.ingest(documents=[document(1)])
        assert report.documents.completed == 1
        assert [hit.uri for hit in mill.search("number").hits] == ["1"]
    assert (tmp_path / "other" / "tracking.db").is_file()
    assert not settings.home_path.exists()


def test_a_mill_that_was_closed_says_so(mill: Mill) -> None:
    mill.close()
    mill.close()
    with pytest.raises(UsageError, match="closed"):
        mill.jobs()


def test_documents_are_listed_shown_exported_and_taken_out(mill: Mill, settings: Settings) -> None:
    job = index(mill, settings, [document(1), document(2), document(3)])
    assert [found.uri for found in mill.documents().documents] == ["1", "2", "3"]
    assert mill.document("2").chunks.indexed == 1
    (source,) = mill.sources()
    assert (source.kind, source.documents) == ("given", 3)
    assert (mill.dead_letters().total, mill.retry(job).replayed) == (0, 0)
    assert mill.delete_documents("2").deleted == 1
    assert [answer.id for answer in mill.search_each([("a", "number 1"), ("b", "number 3")])] == ["a", "b"]
    rows = mill.export()
    first = next(rows)
    mill.close()
    assert {first.uri, *(row.uri for row in rows)} == {"1", "3"}, "what was begun outlives the closing"


def test_what_is_not_there_is_an_error_of_ours(mill: Mill) -> None:
    with pytest.raises(NotFound):
        mill.search("anything", collection="none")
    with pytest.raises(NotFound):
        mill.wait(7)


def test_a_document_that_cannot_be_taken_is_named(mill: Mill) -> None:
    texts: list[dict[str, object]] = [document(1), {"id": "2", "text": "half of an emoji: \ud83d"}]
    with pytest.raises(UsageError, match=r"document 2 .* with the id '2', cannot be written as JSON") as told:
        mill.submit(documents=texts)
    assert "Unicode" in told.value.hint
    assert "emoji" not in str(told.value)
    with pytest.raises(UsageError, match="document 1 of those given is no mapping, but of type str"):
        mill.submit(documents=cast(Any, {"id": "1", "text": "a document, and not a list of them"}))


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"exlude": ["drafts"]}, "no argument 'exlude'"),
        ({"exclude": "drafts"}, "exclude is one string"),
        ({"lane": "slow"}, "no lane 'slow': choose from live, bulk"),
        ({"priority": 500}, "priority of 500"),
        ({"name": "a\0b"}, "no name for a job"),
        ({"name": "\udcff"}, "no name for a job"),
    ],
)
def test_an_argument_without_a_meaning_leaves_no_job(mill: Mill, choices: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        mill.submit(documents=[document(1)], **choices)
    assert mill.jobs() == []
    assert mill.collections() == []


def test_arguments_without_a_meaning_are_errors_of_ours(mill: Mill) -> None:
    with pytest.raises(UsageError, match="no argument 'lane'"):
        mill.estimate(documents=[document(1)], **cast(Any, {"lane": "bulk"}))
    with pytest.raises(UsageError, match="a page of 0"):
        mill.documents(limit=0)
    with pytest.raises(UsageError, match="not summed by 'colour'"):
        mill.spend("colour")
    for name in ("a\0b", "\ud83d"):
        with pytest.raises(UsageError, match="is no collection name"):
            mill.submit(documents=[document(1)], collection=name)
        with pytest.raises(NotFound, match="no collection named"):
            mill.search("anything", collection=name)
    with pytest.raises(NotFound):
        mill.retry(cast(Any, None))
    for name in ("a\0b", "\ud83d"):
        with pytest.raises(SourceError, match="can be no file's name"):
            mill.submit(name)


def test_a_notice_goes_to_logging_where_that_is_set_up(caplog: pytest.LogCaptureFixture) -> None:
    log_notice(Notice("work waits for money"))
    assert [record.getMessage() for record in caplog.records] == ["work waits for money"]


def test_the_package_loads_its_api_only_when_it_is_asked_for() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        embedmill.nothing  # noqa: B018


def test_a_search_finds_only_what_a_filter_allows(mill: Mill, settings: Settings) -> None:
    years = {"1": 2019, "2": 2021, "3": "2022"}
    index(mill, settings, [document(int(id)) | {"metadata": {"year": year}} for id, year in years.items()])
    for mode in ("dense", "lexical", "hybrid"):
        found = mill.search("document", where="year >= 2020", mode=cast("Any", mode))
        assert {hit.uri for hit in found.hits} == {"2", "3"}
    (answer,) = mill.search_each([("q", "document")], where="year < 2020")
    assert [hit.uri for hit in answer.hits] == ["1"]
    with pytest.raises(UsageError, match="at character 7"):
        mill.search("document", where="year >")
    (note,) = mill.search("document", where="yaer > 2020 and uri != x").notes
    assert note.startswith("no document has a field 'yaer'")
    (each,) = mill.search_each(
        [("q", "document")], where='yaer in (2020, "b") and not (uri ~ "x*" or day > 2020-01-02)'
    )
    assert [" ".join(note.split()[:6]) for note in each.notes] == [
        f"no document has a field '{name}':" for name in ("day", "yaer")
    ]
    assert mill.search("document", where="year > 2050").notes == []


def test_the_fields_of_a_collection_are_what_its_documents_came_with(
    mill: Mill, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata: list[dict[str, object]] = [
        {"year": 2019, "lang": ["en", "de"], "draft": True},
        {"year": "2021", "lang": "en", "day": "2026-11-29T10:00+02:00", "by": {"name": "Ann"}, "none": None},
        {"year": 20.5, "lang": "x" * 100, "day": "2026-11-29"},
    ]
    documents = [document(n) | {"metadata": held} for n, held in enumerate(metadata)]
    index(mill, settings, documents)
    mill.submit(documents=documents)
    found = mill.fields()
    assert (found.documents, found.looked_at, found.more) == (3, 3, False)
    fields = {field.name: field for field in found.fields}
    assert list(fields) == ["lang", "year", "day", "by.name", "draft"]
    assert (fields["year"].types, fields["year"].least, fields["year"].greatest) == (["number"], 20.5, "2021")
    assert (fields["lang"].documents, fields["lang"].values, fields["lang"].examples[0]) == (3, 3, "en")
    assert fields["lang"].examples[-1] == "x" * 60 + "…"
    assert (fields["day"].types, fields["day"].least) == (["date"], "2026-11-29")
    assert fields["draft"].types == ["boolean"]
    for name, most in (("MOST_DOCUMENTS", 2), ("MOST_FIELDS", 1), ("MOST_VALUES", 1)):
        monkeypatch.setattr(fields_of_collections, name, most)
    some = mill.fields()
    assert (some.documents, some.looked_at, len(some.fields), some.more) == (3, 2, 1, True)
    assert some.fields[0].values is None
    with pytest.raises(NotFound):
        mill.fields("none")


def test_a_search_is_measured_on_queries_whose_answers_are_known(
    mill: Mill, settings: Settings, tmp_path: Path
) -> None:
    index(mill, settings, [document(number) for number in range(3)])
    queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.jsonl"
    queries.write_text('{"id": "a", "text": "number 2"}')
    qrels.write_text('{"query": "a", "document": "2", "relevance": 1}')
    found = mill.evaluate(queries, qrels)
    assert (found.queries, found.runs["lexical"]["ndcg@10"].mean) == (1, 1.0)
    with pytest.raises(NotFound):
        mill.evaluate(queries, qrels, against="nowhere")


def test_a_page_of_a_search_is_shown_as_it_is_asked_for(mill: Mill, settings: Settings) -> None:
    index(mill, settings, [document(number) for number in range(12)])
    first = mill.search("the number", top_k=5)
    second = mill.search("the number", top_k=5, after=first.next)
    assert [hit.uri for hit in (*first.hits, *second.hits)] == [hit.uri for hit in mill.search("the number").hits]
    assert mill.search("the number", top_k=1, context=1).hits[0].context is not None
    assert mill.search("the number", per_document=1, offset=11, fold=False).hits[0].rank == 12
    [each] = mill.search_each([("q", "the number")], top_k=2, offset=1)
    assert [hit.rank for hit in each.hits] == [2, 3]
    with pytest.raises(UsageError, match="no argument 'contxt'"):
        mill.search("the number", contxt=1)  # type: ignore[call-arg]


def test_a_file_is_shown_as_a_worker_would_read_it(mill: Mill, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("k,v\n1,2\n")
    found = mill.parse(tmp_path / "a.csv")
    assert (found.text, [block.header for block in found.blocks]) == ("k | v\n1 | 2", [True, False])
    assert mill.parse(b"# One\n\ntext", name="b.md").chunks[0].section == "One"
    mill.create_collection("small", chunk_tokens=16)
    assert len(mill.parse(b"word " * 100, collection="small").chunks) > 3


def test_a_token_means_its_only_collection_where_none_is_named(mill: Mill, settings: Settings) -> None:
    mill.create_collection("notes")
    mill.create_collection("others")
    one = mill.create_token("one", role="operator", collections=["notes"])
    both = mill.create_token("both", role="operator", collections=["notes", "others"])
    with embedmill.open(settings=settings, token=one.token) as reader:
        assert list(reader.export()) == []
        assert reader.submit(documents=[document(1)]).job
        with pytest.raises(NotFound):
            list(reader.export("default"))
    assert [job.collection for job in mill.jobs()] == ["notes"]
    with embedmill.open(settings=settings, token=both.token) as reader, pytest.raises(UsageError, match="which"):
        list(reader.export())


@pytest.mark.parametrize("given", [{"collections": []}, {"levels": "public"}, {"role": "king"}])
def test_a_token_that_a_program_leaves_open_by_mistake_is_not_made(mill: Mill, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        mill.create_token("somebody", **given)


def test_a_collection_is_encrypted_under_another_key_and_opened_again(mill: Mill, settings: Settings) -> None:
    mill.create_collection("notes")
    made = mill.make_key(settings.home_path / "root.key")
    assert mill.re_encrypt("notes").encrypted
    assert mill.rotate_keys(to=made.setting).rewrapped == len(mill.keys().keys)
    assert not mill.decrypt("notes").encrypted
