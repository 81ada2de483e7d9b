"""Presence: the kernel says whether a process lives, however it ended."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.presence import Presence, is_gone, sweep, thread_name

LIVE = "import sys; from pathlib import Path; from shared.presence import Presence\n"
LIVE += "with Presence(Path(sys.argv[1])) as p: print(p.id, flush=True); sys.stdin.read()"


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None], ids=["killed", "terminated", "ended"])
def test_a_process_is_gone_however_it_ended(tmp_path: Path, end: int | None) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LIVE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin and process.stdout
    name = process.stdout.readline().strip()
    assert is_gone(tmp_path, name) is False
    assert sweep(tmp_path) == 1
    if end is not None:
        process.send_signal(end)
    process.stdin.close()
    process.wait(timeout=30)
    process.stdout.close()
    assert is_gone(tmp_path, name) is True
    assert sweep(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_process_is_not_gone(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LIVE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin and process.stdout
    name = process.stdout.readline().strip()
    process.send_signal(signal.SIGSTOP)
    assert is_gone(tmp_path, name) is False
    process.kill()
    process.wait(timeout=30)
    process.stdin.close()
    process.stdout.close()


def test_nothing_is_known_about_another_host(tmp_path: Path) -> None:
    assert is_gone(tmp_path, "elsewhere-1-abcdef") is None


def test_two_presences_of_one_process_are_two(tmp_path: Path) -> None:
    with Presence(tmp_path) as one, Presence(tmp_path) as two:
        assert one.id != two.id
        assert sweep(tmp_path) == 2


def test_a_thread_lives_as_long_as_its_process(tmp_path: Path) -> None:
    with Presence(tmp_path) as presence:
        assert is_gone(tmp_path, thread_name(presence.id, 3)) is False
    assert is_gone(tmp_path, thread_name(presence.id, 3)) is True
