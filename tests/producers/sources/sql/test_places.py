"""Where a database is, and who logs in there: what URLs, files and variables say of it."""

from pathlib import Path
from typing import Any

import pytest

from embedmill.producers.sources.options import gather_options
from embedmill.producers.sources.sql.logins import Login, read_login
from embedmill.producers.sources.sql.places import read_place
from embedmill.producers.sources.sql.source import SqlSource
from embedmill.shared.errors import SourceError
from tests.logs import captured_logs


def opened(url: str, **options: Any) -> SqlSource:
    return SqlSource.open(url, gather_options({"table": "t", **options}))


def test_a_password_is_masked_in_every_spelling() -> None:
    login = Login("reader", "p@ss w+rd")
    masked = login.mask("p@ss w+rd, p%40ss%20w%2Brd and p%40ss+w%2Brd")
    assert masked == "***, *** and ***"
    assert "p@ss" not in repr(login)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://u:p@DB.example.org:5432/shop?sslmode=require", "postgresql://db.example.org/shop"),
        ("postgresql://u@/shop?host=/var/run/pg&port=5433", "postgresql://%2Fvar%2Frun%2Fpg:5433/shop"),
        ("postgresql:///?service=shop", "postgresql://shop/"),
        ("mariadb://[::1]:3307/shop", "mysql://[::1]:3307/shop"),
        ("mysql://h/a%2Fb", "mysql://h/a%2Fb"),
    ],
)
def test_a_place_has_one_url_without_credentials(url: str, shown: str) -> None:
    assert read_place(url)[0].url == shown


@pytest.mark.parametrize(
    "url",
    ["mysql://u:a/b@h/d", "mysql://u:a#b@h/d", "mysql://u:a?b@h/d", "mysql://h:x/d", "mysql://h/d?init_command=x"],
)
def test_a_url_that_cannot_be_read_is_not_quoted(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        read_place(url)
    assert "a" not in str(caught.value).replace("database", "").replace("read", "").replace("cannot", "")


def test_files_are_named_so_that_processes_in_other_folders_find_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = "postgresql://h/d?sslrootcert=ca.crt&sslmode=verify-full&sslcert=/etc/c.crt"
    found = opened(url, credentials="login").spec
    assert found["credentials"] == f"{tmp_path}/login"
    assert found["parameters"] == {
        "sslcert": "/etc/c.crt",
        "sslmode": "verify-full",
        "sslrootcert": f"{tmp_path}/ca.crt",
    }
    kept = opened("postgresql://h/d?sslrootcert=system", credentials="env:LOGIN").spec
    assert (kept["credentials"], kept["parameters"]) == ("env:LOGIN", {"sslrootcert": "system"})
    assert opened("postgresql://h/d").spec["credentials"] == ""


def test_credentials_are_read_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = {
        "secret word": Login("", "secret word"),
        "# of the shop\n[client]\nuser = me\npassword = 'it is'\n": Login("me", "it is"),
        "username: me\npassword: a=b:c\n": Login("me", "a=b:c"),
        "mysql://me:p%40ss@h/d\n": Login("me", "p@ss"),
    }
    for text, login in forms.items():
        (tmp_path / "login").write_text(text)
        monkeypatch.setenv("SHOP_LOGIN", text)
        assert read_login(str(tmp_path / "login")) == read_login("env:SHOP_LOGIN") == login
    for missing in ("env:NOT_THERE", str(tmp_path / "nothing")):
        with pytest.raises(SourceError):
            read_login(missing)


def test_credentials_that_others_may_read_are_warned_of_once(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("word")
    (tmp_path / "login").chmod(0o644)
    with captured_logs() as events:
        for _ in range(3):
            read_login(str(tmp_path / "login"))
    assert [event["event"] for event in events] == ["source.open_credentials"]
