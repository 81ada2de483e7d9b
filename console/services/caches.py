"""What caches hold, what they saved, and what they may forget."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from embedmill.console.services.reach import installation
from embedmill.console.services.serving import Trace, serves
from embedmill.shared.access.principals import Right
from embedmill.shared.caches.embeddings import KINDS, Size
from embedmill.shared.db import kept_answers, retention, spending
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.kept_answers import KEPT_KINDS, RESULT
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.shared.db.verdicts import VERDICT
from embedmill.shared.runtime import Runtime
from embedmill.workers.chores import pruner
from embedmill.workers.chores.pruner import MEBIBYTE

MICRO = 1_000_000
MINUTE, DAY = 60, 86_400
PRUNE_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class CachedKind:
    """What is held of one kind of entry, for how long, what it answered, and what was forgotten of it."""

    entries: int
    bytes: int
    keep_days: float | None
    keep_minutes: float | None
    hits: int
    misses: int
    saved_tokens: int
    saved_usd: float
    evicted: Size


@dataclass(frozen=True, slots=True)
class CacheReport:
    """What the caches hold; `bytes` are those of vectors, no limit is None."""

    home: str
    bytes: int
    max_bytes: int | None
    damaged: int
    verdicts_damaged: int
    verdict_max_bytes: int | None
    kinds: Mapping[str, CachedKind]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten, by kind."""

    evicted: Mapping[str, Size]


@serves("cache.show", Right.OPERATE, installation, trace=Trace.NOTHING)
def show_caches(runtime: Runtime) -> CacheReport:
    """Entries, hits, misses, and the tokens and dollars that were not paid again."""
    verdicts = VerdictCache(runtime.database)
    with closing(runtime.open_cache()) as cache:
        sizes = {**cache.measure(), **verdicts.measure()}
        verdicts_damaged = verdicts.count_damaged()
        damaged, home = cache.count_damaged() + verdicts_damaged, cache.home
    settings = runtime.settings
    return CacheReport(
        home=home,
        bytes=sum(sizes[kind].bytes for kind in KINDS if kind in sizes),
        max_bytes=settings.cache_max_mb * MEBIBYTE or None,
        damaged=damaged,
        verdicts_damaged=verdicts_damaged,
        verdict_max_bytes=settings.cache_verdict_max_mb * MEBIBYTE or None,
        kinds=_describe_kinds(runtime, sizes),
    )


@serves("cache.prune", Right.MANAGE, installation, told=("max_mb",))
def prune_caches(runtime: Runtime, *, unused_seconds: float | None = None, max_mb: int | None = None) -> Forgotten:
    """Forget now what the settings let go, or what was not used for so long, or what is beyond so much room."""
    policy = pruner.PrunePolicy.from_settings(runtime.settings).tightened(
        keep_seconds=unused_seconds, vector_bytes=None if max_mb is None else max_mb * MEBIBYTE
    )
    gone = pruner.prune(runtime, policy, seconds=PRUNE_SECONDS)
    return Forgotten(dict(sorted(gone.items())))


@serves("cache.clear", Right.MANAGE, installation)
def clear_answers(runtime: Runtime) -> Forgotten:
    """Forget what models answered about queries, all of it; vectors and verdicts on documents stay."""

    def forget(connection: Connection) -> dict[str, Size]:
        return kept_answers.forget_all(connection, limit=pruner.ENTRIES_AT_ONCE)

    gone: dict[str, Size] = {}
    for some in pruner.forget_while(runtime, forget, time.monotonic() + PRUNE_SECONDS):
        gone |= {kind: gone.get(kind, Size()) + size for kind, size in some.items()}
    return Forgotten(dict(sorted(gone.items())))


def _describe_kinds(runtime: Runtime, sizes: Mapping[str, Size]) -> dict[str, CachedKind]:
    def find(connection: Connection) -> tuple[dict[str, dict[str, int]], dict[str, Size], dict[str, Size]]:
        kept = kept_answers.measure_kept(connection)
        return spending.measure_caches(connection), retention.list_evictions(connection), kept

    answers, evicted, kept = runtime.database.query(find)
    # A result is made of many calls: those that were made are those that were kept.
    made = (kept.get(RESULT, Size()) + evicted.get(RESULT, Size())).entries
    answers[RESULT] = {**answers.get(RESULT, {}), "misses": made}
    keep_seconds = runtime.settings.cache_keep_seconds | runtime.settings.answer_keep_seconds
    return {
        kind: _describe(
            (kept if kind in KEPT_KINDS else sizes).get(kind, Size()),
            answers.get(kind, {}),
            keep_seconds=keep_seconds.get(kind, 0.0),
            evicted=evicted.get(kind, Size()),
        )
        for kind in (*KINDS, VERDICT, *KEPT_KINDS)
    }


def _describe(held: Size, answers: Mapping[str, int], *, keep_seconds: float, evicted: Size) -> CachedKind:
    return CachedKind(
        entries=held.entries,
        bytes=held.bytes,
        keep_days=keep_seconds / DAY or None,
        keep_minutes=keep_seconds / MINUTE or None,
        hits=answers.get("hits", 0),
        misses=answers.get("misses", 0),
        saved_tokens=answers.get("saved_tokens", 0),
        saved_usd=answers.get("saved_microusd", 0) / MICRO,
        evicted=evicted,
    )
