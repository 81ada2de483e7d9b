"""When a source is read again: spans, lines of cron in a zone over clock changes, and rest after failures."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from embedmill.shared.errors import UsageError
from embedmill.shared.timetable import LONGEST_REST, MOST_SPREAD_SECONDS, Timetable

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = Timetable(cron="30 2 * * *", zone="Europe/Berlin")


@pytest.mark.parametrize("zone", ["Nowhere/City", "", "../etc", "Europe"])
def test_a_zone_that_there_is_not_is_said(zone: str) -> None:
    for given in ({"every": None, "schedule": "0 2 * * *"}, {"every": "1h", "schedule": None}):
        with pytest.raises(UsageError, match="is no time zone"):
            Timetable.read(**given, zone=zone)


@pytest.mark.parametrize("line", ["0 0 30 2 *", "0 0 31 4,6 *"])
def test_a_date_that_never_comes_is_called_that(line: str) -> None:
    with pytest.raises(UsageError, match="that date never comes"):
        Timetable.read(every=None, schedule=line, zone="UTC")
    with pytest.raises(UsageError, match="Bad"):
        Timetable.read(every=None, schedule="0 0 32 2 *", zone="UTC")


def at(*moment: int, zone: ZoneInfo = BERLIN) -> float:
    return datetime(*moment, tzinfo=zone).timestamp()  # type: ignore[arg-type, misc]


def runs(timetable: Timetable, began: float, count: int) -> list[str]:
    """The next runs, in the time of Berlin."""
    found = []
    for _ in range(count):
        began = timetable.next_after(began, of=1)
        found.append(datetime.fromtimestamp(began, BERLIN).strftime("%d %H:%M %z"))
    return found


def test_what_the_clock_skips_in_spring_is_run_once_afterwards() -> None:
    assert runs(NIGHTLY, at(2026, 3, 28, 3), 2) == ["29 03:00 +0200", "30 02:30 +0200"]


def test_what_the_clock_has_twice_in_autumn_is_run_once() -> None:
    assert runs(NIGHTLY, at(2026, 10, 24, 3), 2) == ["25 02:30 +0200", "26 02:30 +0100"]


def test_a_day_of_the_week_is_that_of_cron() -> None:
    (monday,) = runs(Timetable(cron="0 9 * * 1", zone="Europe/Berlin"), at(2026, 11, 28, 12), 1)
    assert monday == "30 09:00 +0100"


def test_runs_are_counted_from_the_last_begin_and_those_that_were_missed_are_one() -> None:
    every = Timetable(every_seconds=900.0)
    began = at(2026, 5, 3, 9)
    due = every.next_after(began, of=7)
    assert began + 900 <= due <= began + 900 + MOST_SPREAD_SECONDS
    assert due == every.next_after(began, of=7)
    assert len({every.next_after(began, of=source) for source in range(20)}) > 10
    late = at(2026, 5, 9, 17)
    assert every.next_after(late, of=7) > late
    assert NIGHTLY.next_after(late, of=7) == at(2026, 5, 10, 2, 30)


def test_a_source_that_fails_rests_twice_as_long_each_time_up_to_a_day_or_its_timetable() -> None:
    every, began = Timetable(every_seconds=900.0), at(2026, 5, 3, 9)
    rests = [every.next_after(began, of=1, failures=count) - began for count in range(1, 12)]
    assert all(later == pytest.approx(min(2 * sooner, LONGEST_REST)) for sooner, later in pairwise(rests))
    assert rests[-1] == LONGEST_REST
    assert every.next_after(began, of=1, failures=10_000) == began + LONGEST_REST
    weekly = Timetable(cron="0 2 * * 5", zone="UTC")
    assert weekly.next_after(began, of=1, failures=5) == weekly.next_after(began, of=1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("* * * * * *", "6 fields"),
        ("0 2 * *", "4 fields"),
        ("@reboot", "1 fields"),
        ("61 2 * * *", "minute"),
        ("0 0 30 2 *", "never comes"),
    ],
)
def test_a_line_that_means_nothing_or_never_comes_is_refused(line: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Timetable.read(every=None, schedule=line, zone="UTC")


def test_what_people_write_is_read() -> None:
    assert Timetable.read(every=None, schedule="@daily", zone="UTC").cron == "0 0 * * *"
    assert Timetable.read(every="15m", schedule=None, zone="UTC").every_seconds == 900.0
    assert str(Timetable.read(every=None, schedule="0  2 * * *", zone="Europe/Berlin")) == "0 2 * * * (Europe/Berlin)"
    for every, schedule in (("5x", None), ("0s", None), ("15m", "@daily")):
        with pytest.raises(UsageError):
            Timetable.read(every=every, schedule=schedule, zone="UTC")


def test_a_moment_is_told_in_utc() -> None:
    assert (
        Timetable(cron="0 2 * * *", zone="UTC").next_after(0.0, of=1) == datetime(1970, 1, 1, 2, tzinfo=UTC).timestamp()
    )
