"""A Postgres that asks for a password is reached by every way that its own programs know."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.producers.sources.base import Problem
from tests.producers.sources.sql.databases import Database, texts
from tests.services import postgres
from tests.services.needed import require
from tests.services.postgres import OwnServer

PASSWORD = "p@ss w:rd\\"


@pytest.fixture
def asking() -> Iterator[Database]:
    """A server of its own, where everybody but its owner has to say a password."""
    require(postgres.why_not())
    with postgres.running_server() as server:
        if not isinstance(server, OwnServer):
            pytest.skip("the settings of a server that is given are its owner's")
        server.execute("CREATE TABLE articles (id int PRIMARY KEY, body text); INSERT INTO articles VALUES (1, 'one')")
        server.execute(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; GRANT SELECT ON articles TO reader")
        (server.folder / "data" / "pg_hba.conf").write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        server.execute("SELECT pg_reload_conf()")
        yield Database("postgresql", f"postgresql://reader@/postgres?host={server.folder}", server.execute)


@pytest.mark.chaos
def test_passwords_are_found_where_postgres_has_them(
    asking: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = asking.url.rpartition("=")[2]
    (tmp_path / "pass").write_text(r"*:*:*:reader:p@ss w\:rd\\" + "\n")
    (tmp_path / "service").write_text(f"[shop]\nhost={folder}\ndbname=postgres\nuser=reader\npassword={PASSWORD}\n")
    (tmp_path / "pass").chmod(0o600)
    for name, value in (("PGPASSWORD", PASSWORD), ("PGPASSFILE", str(tmp_path / "pass"))):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert texts(asking.read()) == {"1": "one"}
    for value in ("", "wrong"):
        monkeypatch.setenv("PGPASSWORD", value)
        (problem,) = asking.read()
        assert isinstance(problem, Problem)
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "service"))
    asking.url = "postgresql:///?service=shop"
    assert texts(asking.read()) == {"1": "one"}
