"""Kills the process, as far as its code can tell, at any transaction of the batch lane."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from embedmill.shared.db.engine import Database
from embedmill.workers.chores.batcher import Batcher
from tests.workers.bulk.line import Line


class Killed(BaseException):
    """The process is gone."""


class Killer:
    """Ends this process, as far as its code can tell, at its n-th transaction: before it, or once it is committed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left: float = float("inf")
        self._after = False
        original = Database.transact

        def transact(database: Database, body: Callable[[Any], Any]) -> Any:
            self._left -= 1
            strikes = self._left == 0
            if strikes and not self._after:
                raise Killed
            result = original(database, body)
            if strikes:
                raise Killed
            return result

        monkeypatch.setattr(Database, "transact", transact)

    @contextmanager
    def striking(self, number: int, *, after: bool) -> Iterator[None]:
        self._left, self._after = number, after
        try:
            yield
        finally:
            self._left = float("inf")


def live_until_killed(line: Line[Any]) -> bool:
    """Let a batch live its life; whether somebody was killed on the way."""
    try:
        for _ in range(4):
            line.round()
            line.vendor.clock.advance(3600)
    except Killed:
        line.batcher = Batcher(line.runtime)
        return True
    return False
