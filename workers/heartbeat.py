"""Keeps a lease alive while its work runs, from a thread, so that long stages need no thought of it."""

import threading
from collections.abc import Callable
from types import TracebackType

from embedmill.shared.logs import get_logger

log = get_logger()


class Heartbeat:
    """Calls `beat` every `interval` seconds until the block ends; a failing beat is logged and tried again."""

    def __init__(self, beat: Callable[[], object], *, interval: float) -> None:
        self._beat = beat
        self._interval = interval
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._interval):
            try:
                self._beat()
            # Whatever it was: a lease that nobody renews any more is work done twice.
            except Exception as error:  # noqa: BLE001
                log.warning("heartbeat.failed", error_class=type(error).__name__, error=str(error))
