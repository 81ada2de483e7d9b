"""Caches: what they hold and what they saved, and what is forgotten."""

from embedmill.console.services.caches import prune_caches, show_caches
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.shared.runtime import Runtime

VERDICT = {"score": 4, "model": "m", "source": "model", "prompt_name": "p", "prompt_hash": "h"}


def test_what_caches_hold_is_shown_by_kind(runtime: Runtime) -> None:
    VerdictCache(runtime.database).put_many({"a" * 32: VERDICT})
    found = show_caches(runtime)
    assert found.kinds["verdict"].entries == 1
    assert (found.kinds["document"].entries, found.bytes, found.damaged) == (0, 0, 0)
    assert found.kinds["query"].keep_days == runtime.settings.cache_keep_seconds["query"] / 86_400
    assert (found.kinds["result"].keep_minutes, found.kinds["grade"].keep_minutes) == (60, 24 * 60)
    assert (found.kinds["document"].keep_minutes, found.kinds["document"].keep_days) == (None, None)
    assert found.home.startswith("file")


def test_what_was_used_just_now_is_not_forgotten(runtime: Runtime) -> None:
    VerdictCache(runtime.database).put_many({"a" * 32: VERDICT})
    assert prune_caches(runtime, unused_seconds=0.0, max_mb=1).evicted == {}
