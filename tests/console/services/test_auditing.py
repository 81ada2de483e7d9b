"""What is on record of calls, that it stops what it cannot record, and how it is checked and given out."""

from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest
from sqlalchemy import text

from embedmill.console.rendering import to_json
from embedmill.console.services import (
    asking,
    auditing,
    budgets,
    collections,
    controlling,
    document_reports,
    exporting,
    jobs,
    searching,
    tokens,
    workers,
)
from embedmill.console.services.searching import Query
from embedmill.shared.access.principals import Principal, Role
from embedmill.shared.audit.anchors import make_anchor
from embedmill.shared.db import audit
from embedmill.shared.errors import AccessDenied, AuditUnwritten, NotFound, SettingsError, StorageFailed, TokenRefused
from embedmill.shared.ledger import BudgetScope
from embedmill.shared.presence import Presence
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.workers.chores.archivist import Archivist
from embedmill.workers.runtime import WorkerRuntime
from tests.console.services.world import put_in
from tests.migrated import place_migrated

SECRET = "grandmother's recipe"


@pytest.fixture
def runtime(settings: Settings) -> Iterator[WorkerRuntime]:
    place_migrated(settings.home_path / "tracking.db")
    with Presence(settings.home_path / "run") as presence:
        opened = WorkerRuntime(settings, process_id=presence.id)
        collections.create_collection(opened, "north")
        yield opened
        opened.close()


@pytest.fixture
def document(runtime: WorkerRuntime) -> str:
    """The URI of what is indexed in `north`."""
    put_in(runtime, "north", [{"id": "secret-place", "text": f"This is {SECRET}."}])
    return "secret-place"


def records(runtime: Runtime, action: str | None = None) -> list[auditing.AuditRecord]:
    """The oldest first."""
    return list(reversed(auditing.list_records(runtime, action=action, limit=1000).records))


def test_a_search_is_on_record_without_what_it_said(runtime: WorkerRuntime, document: str) -> None:
    found = searching.search(runtime, f"where is {SECRET}", collection="north", top_k=3, mode="hybrid")
    (record,) = records(runtime, "search")
    assert (record.collection, record.outcome, record.counts) == ("north", "done", {"hits": len(found.hits)})
    assert record.principal == runtime.principal.name
    assert len(record.record["query"]) == len(record.record["scores"]) == 32
    again = searching.search(runtime, f"where is  {SECRET}", collection="north", top_k=3, mode="hybrid")
    assert records(runtime, "search")[-1].record["query"] == record.record["query"]
    assert [hit.score for hit in again.hits] == [hit.score for hit in found.hits]
    with runtime.acting_for(Principal("other", Role.VIEWER)):
        searching.search(runtime, "something else", collection="north", top_k=3, mode="hybrid")
    other = records(runtime, "search")[-1]
    assert (other.principal, other.role) == ("other", "viewer")
    assert other.record["query"] != record.record["query"]


def test_every_query_of_many_is_on_record_before_its_answer(runtime: WorkerRuntime) -> None:
    queries = iter([Query(n, f"query {n}") for n in range(3)])
    answers = searching.search_each(runtime, queries, collection="north", top_k=3, mode="hybrid")
    for n, _ in enumerate(answers, 1):
        assert len(records(runtime, "search")) == n


def test_nothing_that_was_said_or_found_stands_in_the_audit(runtime: WorkerRuntime, document: str) -> None:
    searching.search(runtime, SECRET, collection="north", top_k=3, mode="hybrid")
    document_reports.show_document(runtime, document, collection="north")
    list(exporting.export(runtime, "north"))
    with runtime.database.read() as connection:
        told = " ".join(connection.execute(text("SELECT body FROM audit_record")).scalars())
    for word in ("grandmother", "recipe", "secret-place"):
        assert word not in told


