"""Owns which cutter's index answers: today's once all shards have it, and until then the one that all of them had.

Words that two cutters cut are never scored together: a change of the cutter makes an index beside the one of before,
shard by shard and slice by slice, by chores, writers and searches; all shards switch when the last of them is ready.
"""

from collections.abc import Callable, Mapping
from functools import partial

from embedmill.shared.providers.vectorstores.embedded.portions import Pass
from embedmill.shared.providers.vectorstores.embedded.shard import Shard

Shards = Mapping[str, Shard]


def former_cutter(shards: Shards, under_way: Pass) -> int | None:
    """The cutter whose index all shards have, while not all have that of today's; a share of the time goes into that.

    None is for today's: all shards have it, or there is no other that would answer for all of them.
    """
    lagging = _those(shards, Shard.lags, under_way)
    former = _find_common(shards, under_way) if lagging else None
    if former is None:
        return None
    in_time = under_way.for_a_share()
    for shard in lagging.values():
        shard.catch_up(in_time)
    if _those(lagging, Shard.lags, under_way):
        return former
    for shard in shards.values():
        shard.cut_anew(in_time)
    return None


def _find_common(shards: Shards, under_way: Pass) -> int | None:
    known: set[int] = set()

    def learn(shard: Shard) -> bool:
        known.update(shard.former_cutters())
        return True

    _those(shards, learn, under_way)
    for cutter in sorted(known, reverse=True):
        standing = _those(shards, partial(Shard.stands_by, cutter=cutter), under_way)
        if standing.keys() | under_way.failed.keys() >= shards.keys():
            return cutter
    return None


def _those(shards: Shards, tell: Callable[[Shard], bool], under_way: Pass) -> Shards:
    """The shards of which something is true; one that fails is none of them, and is noted."""
    found: dict[str, Shard] = {}

    def ask(name: str) -> None:
        if tell(shards[name]):
            found[name] = shards[name]

    for name in shards:
        under_way.ask(name, partial(ask, name))
    return found
