"""Shared state in Redis: compare and set in one small script, so that whoever was late tries again."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from embedmill.shared.errors import FlowControl, MissingExtra
from embedmill.shared.flow.state import Change, FlowState, T, Value

# Nobody asks for a key that long: a circuit rests for minutes, or for the day that a provider may ask for.
FORGOTTEN_SECONDS = 2 * 86_400
UNREACHABLE_SECONDS = 5.0
CONNECT_SECONDS = 5.0
PREFIX = "embedmill:flow:"

_COMPARE_AND_SET = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


class RedisState(FlowState):
    """Values in one Redis; when it cannot be reached, work waits a moment instead of passing unlimited."""

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ModuleNotFoundError:
            raise MissingExtra("limits in Redis need the extra: pip install 'embedmill[redis]'") from None

        self._errors = redis.RedisError
        self._client = redis.Redis.from_url(
            url, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS, decode_responses=True
        )
        self._compare_and_set = self._client.register_script(_COMPARE_AND_SET)

    def update(self, key: str, change: Change[T]) -> T:
        with self._translated():
            while True:
                applied, result = self._try(PREFIX + key, change)
                if applied:
                    return result
                # Others were quicker; apart, so that a crowd does not try in step.
                time.sleep(random.uniform(0, 0.005))  # noqa: S311 - not a secret

    def peek(self, key: str) -> tuple[Value, float]:
        with self._translated():
            stored, now = self._read(PREFIX + key)
        return json.loads(stored) if stored else {}, now

    def peek_all(self, prefix: str) -> tuple[dict[str, Value], float]:
        with self._translated():
            keys = list(self._client.scan_iter(match=f"{PREFIX}{prefix}*"))
            stored = self._client.mget(keys) if keys else []
            seconds, micros = self._client.time()
        found = {key.removeprefix(PREFIX): json.loads(value) for key, value in zip(keys, stored, strict=True) if value}
        return found, seconds + micros / 1e6

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise FlowControl(
                f"the limits' Redis cannot be reached: {type(error).__name__}",
                reason="rate",
                retry_after_seconds=UNREACHABLE_SECONDS,
            ) from None

    def _read(self, key: str) -> tuple[str | None, float]:
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.get(key)
            pipeline.time()
            stored, (seconds, micros) = pipeline.execute()
        return stored, seconds + micros / 1e6

    def _try(self, key: str, change: Change[T]) -> tuple[bool, T]:
        stored, now = self._read(key)
        value, result = change(json.loads(stored) if stored else {}, now)
        if value is None:
            return True, result
        done = self._compare_and_set(keys=[key], args=[stored or "", json.dumps(value), FORGOTTEN_SECONDS])
        return bool(done), result

    def close(self) -> None:
        self._client.close()
