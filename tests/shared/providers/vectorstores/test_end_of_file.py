import sqlite3
import sys
from pathlib import Path

import pytest

from embedmill.shared.providers.vectorstores.embedded.end_of_file import FEWEST, MOST_BYTES, SPARE, read_ahead

ROWS = 100 * FEWEST


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is asked for")
def test_the_end_of_the_file_that_sqlite_has_open_is_asked_for(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "rows.db", isolation_level=None)
    connection.executescript("CREATE TABLE rows (text); INSERT INTO rows VALUES (zeroblob(1000000))")
    size = (tmp_path / "rows.db").stat().st_size
    share = read_ahead(connection, ROWS // 100, of=ROWS)
    assert share == int(SPARE * size / 100) < MOST_BYTES
    assert read_ahead(connection, ROWS, of=ROWS) == size, "there is no more than the file"
    assert read_ahead(connection, FEWEST - 1, of=ROWS) == 0
    (tmp_path / "rows.db").unlink()
    assert read_ahead(connection, ROWS, of=ROWS) == 0, "the file is gone, whoever has it open"
    assert read_ahead(sqlite3.connect(":memory:"), ROWS, of=ROWS) == 0
