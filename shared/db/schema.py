"""The tables. Times are seconds since 1970 by the database's clock; constraints tie states to their timestamps."""

from collections.abc import Iterable

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
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

from embedmill.shared.ledger import FREE, UNPRICED, BatchState, BudgetScope, BulkState, EntryState, Lane
from embedmill.shared.states import FINAL, JobState, State, WaitReason, WorkerState

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only gives out row ids for INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


STAGE_LETTERS = 32
"""The longest name of a stage; which stages there are is `shared.stages`'s to say and no constraint's."""


def _one_of(column: str, values: Iterable[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), info={"where": where})


def know_partial_indexes_on_postgres() -> None:
    """Say on Postgres, too, which rows an index is of; for whoever makes tables, because it loads that dialect."""
    for table in metadata.tables.values():
        for index in table.indexes:
            if "where" in index.info:
                index.dialect_kwargs["postgresql_where"] = text(index.info["where"])


_FINAL = _one_of("state", sorted(FINAL))


def is_literally(of: ColumnElement[str], value: str) -> ColumnElement[bool]:
    """A condition with one of our own words written out: a parameter keeps SQLite from the word's partial index."""
    return of == literal_column(f"'{value}'")


AMOUNTS = ("inputs", "cached", "cached_tokens", "tokens_in", "tokens_out", "cache_read", "cache_write", "milliunits")
NOTHING_NEGATIVE = " AND ".join(f"{name} >= 0" for name in AMOUNTS) + " AND coalesce(cost_microusd, 0) >= 0"

