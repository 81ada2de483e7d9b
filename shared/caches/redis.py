"""The embedding cache in Redis: for hosts that share one and want vectors neither on a disk nor in their database.

Vectors are as they are sealed. Beside them, a sorted set of each kind knows when each was used last and how large it
is, so that what may go is found without looking at what is there. Times are Redis' own. One server, not a cluster.
"""

import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from embedmill.shared.caches.embeddings import (
    DOCUMENT,
    KINDS,
    LONGEST_SECONDS,
    LOOK_UP,
    CacheEntry,
    EmbeddingCache,
    Size,
    add_up,
    choose,
)
from embedmill.shared.errors import FlowControl, MissingExtra
from embedmill.shared.logs import get_logger
from embedmill.shared.paging import pages

log = get_logger()

T = TypeVar("T")

PREFIX = b"embedmill:cache:"
SOCKET_SECONDS = 5.0
UNREACHABLE_SECONDS = 5.0
"""Work that met no cache waits so long before it asks again."""
PAUSE_SECONDS = 1.0
STORED_AT_ONCE = 128
"""Vectors of one script, so that Redis is not held up: at most 1.5 MB."""
ADDRESS_BYTES = 32

# What all scripts share: names of keys, the time, the noting of a use. A member is an address and its vector's size.
_COMMON = """
local P = ARGV[1]
local function now() local t = redis.call('TIME') return t[1] + t[2] / 1000000 end
local function vector(address) return P .. 'vector:' .. address end
local function hold(address) return P .. 'hold:' .. address end
local function holds(owner) return P .. 'holds:' .. owner end
local function used(kind) return P .. 'used:' .. kind end
local function touch(kinds, kind, member, at)
  for _, other in ipairs(kinds) do
    if redis.call('ZSCORE', used(other), member) then
      redis.call('ZADD', used(other), at, member)
      return other
    end
  end
  redis.call('ZADD', used(kind), at, member)
  redis.call('HINCRBY', P .. 'bytes', kind, (struct.unpack('>I4', string.sub(member, -4))))
  return kind
end
local kinds, ttl = {}, {}
for kind, seconds in string.gmatch(ARGV[2], '(%a+)=(%d+)') do kinds[#kinds + 1] = kind ttl[kind] = tonumber(seconds) end
local function keep(kind, address) if ttl[kind] > 0 then redis.call('EXPIRE', vector(address), ttl[kind]) end end
"""
_PUT = """
local kind, at = ARGV[3], now()
for i = 4, #ARGV, 2 do
  local address, value = ARGV[i], ARGV[i + 1]
  local known = redis.call('STRLEN', vector(address))
  if known == 0 then
    redis.call('SET', vector(address), value)
    known = #value
  end
  keep(touch(kinds, kind, address .. struct.pack('>I4', known), at), address)
  redis.call('DEL', hold(address))
end
"""
_NOTE = """
local kind, at, fresh = ARGV[3], now(), {}
for i = 4, #ARGV do
  local address = ARGV[i]
  if redis.call('SET', vector(address), '', 'NX') then fresh[#fresh + 1] = address end
  keep(touch(kinds, kind, address .. struct.pack('>I4', redis.call('STRLEN', vector(address))), at), address)
end
return fresh
"""
_TOUCH = """
local at = now()
for i = 4, #ARGV do
  local address = string.sub(ARGV[i], 1, -5)
  if redis.call('EXISTS', vector(address)) == 1 then keep(touch(kinds, ARGV[3], ARGV[i], at), address) end
end
"""
_RESERVE = """
local owner, milliseconds, longest, mine = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), {}
for i = 6, #ARGV do
  local address = ARGV[i]
  local holder, left = redis.call('GET', hold(address)), redis.call('PTTL', hold(address))
  local free = not holder or holder == owner or left > longest
  if free and redis.call('EXISTS', vector(address)) == 0 then
    mine[#mine + 1] = address
    if milliseconds > 0 then
      redis.call('SET', hold(address), owner, 'PX', milliseconds)
      redis.call('SADD', holds(owner), address)
    else
      redis.call('DEL', hold(address))
    end
  end
end
if #mine > 0 and milliseconds > 0 then redis.call('PEXPIRE', holds(owner), milliseconds) end
return mine
"""
_RELEASE = """
for _, address in ipairs(redis.call('SMEMBERS', holds(ARGV[3]))) do
  if redis.call('GET', hold(address)) == ARGV[3] then redis.call('DEL', hold(address)) end
end
redis.call('DEL', holds(ARGV[3]))
"""
_OLDEST = """
return redis.call('ZRANGEBYSCORE', used(ARGV[3]), '-inf', now() - ARGV[4], 'WITHSCORES', 'LIMIT', 0, ARGV[5])
"""
# What was used meanwhile stays.
_DROP = """
local before, gone = now() - ARGV[4], {}
for i = 5, #ARGV do
  local member = ARGV[i]
  local score = redis.call('ZSCORE', used(ARGV[3]), member)
  if score and tonumber(score) <= before then
    redis.call('ZREM', used(ARGV[3]), member)
    redis.call('HINCRBY', P .. 'bytes', ARGV[3], 0 - struct.unpack('>I4', string.sub(member, -4)))
    redis.call('UNLINK', vector(string.sub(member, 1, -5)))
    gone[#gone + 1] = member
  end
end
return gone
"""
# All members are looked through, which is seldom: what is damaged may have another length now than its member says.
_FORGET = """
local damaged = {}
for i = 3, #ARGV do
  damaged[ARGV[i]] = true
  redis.call('UNLINK', vector(ARGV[i]))
end
for _, kind in ipairs(kinds) do
  local cursor, gone = '0', {}
  repeat
    local page = redis.call('ZSCAN', used(kind), cursor, 'COUNT', 1000)
    cursor = page[1]
    for j = 1, #page[2], 2 do
      if damaged[string.sub(page[2][j], 1, -5)] then gone[#gone + 1] = page[2][j] end
    end
  until cursor == '0'
  for _, member in ipairs(gone) do
    if redis.call('ZREM', used(kind), member) == 1 then
      redis.call('HINCRBY', P .. 'bytes', kind, 0 - struct.unpack('>I4', string.sub(member, -4)))
    end
  end
end
"""


