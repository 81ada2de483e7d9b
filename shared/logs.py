"""Structured logs, with ids and counts, never document text.

A program that imports this package hears what its `logging` is set up for under the name `embedmill`, and nothing
where it is not. Our own commands and workers write to stderr instead: lines on a terminal, JSON objects elsewhere.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, NoReturn

import structlog

from embedmill.shared.harmless import harmless

NAME = "embedmill"


def get_logger() -> Any:
    """A logger of ours: how others set structlog up is not our business, nor ours theirs."""
    return structlog.wrap_logger(
        logging.getLogger(NAME), processors=PROCESSORS, wrapper_class=structlog.make_filtering_bound_logger(0)
    )


def _hand_over(logger: logging.Logger, method: str, event: MutableMapping[str, Any]) -> NoReturn:
    """Give an event to a program that has set `logging` up; without that, logging would write warnings by itself."""
    level = logging.getLevelNamesMapping()[method.upper()]
    if logger.hasHandlers() and logger.isEnabledFor(level):
        name = event.pop("event")
        logger.log(level, "%s%s", name, _fields(event), extra={"embedmill": dict(event)})
    raise structlog.DropEvent


PROCESSORS: list[Any] = [_hand_over]
"""What becomes of an event, for all loggers of this process."""


def configure_logs(level: str) -> None:
    """Write events of `level` and above to stderr; foreign libraries are heard from `error` on."""
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.WARNING)

    def skip_below(_logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if logging.getLevelNamesMapping()[method.upper()] < threshold:
            raise structlog.DropEvent
        return event

    PROCESSORS[:] = [
        skip_below,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        write_line if sys.stderr.isatty() else structlog.processors.JSONRenderer(sort_keys=True),
        _write,
    ]
    foreign = logging.StreamHandler(sys.stderr)
    foreign.setFormatter(OneLine("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[foreign], level=logging.ERROR)


def _write(_logger: object, _method: str, line: str) -> NoReturn:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
    raise structlog.DropEvent


def write_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """An event for people: `14:03:12 warning chore.failed chore=rescuer`."""
    time, level, name = (str(event.pop(key)) for key in ("timestamp", "level", "event"))
    return harmless(f"{time[11:19]} {level} {name}{_fields(event)}")


def _fields(event: MutableMapping[str, Any]) -> str:
    return "".join(f" {key}={value}" for key, value in sorted(event.items()))


class OneLine(logging.Formatter):
    """What a foreign library has to say, on one line that no terminal obeys; of a traceback, its error's name."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is the standard library's
        return str(ei[0].__name__)

    def format(self, record: logging.LogRecord) -> str:
        return harmless(super().format(record))
