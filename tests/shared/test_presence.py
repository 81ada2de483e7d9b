"""Presence: the kernel says whether a process lives, however it ended."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from embedmill.shared.presence import Presence, is_gone, sweep, thread_name

LIVE = "import sys; from pathlib import Path; from embedmill.shared.presence import Presence\n"
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
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


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


def test_a_folder_of_the_same_path_on_a_host_of_the_same_name_is_another_place(tmp_path: Path) -> None:
    here, moved = tmp_path / "run", tmp_path / "elsewhere"
    with Presence(here) as there:
        here.rename(moved)
        with Presence(here) as other:
            assert is_gone(here, there.id) is None, "as in another container: it lives, and nobody here can see it"
            assert is_gone(here, other.id) is False
        moved.joinpath(f"{there.id}.lock").rename(here / f"{there.id}.lock")
        (moved / "place").replace(here / "place")
        assert is_gone(here, there.id) is False


def test_processes_that_come_to_a_new_folder_together_are_in_one_place(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: Presence(tmp_path / "run"), range(32)))
    assert len({presence.id.rsplit("-", 2)[0] for presence in made}) == 1


def test_two_presences_of_one_process_are_two(tmp_path: Path) -> None:
    with Presence(tmp_path) as one, Presence(tmp_path) as two:
        assert one.id != two.id
        assert sweep(tmp_path) == 2


def test_a_thread_lives_as_long_as_its_process(tmp_path: Path) -> None:
    with Presence(tmp_path) as presence:
        assert is_gone(tmp_path, thread_name(presence.id, 3)) is False
    assert is_gone(tmp_path, thread_name(presence.id, 3)) is True