collection = Table(
    "collection",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("settings", JSON, nullable=False),
    Column("active_index_version", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    # The folder of a collection's vectors has its number in its name: no number is given out twice.
    sqlite_autoincrement=True,
)

index_version = Table(
    "index_version",
    metadata,
    Column("id", Id, primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("chunker", Text, nullable=False),
    Column("shards", JSON, nullable=False),
    # Where documents may still be while they are moved to `shards`; NULL outside a move.
    Column("leaving", JSON(none_as_null=True)),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("collection_id", "number"),
)

source = Table(
    "source",
    metadata,
    Column("id", Id, primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("identity", Text, nullable=False),
    Column("spec", JSON, nullable=False),
    # A closed source claims nothing; reading it again opens it.
    Column("state", String(6), nullable=False, server_default="open"),
    # When it was last read to its end.
    Column("scanned_at", Double),
    UniqueConstraint("collection_id", "identity"),
    CheckConstraint("state IN ('open', 'closed')", name="state"),
)

document = Table(
    "document",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    # In the order of code points on every engine: lists go by it, and what begins alike lies together.
    Column("uri", Text().with_variant(Text(collation="C"), "postgresql"), nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    # The newest submission or removal, and the version that it wants; NULL when it wants the document gone.
    Column("generation", Integer, nullable=False),
    Column("wanted_version", String(16)),
    Column("active_generation", Integer, nullable=False, server_default="0"),
    Column("active_version", String(16)),
    Column("content_hash", String(64)),
    Column("settings_hash", String(32)),
    Column("chunks_ref", Text),
    Column("rejections_ref", Text),
    Column("chunks_expected", Integer, nullable=False, server_default="0"),
    Column("chunks_rejected", Integer, nullable=False, server_default="0"),
    # What was left out or guessed when the active version was read, a line each.
    Column("notes", Text),
    Column("updated_at", Double, nullable=False),
    Index("ix_document_collection_id", "collection_id", "id"),
    *(
        _partial(name, "collection_id", column, where=where)
        for name, column, where in (
            ("ix_document_uri", "uri", "active_version IS NOT NULL OR generation > active_generation"),
            ("ix_document_noted", "id", "notes IS NOT NULL"),
            ("ix_document_deleted", "id", "active_version IS NULL AND active_generation > 0"),
            ("ix_document_empty", "id", "active_version IS NOT NULL AND chunks_expected = 0"),
        )
    ),
)

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
    Column("enumerated_at", Double),
    Column("finished_at", Double),
    CheckConstraint(_one_of("state", JobState), name="state"),
    CheckConstraint("(state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="finished"),
    CheckConstraint("priority BETWEEN -100 AND 100", name="priority"),
    CheckConstraint(_one_of("lane", Lane), name="lane"),
    _partial("ix_job_open", "id", where="finished_at IS NULL"),
    _partial("uq_job_identity", "collection_id", "identity", where="finished_at IS NULL", unique=True),
    sqlite_autoincrement=True,
)

# One reading of one source for one job. Whoever takes a job over abandons the scans that are running for it.
scan = Table(
    "scan",
    metadata,
    Column("id", Id, primary_key=True),
    Column("source_id", Id, ForeignKey("source.id", ondelete="CASCADE"), nullable=False),
    Column("job_id", Id, ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("state", String(9), nullable=False, server_default="running"),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    CheckConstraint("state IN ('running', 'completed', 'abandoned')", name="state"),
    CheckConstraint("(state = 'running') = (ended_at IS NULL)", name="ended"),
    Index("ix_scan_source_id", "source_id", "id"),
    Index("ix_scan_job_id", "job_id", "state"),
    # A claim keeps the number of a scan: none is given out twice.
    sqlite_autoincrement=True,
)

# That a source names a document (decision 0030). A document leaves when its last claim does.
claim = Table(
    "claim",
    metadata,
    Column(
        "source_id",
        Id,
        ForeignKey("source.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("document_id", String(32), ForeignKey("document.id", ondelete="CASCADE"), primary_key=True),
    # The newest scan of the source that had begun when the document was met, whichever scan met it.
    Column("scan_id", Id, nullable=False),
    # The scan that met it.
    Column("seen_by", Id, nullable=False),
    # The beginning of the content's hash as the source had it, '' where that is not known, and the line of a row.
    Column("content", String(16), nullable=False, server_default=""),
    Column("line", Integer),
    # The source names it no more; the claim ends when the document's removal is done.
    Column("leaving", Boolean, nullable=False, server_default=text("false")),
    Index("ix_claim_document_id", "document_id"),
    sqlite_with_rowid=False,
)

scan_note = Table(
    "scan_note",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("job.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(8), nullable=False),
    Column("uri", Text, nullable=False),
    Column("line", Integer),
    Column("reason", Text, nullable=False),
    # The dead letter that a document was passed over for.
    Column("letter_id", Id),
    CheckConstraint("kind IN ('skipped', 'problem', 'unmet', 'note')", name="kind"),
    _partial("ix_scan_note_letter", "job_id", where="letter_id IS NOT NULL"),
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
    CheckConstraint(_one_of("state", State), name="state"),
    CheckConstraint("(state = 'running') = (lease IS NOT NULL)", name="lease"),
    CheckConstraint("(lease IS NULL) = (lease_until IS NULL)", name="lease_until"),
    CheckConstraint("(state = 'waiting') = (wait_reason IS NOT NULL)", name="waiting"),
    CheckConstraint(f"wait_reason IS NULL OR {_one_of('wait_reason', WaitReason)}", name="wait_reason"),
    CheckConstraint(f"({_FINAL}) = (finished_at IS NOT NULL)", name="finished"),
    CheckConstraint("(state = 'completed') = (result IS NOT NULL)", name="result"),
    Index("ix_work_job_state", "job_id", "state", "stage"),
    *(
        _partial(name, *columns, where=where)
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

# What the last transaction of a session on Postgres was (see shared.db.engine).
receipt = Table(
    "receipt",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("written_at", Double, nullable=False),
)

# What this database calls itself in the stores that it writes to, so that another's rows are known as such.
installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(32), nullable=False),
    CheckConstraint("id = 1", name="one"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Id, primary_key=True),
    Column("work_id", Id, ForeignKey("work.id", ondelete="CASCADE"), nullable=False, index=True),
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
    _partial("ix_attempt_unsure", "stage", "ended_at", where="outcome <> 'ok'"),
)

replay = Table(
    "replay",
    metadata,
    Column("id", Id, primary_key=True),
    Column("filter", JSON, nullable=False),
    Column("by", Text, nullable=False),
    Column("rate", Double),
    Column("count", Integer, nullable=False, server_default="0"),
    Column("refused", Integer, nullable=False, server_default="0"),
    Column("next_at", Double),
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),
    sqlite_autoincrement=True,
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", Id, primary_key=True),
    Column("work_id", Id, ForeignKey("work.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("job_id", Id, ForeignKey("job.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("stage", String(STAGE_LETTERS), nullable=False),
    Column("error_class", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("fingerprint", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("code_version", Text, nullable=False),
    Column("settings_hash", String(32)),
    Column("index_version", Integer),
    Column("epoch", Integer),
    Column("created_at", Double, nullable=False),
    Column("resolved_at", Double),
    Column("resolution", String(10)),
    Column("resolution_reason", Text),
    Column("replay_id", Id, ForeignKey("replay.id"), index=True),
    CheckConstraint("(resolved_at IS NULL) = (resolution IS NULL)", name="resolved"),
    CheckConstraint("resolution IS NULL OR resolution IN ('replayed', 'discarded', 'superseded')", name="resolution"),
    *(
        _partial(name, *columns, where=where)
        for name, columns, where in (
            ("ix_dead_letter_open", ("id",), "resolved_at IS NULL"),
            ("ix_dead_letter_cause", ("fingerprint", "id"), "resolved_at IS NULL"),
        )
    ),
)

unreadable_message = Table(
    "unreadable_message",
    metadata,
    Column("id", Id, primary_key=True),
    Column("queue", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("times", Integer, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("last_received_at", Double, nullable=False),
    Column("resolved_at", Double),
    Column("resolution", String(10)),
    Column("resolution_reason", Text),
    CheckConstraint("(resolved_at IS NULL) = (resolution IS NULL)", name="resolved"),
    CheckConstraint("resolution IS NULL OR resolution = 'discarded'", name="resolution"),
    _partial("ux_unreadable_message_open", "digest", where="resolved_at IS NULL", unique=True),
)

# The ledger: a row for every call of a provider, written before the call as what it may cost at most.
usage = Table(
    "usage",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("job.id", ondelete="SET NULL")),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="SET NULL")),
    Column("documents", JSON),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("lane", String(4), nullable=False, server_default=Lane.LIVE),
    Column("state", String(10), nullable=False, server_default=EntryState.SETTLED),
    Column("inputs", Integer, nullable=False),
    Column("cached", Integer, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False, server_default="0"),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("cache_read", BigInteger, nullable=False, server_default="0"),
    Column("cache_write", BigInteger, nullable=False, server_default="0"),
    # Thousandths of what a vector store bills by, which are no tokens; its smallest query costs a quarter of a unit.
    Column("milliunits", BigInteger, nullable=False, server_default="0"),
    Column("price", Text, nullable=False, server_default=FREE),
    Column("cost_microusd", BigInteger),
    Column("cache_saved_microusd", BigInteger, nullable=False, server_default="0"),
    Column("lane_saved_microusd", BigInteger, nullable=False, server_default="0"),
    Column("request_id", Text),
    Column("owner", Text),
    Column("created_at", Double, nullable=False),
    Column("settled_at", Double),
    CheckConstraint(_one_of("lane", Lane), name="lane"),
    CheckConstraint(_one_of("state", EntryState), name="state"),
    CheckConstraint("(state = 'reserved') = (settled_at IS NULL)", name="settled"),
    CheckConstraint(f"(price = '{UNPRICED}') = (cost_microusd IS NULL)", name="priced"),
    # Whatever a provider says: no call gives money back.
    CheckConstraint(NOTHING_NEGATIVE, name="amounts"),
    Index("ix_usage_job_id", "job_id"),
    Index("ix_usage_created_at", "created_at"),
    _partial("ix_usage_reserved", "id", where="state = 'reserved'"),
)

budget = Table(
    "budget",
    metadata,
    Column("id", Id, primary_key=True),
    Column("scope", String(10), nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("limit_microusd", BigInteger),
    Column("limit_tokens", BigInteger),
    # Spent and reserved, since the budget's beginning or since midnight UTC of `day`.
    Column("used_microusd", BigInteger, nullable=False, server_default="0"),
    Column("used_tokens", BigInteger, nullable=False, server_default="0"),
    Column("day", String(10), nullable=False, server_default=""),
    # The smallest call that it has refused and that still waits.
    Column("refused_microusd", BigInteger),
    Column("refused_tokens", BigInteger),
    Column("refused_at", Double),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("scope", "name"),
    CheckConstraint(_one_of("scope", BudgetScope), name="scope"),
    CheckConstraint("limit_microusd IS NOT NULL OR limit_tokens IS NOT NULL", name="limited"),
    CheckConstraint("(refused_at IS NULL) = (refused_microusd IS NULL)", name="refused"),
)

budget_alert = Table(
    "budget_alert",
    metadata,
    Column("id", Id, primary_key=True),
    Column("budget_id", Id, ForeignKey("budget.id", ondelete="CASCADE"), nullable=False),
    Column("day", String(10), nullable=False),
    Column("percent", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("budget_id", "day", "percent"),
)

# What processes tell each other about providers when there is no Redis: allowances and circuits.
flow_state = Table(
    "flow_state",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("updated_at", Double, nullable=False),
)

worker = Table(
    "worker",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("queues", JSON, nullable=False),
    Column("supervisor", Text),
    Column("kind", String(8), nullable=False, server_default="prefork"),
    Column("state", String(8), nullable=False, server_default="starting"),
    Column("slots", Integer, nullable=False, server_default="1"),
    Column("wanted_slots", Integer),
    Column("drain", Boolean, nullable=False, server_default=text("false")),
    Column("busy", Integer, nullable=False, server_default="0"),
    Column("batches", BigInteger, nullable=False, server_default="0"),
    Column("documents", BigInteger, nullable=False, server_default="0"),
    Column("rate", Double, nullable=False, server_default="0"),
    Column("rss_bytes", BigInteger),
    Column("version", Text),
    Column("started_at", Double, nullable=False),
    Column("heartbeat_at", Double, nullable=False),
    Column("last_message_at", Double),
    Column("last_claim_at", Double),
    Column("stopped_at", Double),
    Column("broker_refusals", Integer, nullable=False, server_default="0"),
    Column("broker_refusal", Text),
    CheckConstraint(_one_of("state", WorkerState), name="state"),
)

supervisor = Table(
    "supervisor",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pools", JSON, nullable=False),
    Column("slots", JSON, nullable=False),
    Column("version", Text),
    Column("started_at", Double, nullable=False),
    Column("heartbeat_at", Double, nullable=False),
    Column("stopped_at", Double),
)

pool = Table(
    "pool",
    metadata,
    Column("queue", String(STAGE_LETTERS), primary_key=True),
    Column("desired", Integer),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("updated_at", Double, nullable=False),
    CheckConstraint("desired IS NULL OR desired >= 0", name="desired"),
)

chore = Table(
    "chore",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("lease_until", Double, nullable=False),
)

verdict = Table(
    "verdict",
    metadata,
    Column("address", String(32), primary_key=True),
    Column("model", Text, nullable=False),
    Column("prompt_name", Text, nullable=False),
    Column("prompt_hash", String(16), nullable=False),
    Column("source", String(8), nullable=False),
    Column("body", JSON, nullable=False),
    Column("decision", String(8)),
    Column("created_at", Double, nullable=False),
    Column("used_at", Double, nullable=False, server_default="0", index=True),
    CheckConstraint("source IN ('model', 'rules')", name="source"),
    CheckConstraint("decision IS NULL OR decision IN ('accepted', 'rejected')", name="decision"),
)

verdict_hold = Table(
    "verdict_hold",
    metadata,
    Column("address", String(32), primary_key=True),
    Column("owner", Text, nullable=False, index=True),
    Column("until", Double, nullable=False),
)

# What caches let go, by kind of entry, since the beginning.
cache_eviction = Table(
    "cache_eviction",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("entries", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("evicted_at", Double, nullable=False),
)

# Verdicts that could not be read back, and were made anew, since the beginning; vectors have their caches' own count.
cache_damage = Table(
    "cache_damage",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("entries", BigInteger, nullable=False),
)

sample = Table(
    "sample",
    metadata,
    Column("id", Id, primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("document_id", String(32), ForeignKey("document.id", ondelete="CASCADE"), nullable=False),
    Column("job_id", Id, ForeignKey("job.id", ondelete="SET NULL"), index=True),
    Column("kind", String(8), nullable=False),
    Column("chunk", String(24), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("chunks_ref", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("available_at", Double, nullable=False),
    Column("score", Integer),
    Column("reason", Text),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("document_id", "kind", "chunk", name="uq_sample_document_id_kind_chunk"),
    CheckConstraint("kind IN ('verdict', 'terms')", name="kind"),
    CheckConstraint("state IN ('pending', 'done', 'failed')", name="state"),
    _partial("ix_sample_pending", "available_at", where="state = 'pending'"),
)

sample_count = Table(
    "sample_count",
    metadata,
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("kind", String(8), primary_key=True),
    Column("sampled", Integer, nullable=False, server_default="0"),
    Column("judged", Integer, nullable=False, server_default="0"),
    Column("errors", Integer, nullable=False, server_default="0"),
)

review = Table(
    "review",
    metadata,
    Column("id", Id, primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("document_id", String(32), ForeignKey("document.id", ondelete="CASCADE"), nullable=False),
    Column("chunk", String(24), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("address", String(32), nullable=False, index=True),
    Column("doubts", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("resolved_at", Double),
    Column("resolution", String(8)),
    UniqueConstraint("document_id", "chunk", "address", name="uq_review_document_id_chunk_address"),
    CheckConstraint("(resolved_at IS NULL) = (resolution IS NULL)", name="resolved"),
    CheckConstraint("resolution IS NULL OR resolution IN ('accepted', 'rejected')", name="resolution"),
)

term = Table(
    "term",
    metadata,
    Column("id", Id, primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", String(32), ForeignKey("document.id", ondelete="CASCADE"), nullable=False),
    Column("term", String(200), nullable=False),
    Column("label", String(200), nullable=False),
    Column("synonym", String(200), nullable=False),
    Column("mentions", Integer, nullable=False),
    UniqueConstraint("document_id", "term", "synonym", name="uq_term_document_id_term_synonym"),
    Index("ix_term_collection_id_term", "collection_id", "term"),
)

# The batch lane: what was wanted of a vendor's batch API, by content address, who waits for it, and the batches.
bulk_batch = Table(
    "bulk_batch",
    metadata,
    Column("id", Id, primary_key=True),
    # Random; it is in what the vendor keeps, so that a batch can be recognised there.
    Column("key", String(32), nullable=False, unique=True),
    Column("job_id", Id, ForeignKey("job.id", ondelete="SET NULL"), index=True),
    Column("usage_id", Id, ForeignKey("usage.id", ondelete="SET NULL"), index=True),
    Column("kind", String(8), nullable=False),
    Column("target", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("requests", Integer, nullable=False),
    Column("inputs", Integer, nullable=False),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("vendor_id", Text, unique=True),
    Column("vendor_state", Text),
    Column("file_id", Text),
    Column("succeeded", Integer, nullable=False, server_default="0"),
    Column("errored", Integer, nullable=False, server_default="0"),
    Column("returned", Integer, nullable=False, server_default="0"),
    Column("troubles", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("created_at", Double, nullable=False),
    Column("submitting_at", Double),
    Column("submitted_at", Double),
    Column("expires_at", Double),
    Column("due_at", Double, nullable=False),
    Column("cancelled_at", Double),
    Column("ended_at", Double),
    # No other batch of its job and target is made before.
    Column("rests_until", Double),
    CheckConstraint(_one_of("state", BatchState), name="state"),
    CheckConstraint("(state IN ('ended', 'released')) = (ended_at IS NOT NULL)", name="ended"),
    CheckConstraint("state NOT IN ('submitted', 'collected') OR vendor_id IS NOT NULL", name="submitted"),
    _partial("ix_bulk_batch_open", "due_at", where="ended_at IS NULL"),
)

bulk_entry = Table(
    "bulk_entry",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("address", String(64), nullable=False),
    Column("target", Text, nullable=False),
    # Whose budget pays, and where the text is.
    Column("job_id", Id, ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", String(32), nullable=False),
    Column("chunks_ref", Text),
    Column("rejections_ref", Text),
    Column("ordinal", Integer, nullable=False),
    Column("state", String(8), nullable=False),
    Column("returns", Integer, nullable=False, server_default="0"),
    # What was wrong with a first answer, and whether it is to be asked about alone.
    Column("complaint", Text),
    Column("alone", Boolean, nullable=False, server_default=text("false")),
    Column("batch_id", Id, ForeignKey("bulk_batch.id", ondelete="SET NULL"), index=True),
    Column("request", Integer),
    Column("place", Integer),
    Column("token", String(32)),
    Column("error_class", Text),
    Column("error", Text),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("kind", "address"),
    CheckConstraint(_one_of("state", BulkState), name="state"),
    CheckConstraint("kind IN ('embed', 'verdict')", name="kind"),
    CheckConstraint("(state = 'failed') = (error_class IS NOT NULL)", name="failed"),
    Index("ix_bulk_entry_job_id", "job_id", "state"),
)

bulk_wait = Table(
    "bulk_wait",
    metadata,
    Column("entry_id", Id, ForeignKey("bulk_entry.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("work_id", Id, ForeignKey("work.id", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True),
)


def in_state(state: State) -> ColumnElement[bool]:
    """A piece of work is in a state, written out."""
    return is_literally(work.c.state, state)
