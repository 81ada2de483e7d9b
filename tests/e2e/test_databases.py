"""Databases through the real command: what is planted as a password is found in no file, no output and no argument."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import psutil
import pytest

from tests.command import Command, finish
from tests.services import mariadb
from tests.services.needed import free_port, require
from tests.waiting import wait_until

PLANTED = "p@ss%41w+rd '\"x/:#?"
SPELLINGS = {PLANTED, quote(PLANTED, safe=""), quote(PLANTED), quote_plus(PLANTED), PLANTED.replace("'", "\\'")}
OPTIONS = ("--table", "articles", "--text", "body")


@pytest.fixture
def shop() -> Iterator[mariadb.Server]:
    """A database with three articles, and an account that may read it with the planted password."""
    require(mariadb.why_not())
    with mariadb.running_database() as server:
        escaped = PLANTED.replace("\\", "\\\\").replace("'", "''")
        server.execute(
            "CREATE TABLE articles (id INT PRIMARY KEY, body TEXT)",
            "INSERT INTO articles VALUES (1, 'apples are red'), (2, 'pears are green'), (3, 'plums are blue')",
            f"CREATE OR REPLACE USER reader@127.0.0.1 IDENTIFIED BY '{escaped}'",
            f"GRANT SELECT ON {server.database}.* TO reader@127.0.0.1",
        )
        yield server


def found_in(home: Path) -> list[str]:
    """The files below a folder that hold the planted password in any spelling."""
    wanted = [spelling.encode() for spelling in SPELLINGS]
    files = [path for path in home.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(each in path.read_bytes() for each in wanted)]


def require_unseen(text: str) -> None:
    assert not [spelling for spelling in SPELLINGS if spelling in text], text


def test_a_password_is_kept_nowhere_whichever_way_it_came(cli: Command, shop: mariadb.Server, tmp_path: Path) -> None:
    (tmp_path / "login").write_text(f"# of the shop\nuser = reader\npassword = {PLANTED}\n")
    (tmp_path / "login").chmod(0o600)
    place = f"127.0.0.1:{shop.port}/{shop.database}"
    url = f"mysql://reader:{quote(PLANTED, safe='')}@{place}"
    from_file = (f"mysql://{place}", *OPTIONS, "--credentials", tmp_path / "login")
    from_variable = (f"mysql://reader@{place}", *OPTIONS, "--credentials", "env:SHOP")
    from_environment = (f"mysql://reader@{place}", *OPTIONS)
    cli = cli.with_environment(SHOP=PLANTED, MYSQL_PWD=PLANTED)
    warned = cli.run("ingest", url, *OPTIONS)
    others = [cli.run("ingest", *arguments) for arguments in (from_file, from_variable, from_environment)]
    assert [ran.status for ran in (warned, *others)] == [0, 0, 0, 0], (warned, others)
    assert "password" in warned.stderr
    assert "3 unchanged" in others[0].stdout + others[0].stderr
    shown = [
        cli.run(*arguments) for arguments in (("sources", "list"), ("jobs", "show", "1"), ("sources", "show", "1"))
    ]
    for ran in (warned, *others, *shown):
        require_unseen(ran.stdout + ran.stderr)
    assert found_in(cli.home) == []
    # One source, whoever logs in and however; read again without anybody's help.
    assert len(cli.json("sources", "list")["sources"]) == 1
    assert cli.run("sources", "rescan", "1").status == 0


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_database_that_is_away_or_refuses_shows_no_password(cli: Command, scheme: str) -> None:
    host = f"127.0.0.1:{free_port()}"
    urls = [
        f"{scheme}://reader:{quote(PLANTED, safe='')}@{host}/shop",
        f"{scheme}://reader@{host}/shop?password={quote_plus(PLANTED)}",
        f"{scheme}://reader:{PLANTED}@{host}/shop",
        f"{scheme}://reader:{quote(PLANTED, safe='')}@{host}:port/shop",
    ]
    for url in urls:
        ran = cli.run("submit", url, *OPTIONS, "--json")
        assert ran.status == 1
        require_unseen(ran.stdout + ran.stderr)
    assert found_in(cli.home) == []


def test_no_process_that_is_started_has_a_password_among_its_arguments(
    cli: Command, shop: mariadb.Server, tmp_path: Path
) -> None:
    (tmp_path / "login").write_text(PLANTED)
    place = f"reader@127.0.0.1:{shop.port}/{shop.database}"
    started = cli.start("ingest", f"mysql://{place}", *OPTIONS, "--credentials", tmp_path / "login")
    seen: list[str] = []

    def look() -> bool:
        try:
            family = [psutil.Process(started.pid), *psutil.Process(started.pid).children(recursive=True)]
            seen.extend(" ".join(each.cmdline()) for each in family)
        except psutil.Error:
            pass
        return started.poll() is not None

    wait_until(look, "the command ends")
    finish(started)
    require_unseen(" ".join(seen))
