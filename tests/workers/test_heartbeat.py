"""The heartbeat: it goes on, whatever one beat raises."""

from embedmill.workers.heartbeat import Heartbeat
from tests.logs import captured_logs
from tests.waiting import wait_until


def test_a_beat_that_raises_something_foreign_is_logged_and_followed_by_others() -> None:
    beats: list[int] = []

    def beat() -> None:
        beats.append(len(beats))
        if len(beats) == 1:
            raise AttributeError("odd")

    with captured_logs() as logs, Heartbeat(beat, interval=0.001):
        wait_until(lambda: len(beats) > 2, "it beats again")
    assert [(entry["event"], entry["error_class"]) for entry in logs] == [("heartbeat.failed", "AttributeError")]
