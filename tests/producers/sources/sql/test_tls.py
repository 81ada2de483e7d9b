"""Databases by TLS: who checks whose certificate, and what is said of one that does not fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from embedmill.producers.sources.base import Problem
from embedmill.producers.sources.sql.sessions import Untrusted
from tests.producers.sources.sql.databases import Database, texts
from tests.services import mariadb, postgres
from tests.services.certificates import Authority
from tests.services.needed import require

RULES = "hostssl all reader 127.0.0.1/32 cert\nhostssl all postgres 127.0.0.1/32 trust"
FILLED = (
    "CREATE TABLE articles (id INTEGER PRIMARY KEY, body TEXT)",
    "INSERT INTO articles VALUES (1, 'article 1')",
)


@dataclass(frozen=True)
class Secured:
    """A server that offers TLS: `place` is what its URL has behind the user, `theirs` is who signed its certificate."""

    kind: str
    place: str
    theirs: Authority
    others: Authority
    reader: tuple[Path, Path]
    stranger: tuple[Path, Path]

    def url(self, user: str, **parameters: object) -> str:
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"{self.kind}://{user}@{self.place}?{query}"

    def told(self, url: str) -> str:
        """What is said of a source that cannot be read; "" of one that can."""
        items = Database(self.kind, url, print).read()
        if isinstance(items[0], Problem):
            return items[0].reason
        assert texts(items) == {"1": "article 1"}
        return ""


def secured(kind: str, place: str, folder: Path, theirs: Authority) -> Secured:
    others = Authority(folder, "others")
    return Secured(kind, place, theirs, others, theirs.issue("reader"), others.issue("stranger"))


@pytest.fixture(scope="module")
def postgres_by_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    require(postgres.why_not())
    folder = tmp_path_factory.mktemp("postgres")
    theirs = Authority(folder)
    with postgres.running_server() as server:
        if not isinstance(server, postgres.OwnServer):
            pytest.skip("the server that is given is not ours to start over")
        for statement in (*FILLED, "CREATE ROLE reader LOGIN", "GRANT SELECT ON articles TO reader"):
            server.execute(statement)
        port = server.serve_tls(*theirs.issue("server"), theirs.file, rules=RULES)
        yield secured("postgresql", f"127.0.0.1:{port}/postgres", folder, theirs)


@pytest.fixture(scope="module")
def mysql_by_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    require(mariadb.why_not())
    with mariadb.running_database() as database:
        server = mariadb.share()
        if database.port != server.port:
            pytest.skip("the server that is given has certificates of its own")
        database.execute(*FILLED, "CREATE OR REPLACE USER reader@127.0.0.1 REQUIRE X509")
        database.execute(f"GRANT SELECT ON {database.database}.* TO reader@127.0.0.1")
        folder = tmp_path_factory.mktemp("mysql")
        yield secured("mysql", f"127.0.0.1:{database.port}/{database.database}", folder, server.authority)


def test_postgres_is_checked_and_checks_who_comes(postgres_by_tls: Secured) -> None:
    server = postgres_by_tls
    checked = {"sslmode": "verify-full", "sslrootcert": server.theirs.file}
    (certificate, key), (strange, strange_key) = server.reader, server.stranger
    shown = {"sslcert": certificate, "sslkey": key}
    assert server.told(server.url("reader", **checked, **shown)) == ""
    assert server.told(server.url("postgres", **checked)) == ""
    assert server.told(server.url("postgres", sslmode="require")) == ""
    # An authority that is named is heard, also without a mode.
    for trusting in ({"sslmode": "verify-full"}, {}):
        told = server.told(server.url("postgres", sslrootcert=server.others.file, **trusting))
        assert "certificate verify failed" in told
        assert Untrusted.hint.rstrip(".") in told
    named = server.url("postgres", **checked).replace("127.0.0.1", "localhost")
    assert "does not match host name" in server.told(named)
    assert "requires a valid client certificate" in server.told(server.url("reader", **checked))
    wrong = server.url("reader", **checked, sslcert=strange, sslkey=strange_key)
    assert "unknown ca" in server.told(wrong)
    assert "key values mismatch" in server.told(
        server.url("reader", **checked, sslcert=certificate, sslkey=strange_key)
    )
    assert "no encryption" in server.told(server.url("postgres", sslmode="disable"))


def test_mariadb_is_checked_and_checks_who_comes(mysql_by_tls: Secured) -> None:
    server = mysql_by_tls
    checked = {"ssl_mode": "verify_identity", "ssl_ca": server.theirs.file}
    (certificate, key), (strange, strange_key) = server.reader, server.stranger
    assert server.told(server.url("reader", **checked, ssl_cert=certificate, ssl_key=key)) == ""
    assert server.told(server.url("root", **checked)) == ""
    for mode in ("disabled", "preferred", "REQUIRED"):
        assert server.told(server.url("root", ssl_mode=mode)) == ""
    # Without an authority that is named, those of this host are asked.
    assert "certificate" in server.told(server.url("root", ssl_mode="VERIFY-CA"))
    for trusting in ({"ssl_mode": "verify_ca"}, {}):
        told = server.told(server.url("root", ssl_ca=server.others.file, **trusting))
        assert "certificate" in told
        assert Untrusted.hint.rstrip(".") in told
    named = server.url("root", **checked).replace("127.0.0.1", "localhost")
    assert "not valid for 'localhost'" in server.told(named)
    assert "Access denied" in server.told(server.url("reader", **checked))
    assert "a certificate that it rejects" in server.told(
        server.url("reader", **checked, ssl_cert=strange, ssl_key=strange_key)
    )
    assert "MISMATCH" in server.told(server.url("reader", **checked, ssl_cert=certificate, ssl_key=strange_key))
    assert "No such file" in server.told(server.url("root", **checked | {"ssl_ca": "/none.crt"}))
    assert "ssl_mode is disabled" in server.told(server.url("root", ssl_mode="sometimes"))