def test_a_read_document_goes_by_its_id_and_an_export_by_its_number(runtime: WorkerRuntime, document: str) -> None:
    report = document_reports.show_document(runtime, document, collection="north")
    assert records(runtime, "documents.show")[0].target == report.id
    rows = len(list(exporting.export(runtime, "north")))
    begun, done = records(runtime, "export")
    assert (begun.outcome, done.outcome, done.counts, done.record["of"]) == (
        "begun",
        "done",
        {"given": rows},
        begun.seq,
    )


def test_a_change_is_on_record_with_what_was_before_and_after(runtime: WorkerRuntime) -> None:
    collections.update_collection(runtime, "north", access="secret")
    begun, done = records(runtime, "collections.update")
    assert (begun.collection, begun.record["chosen"], done.record["of"]) == ("north", {"access": "secret"}, begun.seq)
    before, after = done.record["before"], done.record["after"]
    assert (before["access"], after["access"]) == ("internal", "secret")
    workers.pause_queue(runtime, "embed")
    assert records(runtime, "workers.pause")[1].record["after"] == {"desired": None, "paused": True}
    budgets.set_budget(runtime, BudgetScope.DAY, tokens=7)
    assert records(runtime, "budget.set")[1].record["after"] == {"microusd": None, "tokens": 7}


def test_a_change_that_fails_is_on_record_as_that(runtime: WorkerRuntime) -> None:
    with pytest.raises(NotFound):
        controlling.pause(runtime, 99)
    begun, failed = records(runtime, "jobs.pause")
    assert (begun.outcome, failed.outcome, failed.record["of"]) == ("begun", "failed: NotFound", begun.seq)


def test_who_is_refused_is_on_record(runtime: WorkerRuntime, settings: Settings) -> None:
    with runtime.acting_for(Principal("page", Role.VIEWER)), pytest.raises(AccessDenied):
        tokens.create_token(runtime, "friend")
    (record,) = records(runtime, "tokens.create")
    assert (record.principal, record.outcome, record.collection) == ("page", "refused: AccessDenied", "")
    stranger = WorkerRuntime(settings.model_copy(update={"token": "guessed"}), process_id=runtime.process_id)
    with pytest.raises(TokenRefused):
        jobs.list_jobs(stranger)
    stranger.close()
    assert records(runtime, "jobs.list")[0].principal == "nobody"
    with runtime.acting_for(Principal("page", Role.VIEWER, frozenset({"south"}))), pytest.raises(NotFound):
        collections.list_terms(runtime, "north")
    assert [each.outcome for each in records(runtime, "collections.terms")] == ["refused: NotFound"]


@pytest.fixture
def mute(runtime: WorkerRuntime, document: str) -> WorkerRuntime:
    """Nothing can be added to the audit."""
    with runtime.database.write() as connection:
        refusal = "SELECT RAISE(ABORT, 'no more')"
        connection.execute(text(f"CREATE TRIGGER mute BEFORE INSERT ON audit_record BEGIN {refusal}; END"))
    return runtime


def test_what_cannot_be_recorded_is_not_done(mute: WorkerRuntime) -> None:
    with pytest.raises(AuditUnwritten, match=r"^the tracking database refused: no more; so") as refused:
        collections.update_collection(mute, "north", access="secret")
    assert refused.value.hint == StorageFailed.hint, "what to do is about the cause"
    assert collections.show_collection(mute, "north").settings["access"] == "internal"
    for read in (
        lambda: searching.search(mute, "word", collection="north", top_k=3, mode="hybrid"),
        lambda: document_reports.show_document(mute, "secret-place", collection="north"),
        lambda: next(exporting.export(mute, "north")),
        lambda: next(searching.search_each(mute, iter([Query(1, "word")]), collection="north", top_k=3, mode="hybrid")),
    ):
        with pytest.raises(AuditUnwritten):
            read()
    heard: list[object] = []
    with pytest.raises(AuditUnwritten):
        asking.ask(mute, "Whose recipe is this?", collection="north", on_claim=heard.append)
    assert heard == [], "nor is any sentence given before"


