"""What is known of keys that providers do not accept: a refusal holds back all calls with it, but for a probe a minute.

All processes share it, by provider and hash of the key, so that a worker with another key is not held back. Where a
key cannot be told from another (there is none, or it is a role of AWS), each process keeps it for itself.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from embedmill.shared.db import flow
from embedmill.shared.db.engine import Database
from embedmill.shared.errors import KEY_SECONDS, FlowControl, KeyRefused
from embedmill.shared.flow import circuit
from embedmill.shared.flow.circuit import Value
from embedmill.shared.flow.state import Change, FlowState, LocalState, T
from embedmill.shared.logs import get_logger

log = get_logger()

KEYS = "keys"
POLICY = circuit.CircuitPolicy(failures=1, first_rest_seconds=KEY_SECONDS, longest_rest_seconds=KEY_SECONDS)
CLEAR_SECONDS = 0.5
"""A key that was just not among the refused ones is used without asking again."""
PROBING_SECONDS = 2.0
"""So long the others wait while one tries a key again."""
FORGOTTEN_SECONDS = 86_400.0
"""A key that nobody has tried for so long was replaced."""


class RefusedKeys:
    """The refused keys, as one process sees them; safe between threads."""

    def __init__(self, database: Database, open_state: Callable[[], FlowState]) -> None:
        self._database = database
        self._open_state = open_state
        self._own = LocalState()
        self._seen: Value = {}
        self._seen_until = 0.0

    def use(self, provider: str, key: str, *, operation: str) -> "KeyUse":
        """One use of a key; `key` is its hash, `operation` tells the uses apart of those that have none."""
        return KeyUse(self, f"{provider}:{key or operation}", is_shared=bool(key))

    @contextmanager
    def using(self, provider: str, key: str, *, operation: str) -> Iterator[None]:
        """A use of a key as a block, which raises KeyRefused when the provider does not accept it."""
        use = self.use(provider, key, operation=operation)
        use.ask()
        try:
            yield
        except KeyRefused as error:
            use.refused(error)
            raise
        except BaseException:
            use.give_back()
            raise
        use.accepted()

    def try_anew(self) -> int:
        """Let every key be tried at once and wake what waits for one; returns how much.

        For whoever starts: that may be because a key was corrected.
        """
        self.end_rests()
        return self._database.transact(flow.wake_keys)

    def end_rests(self) -> None:
        """Let every key be tried at once, by whoever comes first; what waits for one is woken when it is accepted."""
        with suppress(FlowControl):  # the others cannot be told at this time, and nobody passes without them
            if self._open_state().peek(KEYS)[0]:
                self._open_state().update(KEYS, _end_rests)

    def look(self, name: str, *, is_shared: bool) -> tuple[Value, float]:
        """What is known of a key ({} for nothing bad), and the time by the clock that goes with it."""
        if not is_shared:
            own, now = self._own.peek(KEYS)
            return own.get(name, {}), now
        if name in self._seen or time.monotonic() >= self._seen_until:
            self._seen, now = self._open_state().peek(KEYS)
            self._seen_until = time.monotonic() + CLEAR_SECONDS
            return self._seen.get(name, {}), now
        return {}, 0.0

    def change(self, name: str, change: Change[T], *, is_shared: bool) -> T:
        """Change what is known of a key."""
        state = self._open_state() if is_shared else self._own
        result = state.update(KEYS, lambda value, now: _change_one(value, now, name, change))
        self._seen_until = 0.0
        return result

    def wake(self) -> int:
        """Wake what waits for a key; returns how much."""
        return self._database.transact(flow.wake_keys)


class KeyUse:
    """One use of a key, between the question whether it may be used and what came of it."""

    def __init__(self, keys: RefusedKeys, name: str, *, is_shared: bool) -> None:
        self._keys = keys
        self._name = name
        self._provider = name.partition(":")[0]
        self._is_shared = is_shared
        self._is_probe = False

    def ask(self) -> None:
        """Raise KeyRefused while the key is known not to be accepted; one use a minute passes, as a probe.

        Raises FlowControl while another's probe is under way.
        """
        if self.require() == "closed":
            return
        if self._keys.change(self._name, circuit.ask, is_shared=self._is_shared) > 0:
            # Somebody tries it at this moment: that does not say that it is refused.
            message = f"{self._provider}: a key that was refused is tried again"
            raise FlowControl(message, reason="circuit", retry_after_seconds=PROBING_SECONDS)
        self._is_probe = True

    def require(self) -> str:
        """Raise KeyRefused while the key rests; otherwise the state of its circuit, without sending the probe."""
        value, now = self._keys.look(self._name, is_shared=self._is_shared)
        state = circuit.state_of(value, now)
        if state == "open":
            raise KeyRefused(value["told"], retry_after_seconds=min(value["open_until"] - now, KEY_SECONDS))
        return state

    def refused(self, error: KeyRefused) -> None:
        """The provider did not accept the key."""
        self._is_probe = False

        def refuse(value: Value, now: float) -> tuple[Value | None, bool]:
            if circuit.state_of(value, now) == "open":
                return None, False
            changed, _ = circuit.fail(value, now, POLICY)
            return {**changed, "told": str(error)}, not value

        if self._keys.change(self._name, refuse, is_shared=self._is_shared):
            log.warning("key.refused", provider=self._provider, error=str(error))

    def accepted(self) -> None:
        """The provider accepted the key, whatever else it answered."""
        if not self._is_probe:
            return
        self._is_probe = False
        if self._keys.change(self._name, circuit.succeed, is_shared=self._is_shared):
            log.info("key.accepted", provider=self._provider, woken=self._keys.wake())

    def give_back(self) -> None:
        """Nothing was learned of the key: if this was the probe, another may be."""
        if self._is_probe:
            self._is_probe = False
            with suppress(FlowControl):
                self._keys.change(self._name, circuit.give_back, is_shared=self._is_shared)


def _change_one(value: Value, now: float, name: str, change: Change[T]) -> tuple[Value | None, T]:
    """Change one key among all; one that is accepted leaves no trace."""
    changed, result = change(value.get(name, {}), now)
    if changed is None:
        return None, result
    kept = {n: v for n, v in value.items() if n != name and now - v["open_until"] < FORGOTTEN_SECONDS}
    return (kept | {name: changed} if changed else kept), result


def _end_rests(value: Value, now: float) -> tuple[Value, Any]:
    ended = {"open_until": now, "probe_until": 0.0}
    return {name: {**known, **ended} for name, known in value.items()}, None
