"""When a source is read again: every so often, or by a line of cron in a time zone; and later where it fails."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from embedmill.shared.durations import format_duration, parse_duration
from embedmill.shared.errors import UsageError
from embedmill.shared.zones import zone_name

if TYPE_CHECKING:
    from cronsim import CronSim

LONGEST_REST = timedelta(days=1).total_seconds()
# Of many sources that are read every so often some are read a little later, and not all at once.
SPREAD = 0.05
MOST_SPREAD_SECONDS = 60.0
FIELDS = 5
HINT = 'Write five fields, as "0 2 * * *" for two o\'clock every night, or a name such as @daily.'
_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class Timetable:
    """Either `every_seconds`, counted from one begin to the next, or `cron`, five fields in a zone."""

    every_seconds: float | None = None
    cron: str | None = None
    zone: str = "UTC"

    @classmethod
    def read(cls, *, every: str | None, schedule: str | None, zone: str) -> "Timetable":
        """What somebody wrote; raises UsageError."""
        zone = zone_name(zone)
        if every and schedule:
            raise UsageError("--every and --schedule are two timetables", hint="Give one of them.")
        if schedule:
            return cls(cron=_fields(schedule, zone), zone=zone)
        try:
            seconds = parse_duration(every or "")
        except ValueError as error:
            raise UsageError(f"--every {error}") from None
        if seconds < 1:
            raise UsageError("--every is less than a second")
        return cls(every_seconds=seconds, zone=zone)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Timetable":
        """As the database has it."""
        return cls(kept["every_seconds"], kept["cron"], kept["zone"])

    def __str__(self) -> str:
        """As people read it."""
        if self.cron is not None:
            return f"{self.cron} ({self.zone})"
        return f"every {format_duration(self.every_seconds or 0.0)}"

    def next_after(self, began: float, *, of: int, failures: int = 0) -> float:
        """When a source (by its number) is due after a run that began, both in seconds since 1970.

        The clock change of spring moves what is skipped to the first moment after it, that of autumn runs nothing
        twice. After failures the time doubles, up to a day or what the timetable says if that is longer.
        """
        regular = self._regular(began, of)
        if not failures:
            return regular
        doubled = (regular - began) * 2.0 ** min(failures - 1, 40)
        return max(regular, began + min(doubled, LONGEST_REST))

    def _regular(self, began: float, of: int) -> float:
        if self.cron is not None:
            return _parse(self.cron, datetime.fromtimestamp(began, ZoneInfo(self.zone))).__next__().timestamp()
        every = self.every_seconds or 0.0
        return began + every + _share(of) * min(every * SPREAD, MOST_SPREAD_SECONDS)


def _share(of: int) -> float:
    """A number from 0 to 1 that a source always has."""
    return hashlib.sha256(str(of).encode()).digest()[0] / 255


def _fields(text: str, zone: str) -> str:
    """The five fields of a line of cron; raises UsageError for one that means nothing, or never comes."""
    fields = _NAMED.get(text.strip().lower(), text).split()
    if len(fields) != FIELDS:
        raise UsageError(f"--schedule {text!r} has {len(fields)} fields", hint=HINT)
    line = " ".join(fields)
    from cronsim import CronSimError

    try:
        next(_parse(line, datetime.now(ZoneInfo(zone))))
    except (CronSimError, StopIteration) as error:
        told = "that date never comes" if _has_sound_fields(line) else str(error)
        raise UsageError(f"--schedule {text!r}: {told}", hint=HINT) from None
    return line


def _has_sound_fields(line: str) -> bool:
    """Whether its day and its month are sound each by itself."""
    from cronsim import CronSimError

    minute, hour, day, month, weekday = line.split()
    try:
        for each in (f"{minute} {hour} {day} * {weekday}", f"{minute} {hour} 1 {month} {weekday}"):
            _parse(each, datetime.now(UTC))
    except CronSimError:
        return False
    return True


def _parse(line: str, after: datetime) -> "CronSim":
    from cronsim import CronSim

    return CronSim(line, after)