def test_an_answer_of_which_sentences_are_heard_is_on_record_before_the_first(
    runtime: WorkerRuntime, document: str
) -> None:
    outcomes: list[list[str]] = []

    def hear(_claim: object) -> None:
        outcomes.append([each.outcome for each in records(runtime, "ask")])

    asking.ask(runtime, f"What is {SECRET}?", collection="north", on_claim=hear)
    assert outcomes == [["begun"]]
    begun, done = records(runtime, "ask")
    assert (done.outcome, done.record["of"], done.counts["claims"]) == ("done", begun.seq, 1)


def test_nothing_is_recorded_where_the_audit_is_off(runtime: WorkerRuntime, settings: Settings) -> None:
    before = len(records(runtime))
    silent = WorkerRuntime(settings.model_copy(update={"audit": "off"}), process_id=runtime.process_id)
    searching.search(silent, "word", collection="north", top_k=3, mode="hybrid")
    silent.close()
    assert len(records(runtime)) == before


def tamper(runtime: WorkerRuntime, statement: str) -> None:
    """Change what triggers keep, as somebody can who has the file."""
    with runtime.database.write() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
        for name in [name for name in names if name.startswith("audit_")]:
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text(statement))


TAMPERINGS = {
    "UPDATE audit_record SET body = replace(body, 'search', 'nothing') WHERE chain = 'north' AND seq = 3": (
        "changed",
        3,
    ),
    "DELETE FROM audit_record WHERE chain = 'north' AND seq = 2": ("removed", 2),
    "DELETE FROM audit_record WHERE chain = 'north' AND seq > 3": ("truncated", 4),
    "UPDATE audit_head SET seq = 3 WHERE chain = 'north'": ("added", 4),
}


@pytest.mark.parametrize("statement", TAMPERINGS)
def test_tampering_is_found_and_named(runtime: WorkerRuntime, statement: str) -> None:
    for _ in range(5):
        searching.search(runtime, "word", collection="north", top_k=3, mode="lexical")
    assert auditing.verify_records(runtime).ok
    tamper(runtime, statement)
    found = auditing.verify_records(runtime)
    kind, seq = TAMPERINGS[statement]
    assert not found.ok
    assert kind in {fault.fault for fault in found.faults}
    assert seq in {fault.seq for fault in found.faults if fault.fault == kind}
    assert {fault.collection for fault in found.faults} == {"north"}


def test_a_chain_that_is_gone_as_a_whole_is_missed(runtime: WorkerRuntime) -> None:
    searching.search(runtime, "word", collection="north", top_k=3, mode="lexical")
    tamper(runtime, "DELETE FROM audit_record WHERE chain = 'north'")
    tamper(runtime, "DELETE FROM audit_head WHERE chain = 'north'")
    (fault,) = auditing.verify_records(runtime).faults
    assert (fault.collection, fault.fault) == ("north", "removed")


def test_an_anchor_tells_of_a_tail_that_was_cut_off_with_its_head(runtime: WorkerRuntime) -> None:
    for _ in range(3):
        searching.search(runtime, "word", collection="north", top_k=3, mode="lexical")
    (before,) = (head for head in runtime.database.query(audit.list_heads) if head.chain == "north")
    searching.search(runtime, "what nobody should know", collection="north", top_k=3, mode="lexical")
    archivist = Archivist(runtime)
    archivist.anchor()
    archivist.anchor()
    assert auditing.verify_records(runtime).anchors == 1, "nothing has grown since"
    tamper(runtime, f"UPDATE audit_head SET seq = {before.seq}, mac = '{before.mac}' WHERE chain = 'north'")
    tamper(runtime, f"DELETE FROM audit_record WHERE chain = 'north' AND seq > {before.seq}")
    found = auditing.verify_records(runtime)
    assert [(fault.seq, fault.fault) for fault in found.faults] == [(before.seq + 1, "truncated")]


