"""An erasure on servers: Postgres for records and vectors, whose files are searched, and Pinecone."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from embedmill.shared.erasing import ASKED
from embedmill.shared.settings import Settings
from embedmill.workers.erasing import eraser, receipts
from embedmill.workers.erasing.stores import LAST
from embedmill.workers.runtime import WorkerRuntime
from tests.e2e.stores import Place, running_place
from tests.services.postgres import Server
from tests.workers.erasing.conftest import Home, fill, opened
from tests.workers.erasing.searching import find_bytes


@pytest.fixture(scope="module")
def server() -> Iterator[Place]:
    with running_place("pgvector") as place:
        yield place


@pytest.fixture(scope="module")
def service() -> Iterator[Place]:
    with running_place("pinecone") as place:
        yield place


def find_in_server(url: str, needles: dict[str, bytes]) -> list[tuple[str, str]]:
    """What is in the server's tables and indexes, its own log left out."""
    Server(url).execute("CHECKPOINT")
    (folder,) = parse_qs(urlsplit(url).query)["host"]
    return find_bytes(Path(folder) / "data" / "base", needles)


def test_nothing_is_left_in_tables_and_indexes_of_postgres(server: Place, settings: Settings, tmp_path: Path) -> None:
    if "host=/" not in server.url:
        pytest.skip("the files of another's server are not to be read")
    on_server = settings.model_copy(update={"database_url": server.url, "vector_url": server.url})
    with opened(on_server) as runtime:
        home = fill(runtime, tmp_path)
        Server(server.url).execute("ANALYZE")  # as the server does by itself: statistics hold values, and are replaced
        assert {name for _, name in find_in_server(server.url, home.needles)} >= {"name", "text", "title", "id"}
        receipt = eraser.carry_out(runtime, eraser.begin(runtime, [home.document], cause=ASKED))
        assert find_in_server(server.url, home.needles) == []
        assert find_bytes(home.path, home.needles) == []
        left = dict(receipts.left_in(receipt))
        assert any("write-ahead log" in until for until in left.values())
        neighbours = list(runtime.store(runtime.collection(1)).list_rows("v1-000"))
    assert len(neighbours) == 5


def test_pinecone_is_asked_until_it_has_no_row(
    service: Place, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in service.environment.items():
        monkeypatch.setenv(name, value)
    with opened(settings.model_copy(update={"vector_url": service.url})) as runtime:
        home = fill(runtime, tmp_path)
        receipt = eraser.carry_out(runtime, eraser.begin(runtime, [home.document], cause=ASKED))
        assert find_bytes(home.path, home.needles) == []
        assert held(runtime, home) == 0
    assert "the vector store (pinecone)" in dict(receipts.left_in(receipt))


def held(runtime: WorkerRuntime, home: Home) -> int:
    store = runtime.store(runtime.collection(1))
    return store.delete_stale("v1-000", {home.document: LAST}) + len(store.find_editions("v1-000", [home.document]))