class RedisCache(EmbeddingCache):
    """Vectors in one Redis. While it is away work waits, and nothing is sent to a provider.

    What a provider answered when Redis went is held on to for `patience_seconds`; then it is lost, and a log says so.
    `keep_seconds` are the times, by kind, after which Redis forgets what nobody uses; 0 means never.
    """

    home = "redis"

    def __init__(self, url: str, *, keep_seconds: Mapping[str, float], patience_seconds: float) -> None:
        try:
            import redis
        except ModuleNotFoundError:
            raise MissingExtra("a cache in Redis needs the extra: pip install 'embedmill[redis]'") from None

        self._errors = redis.RedisError
        self._patience = patience_seconds
        # One word for all scripts, because they have no other memory.
        self._kinds = ",".join(f"{kind}={int(keep_seconds.get(kind, 0))}" for kind in KINDS)
        self._client: Any = redis.Redis.from_url(
            url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
        )
        self._scripts: dict[str, Any] = {}

    def fetch_many(self, addresses: Sequence[bytes]) -> dict[bytes, bytes]:
        return self._asked(lambda: self._get(addresses))

    def store_many(self, stored: Mapping[bytes, bytes], *, kind: str) -> None:
        for page in pages(list(stored.items()), STORED_AT_ONCE):
            self._insist(kind, page)

    def note_many(self, addresses: Sequence[bytes]) -> set[bytes]:
        fresh: set[bytes] = set()
        for page in pages(addresses, LOOK_UP):
            fresh |= set(self._asked(partial(self._run, _NOTE, DOCUMENT, *page)))
        return fresh

    def forget_many(self, addresses: Sequence[bytes]) -> None:
        for page in pages(addresses, LOOK_UP):
            self._asked(partial(self._run, _FORGET, *page))

    def note_damage(self, entries: int) -> None:
        self._asked(lambda: self._client.incrby(PREFIX + b"damaged", entries))

    def wipe(self) -> str:
        """The append-only file is asked to be written anew; a server that keeps none, or forbids it, says so."""
        with suppress(FlowControl):
            self._asked(self._client.bgrewriteaof)
        return "Redis: its append-only file until it is written anew, which was asked for; snapshots; replicas"

    def count_damaged(self) -> int:
        return int(self._asked(lambda: self._client.get(PREFIX + b"damaged")) or 0)

    def reserve(self, addresses: Sequence[bytes], *, owner: str, seconds: float) -> set[bytes]:
        milliseconds = max(0, int(seconds * 1000))
        arguments = (owner, milliseconds, int(LONGEST_SECONDS * 1000))
        mine: set[bytes] = set()
        for page in pages(addresses, LOOK_UP):
            mine |= set(self._asked(partial(self._run, _RESERVE, *arguments, *page)))
        return mine

    def find_holders(self, addresses: Sequence[bytes]) -> set[str]:
        found: set[str] = set()
        for page in pages(addresses, LOOK_UP):
            keys = [PREFIX + b"hold:" + address for address in page]
            found |= {holder.decode() for holder in self._asked(partial(self._client.mget, keys)) if holder}
        return found

    def release(self, owner: str) -> None:
        # A reservation that cannot be given up ends by itself.
        with suppress(FlowControl):
            self._asked(lambda: self._run(_RELEASE, owner))

    def count(self) -> int:
        return sum(size.entries for size in self.measure().values())

    def measure(self) -> dict[str, Size]:
        with_entries = {kind: self._asked(partial(self._measure, kind)) for kind in KINDS}
        return {kind: size for kind, size in with_entries.items() if size.entries}

    def evict(self, *, kinds: Sequence[str], unused_seconds: float, freeing: int | None, limit: int) -> dict[str, Size]:
        gone: list[CacheEntry[bytes]] = []
        chosen = choose(self._asked(lambda: self._oldest(kinds, unused_seconds, limit)), freeing)
        for kind in kinds:
            members = [_member(entry) for entry in chosen if entry.kind == kind]
            for page in pages(members, LOOK_UP):
                dropped = self._asked(partial(self._run, _DROP, kind, unused_seconds, *page))
                gone += [_entry(kind, member) for member in dropped]
        return add_up(gone)

    def require(self) -> None:
        self._asked(self._client.ping)

    def find_risks(self) -> list[str]:
        info = self._asked(self._client.info)
        policy = info.get("maxmemory_policy", "noeviction")
        risks = []
        if info.get("maxmemory") and policy != "noeviction":
            risks.append(f"Redis evicts by itself ({policy}), also what documents need; set noeviction")
        if not info.get("aof_enabled"):
            risks.append("Redis has no append-only file: what it forgets when it restarts is paid for again")
        return risks

    def close(self) -> None:
        self._client.close()

    def _get(self, addresses: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for page in pages(addresses, LOOK_UP):
            values = self._client.mget([PREFIX + b"vector:" + address for address in page])
            known = {a: value for a, value in zip(page, values, strict=True) if value is not None}
            found |= known
            if known:
                self._run(
                    _TOUCH, DOCUMENT, *(_member(CacheEntry(a, DOCUMENT, len(value))) for a, value in known.items())
                )
        return found

    def _measure(self, kind: str) -> Size:
        entries = self._client.zcard(PREFIX + b"used:" + kind.encode())
        return Size(int(entries), int(self._client.hget(PREFIX + b"bytes", kind) or 0))

    def _oldest(self, kinds: Sequence[str], unused_seconds: float, limit: int) -> list[CacheEntry[bytes]]:
        found: list[tuple[float, CacheEntry[bytes]]] = []
        for kind in kinds:
            flat = self._run(_OLDEST, kind, unused_seconds, limit)
            found += [(float(score), _entry(kind, member)) for member, score in zip(flat[::2], flat[1::2], strict=True)]
        return [entry for _, entry in sorted(found, key=lambda pair: pair[0])][:limit]

    def _run(self, script: str, *arguments: Any) -> Any:
        if script not in self._scripts:
            self._scripts[script] = self._client.register_script(_COMMON + script)
        return self._scripts[script](args=[PREFIX, self._kinds, *arguments])

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except self._errors as error:
            raise self._away(error) from None

    def _insist(self, kind: str, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Store what was paid for, however often it takes."""
        deadline, pause = time.monotonic() + self._patience, 0.05
        while True:
            try:
                self._run(_PUT, kind, *(part for row in rows for part in row))
            except self._errors as error:
                if time.monotonic() > deadline:
                    log.error("cache.not_stored", vectors=len(rows), error=type(error).__name__)
                    raise self._away(error) from None
            else:
                return
            time.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS)

    def _away(self, error: Exception) -> FlowControl:
        return FlowControl(
            f"the embedding cache's Redis does not answer: {type(error).__name__}",
            reason="circuit",
            retry_after_seconds=UNREACHABLE_SECONDS,
        )


def _member(entry: CacheEntry[bytes]) -> bytes:
    return entry.address + struct.pack(">I", entry.bytes)


def _entry(kind: str, member: bytes) -> CacheEntry[bytes]:
    return CacheEntry(member[:ADDRESS_BYTES], kind, struct.unpack(">I", member[ADDRESS_BYTES:])[0])
