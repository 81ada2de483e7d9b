"""Claims of sources on documents, and the scans that made them; one open job for one submission."""

import json
import re
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("finished_at IS NULL")


def upgrade() -> None:
    """Make the tables, and claims from what is known of who named a document."""
    _make_tables()
    op.add_column("document", sa.Column("wanted_version", sa.String(length=16)))
    # Where something newer than what readers see was submitted, that is wanted: a version, or nothing.
    op.execute(
        "UPDATE document SET wanted_version = CASE WHEN generation <= active_generation THEN active_version ELSE "
        "(SELECT CASE WHEN work.deletes THEN NULL ELSE work.version END FROM work WHERE work.document_id = document.id "
        "AND work.generation = document.generation ORDER BY work.id DESC LIMIT 1) END"
    )
    op.execute(
        "INSERT INTO claim (source_id, document_id, scan_id, seen_by, content, leaving) "
        "SELECT source_id, id, 0, 0, CASE WHEN active_version = wanted_version THEN coalesce(substr(content_hash, 1, "
        "16), '') ELSE '' END, wanted_version IS NULL FROM document "
        "WHERE (active_version IS NOT NULL OR wanted_version IS NOT NULL) AND source_id IS NOT NULL"
    )
    _claim_for_earlier_jobs()
    op.drop_index("ix_document_source_seen", table_name="document")
    _forget_foreign_key()
    op.drop_column("document", "source_id")
    op.drop_column("document", "seen_job")
    _make_jobs_unique()


def downgrade() -> None:
    """Give every document back to one of its sources; the rest of what is known of claims is lost."""
    op.drop_index("uq_job_identity", table_name="job")
    op.add_column("document", sa.Column("source_id", ID))
    op.add_column("document", sa.Column("seen_job", ID, nullable=False, server_default="0"))
    op.execute(
        "UPDATE document SET source_id = coalesce("
        "(SELECT max(claim.source_id) FROM claim WHERE claim.document_id = document.id), "
        "(SELECT min(source.id) FROM source WHERE source.collection_id = document.collection_id))"
    )
    op.create_index("ix_document_source_seen", "document", ["source_id", "seen_job"])
    op.drop_column("document", "wanted_version")
    op.drop_table("claim")
    op.drop_table("scan")
    op.drop_column("source", "scanned_at")
    op.drop_column("source", "state")


def _make_tables() -> None:
    op.create_table(
        "scan",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("state", sa.String(length=9), server_default="running", nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.CheckConstraint("state IN ('running', 'completed', 'abandoned')", name=op.f("ck_scan_state")),
        sa.CheckConstraint("(state = 'running') = (ended_at IS NULL)", name=op.f("ck_scan_ended")),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name="fk_scan_source_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_scan_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_scan"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_scan_source_id", "scan", ["source_id", "id"])
    op.create_index("ix_scan_job_id", "scan", ["job_id", "state"])
    op.create_table(
        "claim",
        sa.Column("source_id", ID, nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("scan_id", ID, nullable=False),
        sa.Column("seen_by", ID, nullable=False),
        sa.Column("content", sa.String(length=16), server_default="", nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("leaving", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name="fk_claim_source_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name="fk_claim_document_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("source_id", "document_id", name="pk_claim"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_claim_document_id", "claim", ["document_id"])
    op.execute(
        "ALTER TABLE source ADD COLUMN state VARCHAR(6) DEFAULT 'open' NOT NULL "
        "CONSTRAINT ck_source_state CHECK (state IN ('open', 'closed'))"
    )
    op.add_column("source", sa.Column("scanned_at", sa.Double(), nullable=True))


def _claim_for_earlier_jobs() -> None:
    """A document kept only the source that saw it last; jobs that gave it work tell of others that may have named it.

    Where a job had several sources, nobody knows which of them named a document. All that could have are taken to:
    what one of them does not name loses that claim when it is read, and nothing is deleted for what is not known.
    """
    connection = op.get_bind()
    found = connection.exec_driver_sql("SELECT id, collection_id, identity FROM source")
    sources = {(row.collection_id, row.identity): row.id for row in found}
    jobs = sa.table("job", sa.column("id"), sa.column("collection_id"), sa.column("sources", sa.JSON()))
    kind = (
        "work.origin ->> 'kind'" if connection.dialect.name == "postgresql" else "json_extract(work.origin, '$.kind')"
    )
    claim = sa.text(
        "INSERT INTO claim (source_id, document_id, scan_id, seen_by, leaving) "
        "SELECT DISTINCT CAST(:source AS BIGINT), document.id, 0, 0, document.wanted_version IS NULL "
        "FROM work JOIN document ON document.id = work.document_id "
        f"WHERE work.job_id = :job AND NOT work.deletes AND document.source_id <> :source AND {kind} = :kind "
        "AND substr(document.uri, 1, length(CAST(:beginning AS TEXT))) = :beginning "
        "AND (document.active_version IS NOT NULL OR document.wanted_version IS NOT NULL) ON CONFLICT DO NOTHING"
    )
    for row in connection.execute(sa.select(jobs)).all():
        for spec in row.sources:
            source = sources.get((row.collection_id, json.dumps(spec, sort_keys=True, separators=(",", ":"))))
            if source is not None:
                connection.execute(claim, {"source": source, "job": row.id, **_could_name(spec)})


def _could_name(spec: dict[str, Any]) -> dict[str, str]:
    """Which documents a source may have named: files below a folder, one file, any file of a list, any row."""
    match spec.get("kind"):
        case "folder":
            return {"kind": "file", "beginning": spec["uri"].rstrip("/") + "/"}
        case "file":
            return {"kind": "file", "beginning": spec["uri"]}
        case "list":
            return {"kind": "file", "beginning": ""}
        case _:
            return {"kind": "row", "beginning": ""}


def _forget_foreign_key() -> None:
    """SQLite drops no column that refers to another table; the reference goes first, as in `rewording`."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        return
    is_document = "WHERE type = 'table' AND name = 'document'"
    made = connection.exec_driver_sql(f"SELECT sql FROM sqlite_master {is_document}").scalar_one()
    without = re.sub(r",\s*CONSTRAINT fk_document_source_id FOREIGN KEY[^,]*?ON DELETE CASCADE", "", made)
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(sa.text(f"UPDATE sqlite_master SET sql = :sql {is_document}"), {"sql": without})
    # The constraint is read again, and with it what the next statement may do.
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")


def _make_jobs_unique() -> None:
    """Of open jobs of one submission the newest is what a repeated command takes up; the others go on without it."""
    op.execute(
        "UPDATE job SET identity = identity || ' ' || CAST(id AS VARCHAR(20)) WHERE finished_at IS NULL AND EXISTS "
        "(SELECT 1 FROM job AS newer WHERE newer.collection_id = job.collection_id AND newer.id > job.id "
        "AND newer.identity = job.identity AND newer.finished_at IS NULL)"
    )
    op.create_index(
        "uq_job_identity",
        "job",
        ["collection_id", "identity"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
