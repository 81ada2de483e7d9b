"""Tables of what failed for good."""

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
)

from embedmill.shared.db.schema.base import STAGE_LETTERS, Id, metadata, one_of, partial
from embedmill.shared.letters import RESOLUTIONS

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
    CheckConstraint(f"resolution IS NULL OR {one_of('resolution', RESOLUTIONS)}", name="resolution"),
    *(
        partial(name, *columns, where=where)
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
    partial("ux_unreadable_message_open", "digest", where="resolved_at IS NULL", unique=True),
)
