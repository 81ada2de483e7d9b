"""Batches as `embedmill bulk` and `jobs show` describe them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from embedmill.console.cli.output import print_line, print_table
from embedmill.console.durations import format_duration
from embedmill.shared.db.bulk_batches import Batch


def describe_batch(batch: Batch) -> dict[str, Any]:
    """A batch as `--json` shows it; times in ISO 8601, UTC."""
    return {
        "batch": batch.id,
        "job": batch.job_id,
        "kind": batch.kind,
        "model": batch.target,
        "state": str(batch.state),
        "vendor": batch.provider,
        "vendor_id": batch.vendor_id,
        "vendor_state": batch.vendor_state,
        "requests": batch.requests,
        "inputs": batch.inputs,
        "succeeded": batch.succeeded,
        "errored": batch.errored,
        "returned": batch.returned,
        "age_seconds": round((batch.ended_at or batch.now) - batch.created_at, 1),
        "expires_in_seconds": _until(batch.expires_at, batch),
        "next_look_in_seconds": _until(batch.due_at, batch),
        "created_at": _stamp(batch.created_at),
        "submitted_at": _stamp(batch.submitted_at),
        "expires_at": _stamp(batch.expires_at),
        "cancelled_at": _stamp(batch.cancelled_at),
        "ended_at": _stamp(batch.ended_at),
        "troubles": batch.troubles,
        "error": batch.error,
    }


def _until(moment: float | None, batch: Batch) -> float | None:
    return None if moment is None or batch.ended_at is not None else round(max(moment - batch.now, 0.0), 1)


def _stamp(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def print_batches(rows: Sequence[Mapping[str, Any]], *, empty: str) -> None:
    """Batches as a table."""
    told = [
        {
            **row,
            "age": format_duration(row["age_seconds"]),
            "expires in": "" if row["expires_in_seconds"] is None else format_duration(row["expires_in_seconds"]),
        }
        for row in rows
    ]
    columns = ("batch", "job", "model", "state", "vendor_state", "requests", "age", "expires in", "vendor_id", "error")
    print_table(told, columns, empty=empty)


def print_batch(row: Mapping[str, Any]) -> None:
    """One batch, a line for each thing known of it."""
    for name, value in row.items():
        if value is not None:
            print_line(f"{name}: {value}")