def test_an_anchor_that_was_changed_is_none(runtime: WorkerRuntime) -> None:
    searching.search(runtime, "word", collection="north", top_k=3, mode="lexical")
    made = auditing.anchor_records(runtime)
    file = runtime.home / "anchors" / str(made.anchor)
    content = orjson.loads(file.read_bytes())
    file.chmod(0o600)
    file.write_bytes(orjson.dumps({**content, "chains": {}}))
    found = auditing.verify_records(runtime)
    assert [fault.detail for fault in found.faults] == [f"anchor {made.anchor} is not as it was written"]
    _, forged = make_anchor([], runtime.keys, now=datetime.now(UTC))
    assert orjson.loads(forged)["signature"] != content["signature"]


def test_what_was_kept_for_long_enough_goes_on_record(runtime: WorkerRuntime, settings: Settings) -> None:
    searching.search(runtime, "word", collection="north", top_k=3, mode="lexical")
    brief = WorkerRuntime(settings.model_copy(update={"audit_keep_days": 1e-9}), process_id=runtime.process_id)
    gone = Archivist(brief).let_go()
    brief.close()
    assert gone > 0
    assert auditing.verify_records(runtime).ok
    assert sum(record.counts["records"] for record in records(runtime, "audit.let_go")) == gone


def test_records_are_given_out_as_written_and_as_events(runtime: WorkerRuntime) -> None:
    searching.search(runtime, "word", collection="north", top_k=3, mode="lexical")
    collections.update_collection(runtime, "north", access="public")
    lines = [to_json(line) for line in auditing.export_records(runtime)]
    assert {"v", "chain", "seq", "at", "principal", "action", "outcome", "mac"} <= lines[-1].keys()
    events = list(auditing.export_records(runtime, form="ocsf"))
    for event in events:
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert {"severity_id", "time", "category_uid", "actor", "src_endpoint", "metadata"} <= event.keys()
        assert event["actor"].get("user", {}).get("name") or event["actor"]["app_name"], "nobody is no actor"
        assert ("api" in event) is (event["class_uid"] == 6003)
        assert ("databucket" in event) is (event["class_uid"] == 6005)
    assert {event["unmapped"]["action"]: event["type_uid"] for event in events}["search"] == 600504


def test_an_auditor_of_one_collection_sees_its_chain_only(runtime: WorkerRuntime) -> None:
    put_in(runtime, "south", [{"id": "a", "text": "A text."}])
    with runtime.acting_for(Principal("auditor", Role.AUDITOR, frozenset({"south"}))):
        assert {record.collection for record in records(runtime)} == {"south"}
        assert auditing.verify_records(runtime).chains == 1
        assert {line["chain"] for line in auditing.export_records(runtime)} == {"south"}
        with pytest.raises(NotFound):
            auditing.verify_records(runtime, collection="north")
        with pytest.raises(AccessDenied):
            searching.search(runtime, "word", collection="south", top_k=3, mode="lexical")


RUINS = [
    "UPDATE audit_record SET body = CAST(x'7bff' AS TEXT) WHERE chain = 'north' AND seq = 2",
    "UPDATE audit_record SET body = x'00ff' WHERE chain = 'north' AND seq = 2",
    "UPDATE audit_record SET mac = 'no hash' WHERE chain = 'north' AND seq = 2",
    "UPDATE audit_record SET seq = 'two' WHERE chain = 'north' AND seq = 2",
    "UPDATE audit_record SET at = 'now' WHERE chain = 'north' AND seq = 2",
    "UPDATE audit_record SET chain = CAST(x'ff' AS TEXT) WHERE chain = 'north' AND seq = 2",
    "UPDATE audit_record SET chain = 'south' WHERE chain = 'north'",
    "UPDATE audit_record SET body = '[]' WHERE chain = ''",
    "UPDATE audit_head SET mac = CAST(x'ff' AS TEXT) WHERE chain = 'north'",
    "UPDATE audit_head SET seal = '', floor_mac = 'x' WHERE chain = 'north'",
    "UPDATE audit_head SET seq = 'x' WHERE chain = 'north'",
    "UPDATE audit_head SET floor = 'x' WHERE chain = 'north'",
    "UPDATE audit_head SET key_id = 'x' WHERE chain = ''",
]


