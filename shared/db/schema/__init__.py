"""The tables, by area. Times are seconds since 1970 by the database's clock; constraints tie states to their times."""

from embedmill.shared.db.schema.access import access_token
from embedmill.shared.db.schema.audit import audit_head, audit_record
from embedmill.shared.db.schema.base import STAGE_LETTERS, is_literally, know_partial_indexes_on_postgres, metadata
from embedmill.shared.db.schema.bulk import bulk_batch, bulk_entry, bulk_wait
from embedmill.shared.db.schema.dead_letters import dead_letter, replay, unreadable_message
from embedmill.shared.db.schema.documents import (
    claim,
    collection,
    collection_change,
    document,
    index_version,
    scan,
    scan_note,
    source,
    source_memory,
    word_delta,
    word_edition,
)
from embedmill.shared.db.schema.erasures import backup, erased_document, erasure, tombstone
from embedmill.shared.db.schema.jobs import attempt, in_state, job, tally, work
from embedmill.shared.db.schema.keys import encryption_key
from embedmill.shared.db.schema.processes import chore, installation, pool, receipt, supervisor, worker
from embedmill.shared.db.schema.queries import feedback, kept_answer, query_record
from embedmill.shared.db.schema.redactions import document_redaction, document_subject
from embedmill.shared.db.schema.schedules import schedule, visited_host
from embedmill.shared.db.schema.spend import AMOUNTS, NOTHING_NEGATIVE, budget, budget_alert, flow_state, usage
from embedmill.shared.db.schema.verdicts import (
    cache_damage,
    cache_eviction,
    review,
    sample,
    sample_count,
    term,
    verdict,
    verdict_hold,
)

__all__ = [
    "AMOUNTS",
    "NOTHING_NEGATIVE",
    "STAGE_LETTERS",
    "access_token",
    "attempt",
    "audit_head",
    "audit_record",
    "backup",
    "budget",
    "budget_alert",
    "bulk_batch",
    "bulk_entry",
    "bulk_wait",
    "cache_damage",
    "cache_eviction",
    "chore",
    "claim",
    "collection",
    "collection_change",
    "dead_letter",
    "document",
    "document_redaction",
    "document_subject",
    "encryption_key",
    "erased_document",
    "erasure",
    "feedback",
    "flow_state",
    "in_state",
    "index_version",
    "installation",
    "is_literally",
    "job",
    "kept_answer",
    "know_partial_indexes_on_postgres",
    "metadata",
    "pool",
    "query_record",
    "receipt",
    "replay",
    "review",
    "sample",
    "sample_count",
    "scan",
    "scan_note",
    "schedule",
    "source",
    "source_memory",
    "supervisor",
    "tally",
    "term",
    "tombstone",
    "unreadable_message",
    "usage",
    "verdict",
    "verdict_hold",
    "visited_host",
    "word_delta",
    "word_edition",
    "work",
    "worker",
]
