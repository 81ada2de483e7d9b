"""The catalogue's benchmark: what a page of `documents list` and one `documents show` take among a million documents.

`python -m bench documents [--rows 1000000] [--rounds 40] [--database-url postgresql://…]` fills an empty database
(SQLite in a temporary folder by default) and prints p50 and p95 in milliseconds of wall time.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from embedmill.shared.db import catalogue, collections, histories, jobs, named, scans, sources, tallies
from embedmill.shared.db.catalogue import DocumentFilter
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.db.opening import open_database
from embedmill.shared.globs import Glob
from embedmill.shared.states import DocumentState

LIMIT = 100
# Nine of ten documents are indexed, one of a hundred is dead; one of five hundred has a note.
FILL = (
    """INSERT INTO document (id, collection_id, uri, generation, wanted_version, updated_at, active_generation,
    active_version, chunks_expected, notes, settings_hash)
    SELECT {id}, 1, 'file:///bench/' || {padded} || '.pdf', 1, 'v', 0, CASE WHEN n {m} 10 = 9 THEN 0 ELSE 1 END,
    CASE WHEN n {m} 10 < 9 THEN 'v' END, 3, CASE WHEN n {m} 500 = 0 THEN '1 of 2 pages holds no text: 2' END, ''
    FROM {numbers}""",
    """INSERT INTO work (job_id, document_id, generation, stage, state, max_attempts, size, content_hash, settings_hash,
    version, origin, created_at, finished_at, result, notes)
    SELECT 1, {id}, 1, 'index',
    CASE WHEN n {m} 10 < 9 THEN 'completed' WHEN n {m} 100 = 9 THEN 'dead' ELSE 'pending' END,
    3, 10, '', '', 'v', '{{}}', 0,
    CASE WHEN n {m} 10 < 9 OR n {m} 100 = 9 THEN 1.0 END,
    CASE WHEN n {m} 10 < 9 THEN 'indexed' END, CASE WHEN n {m} 500 = 0 THEN '1 of 2 pages holds no text: 2' END
    FROM {numbers}""",
    """INSERT INTO attempt (work_id, stage, epoch, attempt, worker, started_at, ended_at, outcome)
    SELECT id, 'index', 1, 1, 'bench', id, id + 1, 'ok' FROM work""",
    "INSERT INTO claim (source_id, document_id, scan_id, seen_by) SELECT 1, id, 1, 1 FROM document",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Benchmark of the catalogue of documents.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--database-url", default="", help="an empty database; SQLite in a temporary folder otherwise")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        database = open_database(options.database_url or f"sqlite:///{Path(folder) / 'tracking.db'}")
        began = time.perf_counter()
        fill(database, options.rows)
        print(f"{options.rows:,} documents, filled in {time.perf_counter() - began:.0f} s", flush=True)
        for name, p50, p95 in measure(database, options.rows, rounds=options.rounds):
            print(f"{name:34} p50 {p50:7.1f} ms, p95 {p95:7.1f} ms", flush=True)
        database.close()


def fill(database: Database, rows: int) -> None:
    """Documents in several states with their work, made by the database itself in collection 1, source 1 and job 1."""
    with database.write() as connection:
        if not collections.list_collections(connection):
            made = collections.create_collection(
                connection, "bench", settings={"embedding": "hash"}, model="hash", dimensions=8, chunker="1", shards=1
            )
            scans.open_source(connection, collection_id=made.id, identity="bench", spec={"uri": "file:///bench"})
            jobs.create_job(connection, collection_id=made.id, identity="bench", sources=[], options={})
    with database.write() as connection:
        for statement in FILL:
            connection.exec_driver_sql(statement.format(**_parts(database, rows)))
    with database.write() as connection:
        tallies.add_up_tallies(connection)
        if not database.is_sqlite:
            connection.exec_driver_sql("ANALYZE")


def _parts(database: Database, rows: int) -> dict[str, str]:
    if database.is_sqlite:
        numbers = (
            f"WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {rows - 1}) SELECT n FROM c"
        )
        return {
            "id": "printf('%032x', n)",
            "padded": "printf('%07d', n)",
            "numbers": f"({numbers})",
            "m": "%",
        }
    numbers = f"generate_series(0, {rows - 1}) AS n"
    return {
        "id": "lpad(to_hex(n), 32, '0')",
        "padded": "lpad(n::text, 7, '0')",
        "numbers": numbers,
        "m": "%%",
    }


def measure(database: Database, rows: int, *, rounds: int) -> Iterator[tuple[str, float, float]]:
    """(what, p50, p95) in milliseconds."""
    chance = random.Random(1)

    def somewhere() -> int:
        return chance.randrange(rows)

    def page(wanted: DocumentFilter, after: str | None = None) -> object:
        return database.query(lambda c: _list(c, wanted, after))

    def deep() -> object:
        return page(DocumentFilter(), catalogue.write_cursor("uri", 1, f"file:///bench/{somewhere():07d}.pdf"))

    def show() -> object:
        return database.query(lambda c: _show(c, f"{somewhere():032x}"))

    looks: dict[str, Callable[[], object]] = {
        "list": lambda: page(DocumentFilter()),
        "list, from anywhere": deep,
        "list --collection": lambda: page(DocumentFilter(collection="bench")),
        "list --uri 'PREFIX*'": lambda: page(
            DocumentFilter(uris=[Glob(f"file:///bench/{somewhere():07d}"[:-3] + "*")])
        ),
        "list --state indexed": lambda: page(DocumentFilter(state=DocumentState.INDEXED)),
        "list --state dead": lambda: page(DocumentFilter(state=DocumentState.DEAD)),
        "list --state pending": lambda: page(DocumentFilter(state=DocumentState.PENDING)),
        "list --state deleted": lambda: page(DocumentFilter(state=DocumentState.DELETED)),
        "list --noted": lambda: page(DocumentFilter(noted=True)),
        "list --source": lambda: page(DocumentFilter(source=1)),
        "list --job": lambda: page(DocumentFilter(job=1)),
        "list --job --noted": lambda: page(DocumentFilter(job=1, noted=True)),
        "show": show,
    }
    for name, look in looks.items():
        took = sorted(_seconds(look) for _ in range(rounds))
        yield name, took[len(took) // 2] * 1000, took[int(len(took) * 0.95)] * 1000


def _list(connection: Connection, wanted: DocumentFilter, after: str | None) -> object:
    page = catalogue.list_documents(connection, wanted, limit=LIMIT, after=after)
    return page, sources.find_claims(connection, [listed.id for listed in page.documents])


def _show(connection: Connection, id_: str) -> object:
    row, _ = named.find_document(connection, [id_])
    history = histories.read_history(connection, id_)
    newest = catalogue.find_newest_work(connection, [id_])
    sources.find_claims(connection, [id_])
    return catalogue.state_of(row, newest.get(id_)), histories.measure_cost(connection, id_, history)


def _seconds(look: Callable[[], object]) -> float:
    began = time.perf_counter()
    look()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
