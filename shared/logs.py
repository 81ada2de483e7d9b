"""Structured logs, with ids and counts, never document text.

A program that imports this package hears what its `logging` is set up for under the name `embedmill`, and nothing
where it is not. Our own commands and workers write to stderr instead: lines on a terminal, JSON objects elsewhere.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, NoReturn

from embedmill.shared.harmless import harmless

NAME = "embedmill"


class Logger:
    """Tells events to the processors of this process; structlog is loaded for the first that is wanted."""

    def info(self, event: str, **fields: Any) -> None:
        """That something usual happened."""
        _tell("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """That something is not as it should be."""
        _tell("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """That something was not done."""
        _tell("error", event, fields)


def get_logger() -> Logger:
    """A logger of ours: how others set structlog up is not our business, nor ours theirs."""
    return Logger()


def _tell(method: str, event: str, fields: MutableMapping[str, Any]) -> None:
    is_wanted = getattr(PROCESSORS[0], "is_wanted", None)
    if is_wanted is not None and not is_wanted(method):
        return
    import structlog

    bound = structlog.wrap_logger(
        logging.getLogger(NAME), processors=PROCESSORS, wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    getattr(bound, method)(event, **fields)


class HandOver:
    """Gives events to a program that has set `logging` up; without that, logging would write warnings by itself."""

    def is_wanted(self, method: str) -> bool:
        """Whether the program hears events of that level."""
        logger = logging.getLogger(NAME)
        return logger.hasHandlers() and logger.isEnabledFor(_level(method))

    def __call__(self, logger: logging.Logger, method: str, event: MutableMapping[str, Any]) -> NoReturn:
        name = event.pop("event")
        logger.log(_level(method), "%s%s", name, _fields(event), extra={"embedmill": dict(event)})
        _drop()


class WriteOut:
    """Writes events of a level and above to stderr."""

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold

    def is_wanted(self, method: str) -> bool:
        """Whether events of that level are written."""
        return _level(method) >= self._threshold

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any]) -> NoReturn:
        from structlog import processors

        processors.add_log_level(logger, method, event)
        processors.TimeStamper(fmt="iso", utc=True)(logger, method, event)
        write = write_line if sys.stderr.isatty() else processors.JSONRenderer(sort_keys=True)
        sys.stderr.write(f"{write(logger, method, event)!s}\n")
        sys.stderr.flush()
        _drop()


PROCESSORS: list[Any] = [HandOver()]
"""What becomes of an event, for all loggers of this process."""


def configure_logs(level: str) -> None:
    """Write events of `level` and above to stderr; foreign libraries are heard from `error` on."""
    PROCESSORS[:] = [WriteOut(logging.getLevelNamesMapping().get(level.upper(), logging.WARNING))]
    foreign = logging.StreamHandler(sys.stderr)
    foreign.setFormatter(OneLine("%(levelname)s %(name)s %(message)s") if sys.stderr.isatty() else AsEvent())
    logging.basicConfig(handlers=[foreign], level=logging.ERROR)


def _level(method: str) -> int:
    return logging.getLevelNamesMapping()[method.upper()]


def _drop() -> NoReturn:
    from structlog import DropEvent

    raise DropEvent


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


class AsEvent(OneLine):
    """The same as an event of ours, where a program reads them."""

    def format(self, record: logging.LogRecord) -> str:
        from structlog import processors

        level = record.levelname.lower()
        event: dict[str, Any] = {"event": "library.failed", "library": record.name, "error": super().format(record)}
        processors.add_log_level(None, level, event)
        processors.TimeStamper(fmt="iso", utc=True)(None, level, event)
        return str(processors.JSONRenderer(sort_keys=True)(None, level, event))
