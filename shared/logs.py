"""Structured logs on stderr, with ids and counts, never document text: lines on a terminal, JSON objects elsewhere."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from embedmill.shared.harmless import harmless


def configure_logs(level: str) -> None:
    """Print events of `level` and above; foreign libraries are heard from `error` on."""
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            write_line if sys.stderr.isatty() else structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    foreign = logging.StreamHandler(sys.stderr)
    foreign.setFormatter(OneLine("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[foreign], level=logging.ERROR)


def write_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """An event for people: `14:03:12 warning chore.failed chore=rescuer`."""
    time, level, name = (str(event.pop(key)) for key in ("timestamp", "level", "event"))
    fields = "".join(f" {key}={value}" for key, value in sorted(event.items()))
    return harmless(f"{time[11:19]} {level} {name}{fields}")


class OneLine(logging.Formatter):
    """What a foreign library has to say, on one line that no terminal obeys; of a traceback, its error's name."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is the standard library's
        return str(ei[0].__name__)

    def format(self, record: logging.LogRecord) -> str:
        return harmless(super().format(record))
