"""`embedmill cache`: what caches hold, what they saved, and what they may forget."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from embedmill.console.cli.output import print_line, print_table
from embedmill.console.cli.session import interruptible, opened
from embedmill.console.dollars import format_usd
from embedmill.shared.caches.embeddings import KINDS, Size
from embedmill.shared.caches.verdicts import VerdictCache
from embedmill.shared.db import ledger, retention
from embedmill.shared.db.verdicts import VERDICT
from embedmill.workers.chores.pruner import MEBIBYTE, Policy
from embedmill.workers.chores.pruner import prune as run

MICRO = 1_000_000
DAY = 86_400
PRUNE_SECONDS = 24 * 3600.0


def show() -> dict[str, Any]:
    """`{"home", "bytes", "max_bytes", "kinds": {kind: {"entries", "bytes", "keep_days", "hits", "misses", …}}}`."""
    with opened() as runtime, closing(runtime.open_cache()) as cache:
        sizes = {**cache.measure(), **VerdictCache(runtime.database).measure()}
        verdicts_damaged = VerdictCache(runtime.database).count_damaged()
        damaged = cache.count_damaged() + verdicts_damaged
        counts = runtime.database.query(ledger.measure_caches)
        evicted = runtime.database.query(retention.list_evictions)
        settings, home = runtime.settings, cache.home
    keep = settings.cache_keep_seconds
    return {
        "home": home,
        "bytes": sum(sizes[kind].bytes for kind in KINDS if kind in sizes),
        "max_bytes": settings.cache_max_mb * MEBIBYTE or None,
        "damaged": damaged,
        "verdicts_damaged": verdicts_damaged,
        "verdict_max_bytes": settings.cache_verdict_max_mb * MEBIBYTE or None,
        "kinds": {
            kind: {
                **_size(sizes.get(kind, Size())),
                "keep_days": keep[kind] / DAY or None,
                **_counts(counts.get(kind, {})),
                "evicted": _size(evicted.get(kind, Size())),
            }
            for kind in (*KINDS, VERDICT)
        },
    }


def prune(*, unused_seconds: float | None, max_mb: int | None) -> dict[str, Any]:
    """Forget now what may be forgotten; returns what went, by kind."""
    with opened() as runtime, interruptible():
        policy = Policy.from_settings(runtime.settings).tightened(
            keep_seconds=unused_seconds, vector_bytes=None if max_mb is None else max_mb * MEBIBYTE
        )
        gone = run(runtime, policy, seconds=PRUNE_SECONDS)
    return {"evicted": {kind: _size(size) for kind, size in sorted(gone.items())}}


def _size(size: Size) -> dict[str, int]:
    return {"entries": size.entries, "bytes": size.bytes}


def _counts(counts: Mapping[str, int]) -> dict[str, Any]:
    return {
        "hits": counts.get("hits", 0),
        "misses": counts.get("misses", 0),
        "saved_tokens": counts.get("saved_tokens", 0),
        "saved_usd": counts.get("saved_microusd", 0) / MICRO,
    }


def print_show(report: Mapping[str, Any]) -> None:
    """The caches for people."""
    limit = f" of {report['max_bytes'] // MEBIBYTE} MiB" if report["max_bytes"] else ""
    print_line(f"vectors are in: {report['home']}, {report['bytes'] / MEBIBYTE:.1f} MiB{limit}")
    rows = [
        {
            "kind": kind,
            **row,
            "mib": row["bytes"] / MEBIBYTE,
            "saved_usd": format_usd(row["saved_usd"], sign=""),
            "evicted": row["evicted"]["entries"],
        }
        for kind, row in report["kinds"].items()
    ]
    columns = ("kind", "entries", "mib", "keep_days", "hits", "misses", "saved_tokens", "saved_usd", "evicted")
    print_table(rows, columns, empty="")
    if report["damaged"]:
        print_line(
            f"{report['damaged']} entries were damaged: they were dropped, and are made anew when they are needed"
        )


def print_pruned(report: Mapping[str, Any]) -> None:
    """What went, for people."""
    for kind, size in report["evicted"].items():
        print_line(f"{kind}: {size['entries']} entries forgotten, {size['bytes'] / MEBIBYTE:.1f} MiB")
    if not report["evicted"]:
        print_line("nothing to forget")
