"""What a random walk reads: files, files of rows, a table and a bucket, which change as it goes."""

import json
import sqlite3
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random

from embedmill.shared.addresses import version_id
from embedmill.shared.uris import uri_to_path
from tests.producers.memory_bucket import MemoryBucket

FILES = ("a.txt", "b.txt", "sub/c.txt", "sub/d.txt", "sub/e.md")
ROWS = ("1", "2", "3")
TABLE = "table.db"
OBJECTS = ("a.txt", "p/b.txt", "p/c.txt", "q.txt")
BUCKET, PREFIX = "s3://walk/", "s3://walk/p"


class WalkedPlaces:
    """The places of a walk, and when each of them changed last."""

    folder: Path
    random: Random
    now: int
    changed_at: dict[str, int]
    bucket: MemoryBucket
    settings_hash: str

    def path(self, name: str) -> Path:
        return self.folder / "docs" / name

    def write(self, name: str) -> None:
        self.path(name).write_text(f"{name} {self.random.randrange(3)}")
        self.changed_at[self.uri(name)] = self.now

    def write_rows(self, name: str) -> None:
        rows = [r for r in ROWS if self.random.random() < 0.7]
        lines = [json.dumps({"id": r, "text": f"{name} {r} {self.random.randrange(2)}"}) for r in rows]
        (self.folder / f"{name}.jsonl").write_text("\n".join(lines))
        self.changed_at[name] = self.now

    def write_table(self) -> None:
        rows = [(int(r), f"table {r} {self.random.randrange(2)}") for r in ROWS if self.random.random() < 0.7]
        with closing(sqlite3.connect(self.folder / TABLE)) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS some (id INTEGER PRIMARY KEY, body TEXT)")
            connection.execute("DELETE FROM some")
            connection.executemany("INSERT INTO some VALUES (?, ?)", rows)
        self.changed_at[TABLE] = self.now

    def write_object(self, name: str) -> None:
        """With the bytes that were there under another ETag, now and then."""
        text = f"object {name} {self.random.randrange(3)}"
        self.bucket.put(name, text.encode(), parts=self.random.randrange(1, 3))

    def change_object(self) -> None:
        name = self.random.choice(OBJECTS)
        if name in self.bucket.objects and self.random.random() < 0.4:
            del self.bucket.objects[name]
        else:
            self.write_object(name)

    def change(self) -> None:
        """Write, remove or bring back a file or an object, or write a file of rows anew."""
        if self.random.random() < 0.3:
            self.change_object()
            return
        if self.random.random() < 0.3:
            write = self.random.choice(
                (partial(self.write_rows, "one"), partial(self.write_rows, "two"), self.write_table)
            )
            write()
            return
        name = self.random.choice(FILES)
        if self.path(name).exists() and self.random.random() < 0.5:
            self.path(name).unlink()
            self.changed_at[self.uri(name)] = self.now
        else:
            self.write(name)

    def uri(self, name: str) -> str:
        return self.path(name).as_uri()

    def version_on_disk(self, uri: str) -> str | None:
        path = Path(uri_to_path(uri).decode())
        return version_id(sha256(path.read_bytes()).hexdigest(), self.settings_hash) if path.exists() else None

    def version_of(self, data: bytes) -> str:
        return version_id(sha256(data).hexdigest(), self.settings_hash)

    def table_uri(self, row: object) -> str:
        return f"sqlite://{self.folder / TABLE}/some/{row}"

    def rows_of(self, name: str) -> set[str]:
        if name == TABLE:
            with closing(sqlite3.connect(self.folder / TABLE)) as connection:
                return {self.table_uri(row) for (row,) in connection.execute("SELECT id FROM some")}
        lines = (self.folder / f"{name}.jsonl").read_text().splitlines()
        return {json.loads(line)["id"] for line in lines}
