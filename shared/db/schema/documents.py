"""Tables of collections, their sources, documents, and who claims them."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from embedmill.shared.db.schema.base import Id, metadata, partial

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

# How often what readers see of a collection has changed, by session of a server; kept by triggers (migration 0028).
collection_change = Table(
    "collection_change",
    metadata,
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("writer", Integer, primary_key=True, autoincrement=False),
    Column("changes", BigInteger, nullable=False),
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
    # Who may see its documents, where they do not say so themselves; NULL is the collection's to say.
    Column("access", Text),
    Column("owner", Text),
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
    # Under which state of its source the active version was read, where that tells a change without reading.
    Column("source_state", Text),
    Column("settings_hash", String(32)),
    Column("chunks_ref", Text),
    Column("rejections_ref", Text),
    Column("chunks_expected", Integer, nullable=False, server_default="0"),
    Column("chunks_rejected", Integer, nullable=False, server_default="0"),
    # What was left out or guessed when the active version was read, a line each.
    Column("notes", Text),
    # Who may see the active version; NULL is the collection's to say.
    Column("access", Text),
    Column("owner", Text),
    Column("updated_at", Double, nullable=False),
    Index("ix_document_collection_id", "collection_id", "id"),
    *(
        partial(name, "collection_id", column, where=where)
        for name, column, where in (
            ("ix_document_uri", "uri", "active_version IS NOT NULL OR generation > active_generation"),
            ("ix_document_noted", "id", "notes IS NOT NULL"),
            ("ix_document_deleted", "id", "active_version IS NULL AND active_generation > 0"),
            ("ix_document_empty", "id", "active_version IS NOT NULL AND chunks_expected = 0"),
        )
    ),
)

# What is counted of a document's words for stores whose service counts none; `edition` names its chunks and the cutter.
# A document may be gone before its words are taken away, so that there is no reference to it.
word_edition = Table(
    "word_edition",
    metadata,
    Column("document_id", String(32), primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("edition", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("words", Integer, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Index("ix_word_edition_collection_id", "collection_id", "document_id"),
)

# Their sum is what a collection's documents hold: whoever counts adds a row, and now and then some become one.
word_delta = Table(
    "word_delta",
    metadata,
    Column("id", Id, primary_key=True),
    Column("collection_id", Id, ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("words", BigInteger, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Index("ix_word_delta_collection_id", "collection_id", "id"),
    # Readers tell deltas apart by their ids: none is given out twice.
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

# What a source keeps from one scan to the next (embedmill.producers.sources.memory); `address` is the key's hash.
source_memory = Table(
    "source_memory",
    metadata,
    Column("source_id", Id, ForeignKey("source.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("address", String(32), primary_key=True),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
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
    partial("ix_scan_note_letter", "job_id", where="letter_id IS NOT NULL"),
)
