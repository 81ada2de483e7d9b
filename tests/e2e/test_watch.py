"""A folder that is watched by the real command, and goes on being read by workers."""

import signal
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from tests.command import Command
from tests.corpus import text_of
from tests.waiting import wait_until


def test_what_comes_into_a_watched_folder_is_found_and_workers_go_on_with_it(cli: Command, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "1.txt").write_text(text_of(1))

    def count(what: str) -> int:
        if not (cli.home / "tracking.db").exists():
            return 0
        with closing(sqlite3.connect(cli.home / "tracking.db")) as connection, suppress(sqlite3.OperationalError):
            return int(connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0])
        return 0

    indexed, ended = "document WHERE active_version IS NOT NULL", "schedule WHERE ended_at IS NOT NULL"
    watching = cli.start("watch", folder, "--every", "1s", "--json")
    wait_until(lambda: count(ended) == 1 and count("job WHERE state = 'completed'") > 0, "the first job has ended")
    watching.send_signal(signal.SIGTERM)
    out, _ = watching.communicate(timeout=60)
    assert watching.wait(60) == 0
    assert '"state": "completed"' in out
    (folder / "2.txt").write_text(text_of(2))
    workers = cli.start("workers", "start")
    wait_until(lambda: count(indexed) == 2, "the second document is indexed")
    workers.send_signal(signal.SIGTERM)
    assert workers.wait(60) == 0
    assert cli.json("sources", "show", folder)["schedule"]["failures"] == 0
