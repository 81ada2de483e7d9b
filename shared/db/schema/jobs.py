"""Tables of jobs and of their work."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from embedmill.shared.db.schema.base import STAGE_LETTERS, Id, is_literally, metadata, one_of, partial
from embedmill.shared.ledger import Lane
from embedmill.shared.states import FINAL, JobState, State, WaitReason

_FINAL = one_of("state", sorted(FINAL))

job = Table(
    "job",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("identity", Text, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("weight", Integer, nullable=False, server_default="1"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("lane", String(4), nullable=False, server_default=Lane.LIVE),
    Column("unchanged", Integer, nullable=False, server_default="0"),
    Column("skipped", Integer, nullable=False, server_default="0"),
    Column("problems", Integer, nullable=False, server_default="0"),
    Column("unmet", Integer, nullable=False, server_default="0"),
    Column("held_deletions", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("created_at", Double, nullable=False),
    # When it went on last after a pause, from which its pace is measured.
    Column("resumed_at", Double),
    Column("enumerated_at", Double),
    Column("finished_at", Double),
    CheckConstraint(one_of("state", JobState), name="state"),
    CheckConstraint("(state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="finished"),
    CheckConstraint("priority BETWEEN -100 AND 100", name="priority"),
    CheckConstraint(one_of("lane", Lane), name="lane"),
    partial("ix_job_open", "id", where="finished_at IS NULL"),
    partial("uq_job_identity", "collection_id", "identity", where="finished_at IS NULL", unique=True),
    sqlite_autoincrement=True,
)

work = Table(
    "work",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", String(32), ForeignKey("document.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("generation", Integer, nullable=False),
    Column("deletes", Boolean, nullable=False, server_default=text("false")),
    Column("stage", String(STAGE_LETTERS), nullable=False),
    Column("state", String(9), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("lease", String(32)),
    Column("lease_until", Double),
    Column("claimed_at", Double),
    Column("claimed_with", Integer),
    Column("worker", Text),
    Column("dispatched_at", Double),
    Column("available_at", Double),
    Column("paced_seconds", Double),
    # Since when a provider has failed for it again and again, without an answer in between.
    Column("failing_since", Double),
    Column("wait_reason", String(8)),
    Column("size", BigInteger, nullable=False),
    Column("content_hash", String(64), nullable=False),
    # As on `document`; of work of which only the state is known the hash is empty until it is read.
    Column("source_state", Text),
    Column("settings_hash", String(32), nullable=False),
    Column("version", String(16), nullable=False),
    Column("origin", JSON, nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    Column("chunks_ref", Text),
    Column("rejections_ref", Text),
    Column("chunks_expected", Integer, nullable=False, server_default="0"),
    Column("chunks_rejected", Integer, nullable=False, server_default="0"),
    Column("chunks_embedded", Integer, nullable=False, server_default="0"),
    Column("chunks_split", Integer, nullable=False, server_default="0"),
    Column("result", String(10)),
    Column("reason", Text),
    # As on `document`, which gets them with the version.
    Column("notes", Text),
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),
    UniqueConstraint("job_id", "document_id"),
    CheckConstraint(one_of("state", State), name="state"),
    CheckConstraint("(state = 'running') = (lease IS NOT NULL)", name="lease"),
    CheckConstraint("(lease IS NULL) = (lease_until IS NULL)", name="lease_until"),
    CheckConstraint("(state = 'waiting') = (wait_reason IS NOT NULL)", name="waiting"),
    CheckConstraint(f"wait_reason IS NULL OR {one_of('wait_reason', WaitReason)}", name="wait_reason"),
    CheckConstraint(f"({_FINAL}) = (finished_at IS NOT NULL)", name="finished"),
    CheckConstraint("(state = 'completed') = (result IS NOT NULL)", name="result"),
    Index("ix_work_job_state", "job_id", "state", "stage"),
    *(
        partial(name, *columns, where=where)
        for name, columns, where in (
            ("ix_work_pending", ("job_id", "id"), "state = 'pending'"),
            ("ix_work_due", ("job_id", "available_at"), "state = 'waiting'"),
            ("ix_work_waiting", ("job_id", "stage", "wait_reason", "available_at"), "state = 'waiting'"),
            ("ix_work_trouble", ("job_id", "id"), "reason IS NOT NULL AND finished_at IS NULL"),
            ("ix_work_skipped", ("job_id", "id"), "result = 'skipped'"),
            ("ix_work_queued", ("dispatched_at",), "state = 'queued'"),
            ("ix_work_lease", ("lease",), "state = 'running'"),
            ("ix_work_finished", ("job_id", "finished_at"), "finished_at IS NOT NULL"),
            ("ix_work_split", ("job_id",), "chunks_split > 0"),
            ("ix_work_noted", ("job_id", "id"), "notes IS NOT NULL"),
            ("ix_work_left", ("state", "id"), "state <> 'completed'"),
            ("ix_work_removing", ("id",), "deletes AND finished_at IS NULL"),
        )
    ),
)

# How many pieces of work a job has in each place, kept by triggers on `work` (migrations 0004 and 0015), so that no
# writer can forget it. On Postgres rows are changes that add up, and the tally keeper adds them; on SQLite they are
# the counts.
tally = Table(
    "tally",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("stage", String(STAGE_LETTERS), nullable=False),
    Column("state", String(9), nullable=False),
    Column("wait_reason", String(8), nullable=False),
    Column("result", String(10), nullable=False),
    Column("deletes", Boolean, nullable=False),
    Column("documents", BigInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("embedded", BigInteger, nullable=False),
    Column("noted", BigInteger, nullable=False, server_default="0"),
    Index("ix_tally_job_id", "job_id").ddl_if(dialect="postgresql"),
    Index("uq_tally_place", "job_id", "stage", "state", "wait_reason", "result", "deletes", unique=True).ddl_if(
        dialect="sqlite"
    ),
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Id, primary_key=True),
    # Found by the index of work and epoch.
    Column("work_id", Id, ForeignKey("work.id", ondelete="CASCADE"), nullable=False),
    Column("stage", String(STAGE_LETTERS), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double, nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("error_class", Text),
    Column("error", Text),
    UniqueConstraint("work_id", "epoch"),
    CheckConstraint("outcome IN ('ok', 'error', 'lost', 'parked', 'returned', 'cancelled')", name="outcome"),
    partial("ix_attempt_unsure", "stage", "ended_at", where="outcome <> 'ok'"),
)


def in_state(state: State) -> ColumnElement[bool]:
    """A piece of work is in a state, written out."""
    return is_literally(work.c.state, state)