@pytest.mark.parametrize("statement", RUINS)
def test_what_is_no_record_any_more_is_a_fault_and_no_crash(runtime: WorkerRuntime, statement: str) -> None:
    for _ in range(3):
        searching.search(runtime, "word", collection="north", top_k=3, mode="lexical")
    tamper(runtime, statement)
    assert not auditing.verify_records(runtime).ok


def test_an_anchor_is_made_by_those_who_reach_the_whole_installation(runtime: WorkerRuntime) -> None:
    with runtime.acting_for(Principal("tenant", Role.ADMIN, frozenset({"north"}))), pytest.raises(AccessDenied):
        auditing.anchor_records(runtime)
    assert auditing.verify_records(runtime).anchors == 0


def test_a_key_that_is_named_wrongly_is_told_as_that_and_as_no_fault_of_the_audit(
    runtime: WorkerRuntime, settings: Settings
) -> None:
    wrong = WorkerRuntime(settings.model_copy(update={"key": "bogus"}), process_id=runtime.process_id)
    with pytest.raises(SettingsError) as refused:
        collections.update_collection(wrong, "north", access="secret")
    wrong.close()
    assert "file://PATH" in str(refused.value)


def test_what_is_left_of_an_audit_that_was_dropped_or_emptied_is_told(runtime: WorkerRuntime) -> None:
    auditing.anchor_records(runtime)
    tamper(runtime, "DELETE FROM audit_record")
    tamper(runtime, "DELETE FROM audit_head")
    emptied = auditing.verify_records(runtime).faults
    assert {(fault.fault, fault.detail) for fault in emptied if fault.seq == 0} == {
        ("removed", "the whole chain is gone")
    }
    tamper(runtime, "DROP TABLE audit_record")
    found = auditing.verify_records(runtime)
    assert not found.ok
    assert [fault.detail for fault in found.faults] == ["the table audit_record is gone"]


def test_an_audit_that_was_emptied_before_any_anchor_was_made_is_told(runtime: WorkerRuntime) -> None:
    assert auditing.verify_records(runtime).ok
    with runtime.database.write() as connection:
        for kind in ("update", "delete"):
            for table in ("audit_record", "audit_head"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{kind}"))
        for name in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text("DELETE FROM audit_record"))
        connection.execute(text("DELETE FROM audit_head"))
    emptied = auditing.verify_records(runtime)
    assert (emptied.ok, emptied.faults[0].detail) == (False, "the whole chain is gone")
    searching.search(runtime, "anything", collection="north", top_k=3, mode="hybrid")
    begun_anew = auditing.verify_records(runtime)
    assert [fault.fault for fault in begun_anew.faults] == ["changed"]


def test_a_note_of_the_beginning_that_somebody_wrote_is_none(runtime: WorkerRuntime) -> None:
    note = runtime.home / "audit.begun"
    note.write_bytes(note.read_bytes().replace(b'"said":["2', b'"said":["1'))
    (fault,) = auditing.verify_records(runtime).faults
    assert fault.detail == "audit.begun in the home is not as it was written"


def test_anchors_that_are_gone_are_missed(runtime: WorkerRuntime) -> None:
    made = [auditing.anchor_records(runtime).anchor, auditing.anchor_records(runtime).anchor]
    assert auditing.verify_records(runtime).ok
    for name in made:
        (runtime.home / "anchors" / str(name)).unlink()
    (fault,) = auditing.verify_records(runtime).faults
    assert (fault.collection, fault.fault) == ("", "removed")
    assert fault.detail == f"2 anchors that were made are gone, the first is {made[0]}"
