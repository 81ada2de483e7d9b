"""Which sources are read again by themselves, when, and what came of it."""

from sqlalchemy import JSON, CheckConstraint, Column, Double, ForeignKey, Integer, String, Table, Text

from embedmill.shared.db.schema.base import Id, metadata

# `spec` is what is read, which is the source's own unless that was read from elsewhere since.
schedule = Table(
    "schedule",
    metadata,
    Column("source_id", Id, ForeignKey("source.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("spec", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    Column("every_seconds", Double),
    Column("cron", String(200)),
    Column("zone", String(64), nullable=False),
    Column("due_at", Double, nullable=False, index=True),
    Column("began_at", Double),
    Column("ended_at", Double),
    Column("job_id", Id, ForeignKey("job.id", ondelete="SET NULL")),
    Column("error", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", Double),
    Column("events", Text, nullable=False, server_default=""),
    CheckConstraint("(every_seconds IS NULL) <> (cron IS NULL)", name="timetable"),
    CheckConstraint("(failures = 0) = (failing_since IS NULL)", name="failing"),
)

visited_host = Table(
    "visited_host",
    metadata,
    Column("place", String(300), primary_key=True),
    Column("due_at", Double, nullable=False),
)
