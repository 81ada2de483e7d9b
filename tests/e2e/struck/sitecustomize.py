"""Loaded by every interpreter whose PYTHONPATH has this folder: kills everything at a named point, once.

STRIKE_AT names the point, STRIKE_NUMBER says at which time that a worker comes by it, and STRIKE_MARK is a file that is
made when it has struck. REQUEST_INPUTS makes the requests of OpenAI's embedders small, so that there are many.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from altering import in_workers


class Point:
    """Counts who comes by; the last of them takes the whole process group with it, as a power cut would."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = int(os.environ["STRIKE_NUMBER"])

    def pass_by(self) -> None:
        mark = Path(os.environ["STRIKE_MARK"])
        if os.environ["STRIKE_AT"] != self._name or mark.exists():
            return
        self._left -= 1
        if not self._left:
            mark.touch()
            os.killpg(0, signal.SIGKILL)


def strike_around(owner: Any, method: str, *, before: str = "", after: str = "") -> None:
    original: Callable[..., Any] = getattr(owner, method)
    first, second = Point(before), Point(after)

    def struck(*arguments: Any, **options: Any) -> Any:
        first.pass_by()
        result = original(*arguments, **options)
        second.pass_by()
        return result

    setattr(owner, method, struck)


def lay_points() -> None:
    import embedmill.shared.caches.file
    import embedmill.shared.db.verdict_cache
    import embedmill.shared.providers.embeddings.openai
    import embedmill.shared.spend.call

    strike_around(embedmill.shared.caches.file.FileCache, "put_many", before="vectors arrived", after="vectors stored")
    strike_around(embedmill.shared.spend.call.PaidCall, "settle", after="vectors settled")
    strike_around(
        embedmill.shared.db.verdict_cache.VerdictCache, "put_many", before="verdicts arrived", after="verdicts stored"
    )
    strike_around(embedmill.shared.spend.call.PaidCall, "settle", after="verdicts settled")
    if os.environ.get("REQUEST_INPUTS"):
        embedmill.shared.providers.embeddings.openai.OpenAIEmbedder.max_inputs = int(os.environ["REQUEST_INPUTS"])


if os.environ.get("STRIKE_AT"):
    in_workers(lay_points)
