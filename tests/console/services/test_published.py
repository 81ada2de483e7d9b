"""The names that `--json` publishes are promises: renaming a field of these results breaks somebody's program."""

from dataclasses import fields

import pytest

from embedmill.console.services.asking import Reply
from embedmill.console.services.controlling import JobControl
from embedmill.console.services.doctor import Check
from embedmill.console.services.estimates import Estimate
from embedmill.console.services.exporting import Exported, Rejected
from embedmill.console.services.feedback import ExportedFeedback, ExportedJudgement, ExportedQuery, FeedbackReport
from embedmill.console.services.jobs import ChunkCounts, JobExplanation, JobReport, JobSpend
from embedmill.console.services.parsing import ParsedBlock, ParsedChunk, ParsedFile
from embedmill.console.services.progress import DocumentCounts
from embedmill.console.services.query_stats import DayOfQueries, QueryStats
from embedmill.console.services.searching import Answered
from embedmill.console.services.submitting import SubmittedJob
from embedmill.console.services.verifying import Compared, Repaired
from embedmill.retrieval.hits import Hit, SearchResult

JOB = (
    "job id name collection source sources state activity created priority weight lane documents chunks spend estimate "
    "seconds active problems noted held_deletions error notes reasons dead_before"
)
ESTIMATE = (
    "documents unchanged skipped unreadable stages total basis read problems refused sources notes reasons seconds"
)
EXPORTED = "id document uri chunk ordinal title section page start end text metadata version index_version shard vector"
DAY = "day collection queries seconds no_match degraded calls usd unpriced_calls cached saved_usd hallucinations steps"
COMPARED = "collection ok documents chunks vectors missing orphan stale in_flight examples"


@pytest.mark.parametrize(
    ("result", "names"),
    [
        (JobReport, JOB),
        (JobExplanation, f"{JOB} waiting bulk rate seconds_left hindrances queues_without_consumer circuits"),
        (DocumentCounts, "total completed unchanged skipped deleted dead cancelled"),
        (ChunkCounts, "expected indexed rejected embedded split"),
        (JobSpend, "usd tokens_in tokens_out reserved_usd units unpriced_calls"),
        (SubmittedJob, "job problems notes reasons sources documents"),
        (JobControl, "job state read"),
        (Estimate, ESTIMATE),
        (SearchResult, "hits timings id cached"),
        (Answered, "id hits timings result cached"),
        (Reply, "id question answered answer claims documents by cut cached degraded spend"),
        (ExportedFeedback, "collection queries judgements left_out"),
        (ExportedQuery, "id text"),
        (ExportedJudgement, "query document relevance"),
        (FeedbackReport, "collection queries judged helpful not_helpful worst"),
        (QueryStats, "since collection days"),
        (DayOfQueries, DAY),
        (Hit, "rank score document uri chunk section start end text title page stages"),
        (Exported, EXPORTED),
        (Rejected, "document uri chunk start end reason text"),
        (Compared, COMPARED),
        (Repaired, f"{COMPARED} repaired repair_job deleted_vectors indexed_again left embedded_anew spend"),
        (ParsedFile, "uri format media_type title text notes blocks chunks"),
        (ParsedBlock, "kind text level page"),
        (ParsedChunk, "text start end tokens section pages"),
        (Check, "name ok detail hint"),
    ],
)
def test_a_result_has_the_names_that_were_published(result: type, names: str) -> None:
    assert {field.name for field in fields(result)} >= set(names.split())
