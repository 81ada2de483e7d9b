"""How far a shard was written: the line beside it is one writer's, whoever writes at the same moment."""

import threading
from pathlib import Path

from embedmill.shared.providers.vectorstores.embedded import high_water

LINES = ("1d 100", "1d 99")


def test_the_line_of_two_writers_is_one_of_theirs(tmp_path: Path) -> None:
    shard = tmp_path / "s.db"
    written = high_water.folder_of(shard) / high_water.NAME
    high_water._write(shard, LINES[0])

    def write(line: str) -> None:
        for _ in range(300):
            high_water._write(shard, line)

    writers = [threading.Thread(target=write, args=(line,)) for line in LINES]
    for writer in writers:
        writer.start()
    met = set()
    while any(writer.is_alive() for writer in writers):
        met.add(written.read_text().strip())
    assert met <= set(LINES)


def test_a_shorter_line_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    shard = tmp_path / "s.db"
    high_water._write(shard, LINES[0])
    high_water.disown(shard)
    assert (high_water.folder_of(shard) / high_water.NAME).read_text().split() == [high_water.NOBODY, "0"]
