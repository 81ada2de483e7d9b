"""Owns what a database's URL says: where it is, without any credential; and the credentials, which are cut from it."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, ClassVar, NoReturn
from urllib.parse import SplitResult, parse_qsl, quote, unquote, unquote_to_bytes, urlsplit

from embedmill.producers.sources.paths import canonical_path, shown
from embedmill.producers.sources.sql.logins import NO_LOGIN, Login
from embedmill.producers.sources.sql.sessions import Session
from embedmill.shared.errors import MissingExtra, SourceError
from embedmill.shared.references import anchor
from embedmill.shared.uris import path_to_uri, uri_to_path

KINDS = {"postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
DEFAULT_PORTS = {"postgresql": 5432, "mysql": 3306}
# What a URL may say beside the place, by kind: how the way there is secured, and nothing that sets a session.
PARAMETERS = {
    "postgresql": frozenset(
        "sslmode sslrootcert sslcert sslkey sslcrl service target_session_attrs connect_timeout gssencmode "
        "channel_binding".split()
    ),
    "mysql": frozenset(["socket", "ssl_ca", "ssl_cert", "ssl_key", "ssl_mode"]),
}
# Those of them that are files of this host; Postgres means its system's certificates by a word.
_FILES = frozenset("sslrootcert sslcert sslkey sslcrl ssl_ca ssl_cert ssl_key".split())
SYSTEM = "system"
_SESSIONS = {
    "postgresql": "embedmill.producers.sources.sql.postgres:PostgresSession",
    "mysql": "embedmill.producers.sources.sql.mysql:MySqlSession",
}
_EXTRAS = {"postgresql": "postgres", "mysql": "mysql"}
# A parameter that is a part of the place, and one that is a credential.
_HOST, _PORT, _USER, _PASSWORD, _DATABASE = ("host",), ("port",), ("user", "username"), ("password",), ("dbname",)
_UNREADABLE = "the database's URL cannot be read"
_HINT = "Write scheme://HOST:PORT/DATABASE; in a name or password that is in it, write @ as %40, / as %2F and so on."


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """A database on a server: `host` is a name, an address or the folder of a socket; `parameters` are sorted."""

    kind: str
    host: str
    port: int
    database: str
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        """The same for every spelling, without credentials and without what does not say which database it is."""
        given = dict(self.parameters)
        host = f"[{self.host}]" if ":" in self.host else self.host
        named = host or given.get("socket", "") or given.get("service", "")
        port = "" if self.port == DEFAULT_PORTS[self.kind] else f":{self.port}"
        return f"{self.kind}://{quote(named, safe='[]:,.-_')}{port}/{quote(self.database, safe='')}"

    def to_spec(self) -> dict[str, Any]:
        """The place as JSON values."""
        return {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "parameters": dict(self.parameters),
        }

    def connect(self, login: Login, seconds: float) -> Session:
        """A new session; raises Refused, Interrupted, MissingExtra."""
        try:
            made = resolve_name(_SESSIONS[self.kind])
        except ModuleNotFoundError as error:
            hint = f"pip install 'embedmill[{_EXTRAS[self.kind]}]'"
            raise MissingExtra(f"{self.kind}:// needs the package {error.name}: {hint}") from None
        session: Session = made(self, login, seconds=seconds)
        return session


@dataclass(frozen=True, slots=True)
class DatabaseFile:
    """A file of SQLite."""

    path: bytes
    kind: ClassVar[str] = "sqlite"

    @property
    def url(self) -> str:
        """The URL of its absolute path."""
        return path_to_uri(self.path).replace("file:", f"{self.kind}:", 1)

    def to_spec(self) -> dict[str, Any]:
        """The place as JSON values."""
        return {"path": path_to_uri(self.path)}

    def connect(self, login: Login, seconds: float) -> Session:
        """A new session; raises Refused, Interrupted."""
        from embedmill.producers.sources.sql.sqlite import SqliteSession

        del login
        return SqliteSession(self.path, seconds=seconds)


def place_from_spec(spec: Mapping[str, Any]) -> DatabasePlace | DatabaseFile:
    """The place that has this description."""
    if spec["kind"] == DatabaseFile.kind:
        return DatabaseFile(uri_to_path(spec["path"]))
    parameters = tuple(sorted(spec["parameters"].items()))
    return DatabasePlace(spec["kind"], spec["host"], spec["port"], spec["database"], parameters)


def read_place(url: str) -> tuple[DatabasePlace | DatabaseFile, Login]:
    """What a URL names and the credentials that were in it; raises SourceError, which never quotes a URL with them."""
    return (_find_file(url), NO_LOGIN) if url.lower().startswith("sqlite:") else read_url(url)


def _find_file(url: str) -> DatabaseFile:
    """`sqlite:////data/a.db`, or `sqlite:///a.db`: a relative path for some who write it, and `/a.db` for others."""
    given = os.fsencode(url.partition("://")[2])
    relative = given[1:] if given.startswith(b"/") else given
    spelled = [path for name in (relative, given) for path in (name, unquote_to_bytes(name))]
    found = next((path for path in spelled if path and os.path.isfile(path)), None)
    if found is None:
        told = f"{shown(os.fsencode(url))} is no file of SQLite: there is none"
        raise SourceError(told, hint="Write sqlite:////absolute/path.db")
    return DatabaseFile(canonical_path(os.path.abspath(found)))


def read_url(url: str) -> tuple[DatabasePlace, Login]:
    """What a URL names and the credentials that were in it; raises SourceError, which never quotes the URL."""
    parts, fields = _split(url)
    kind = KINDS[parts.scheme.lower()]
    # A password with an unquoted sign in it is cut in two there, and its rest is in what follows.
    if "@" in parts.path or parts.fragment or (fields.keys() - _known(kind)):
        _refuse()
    place = DatabasePlace(
        kind,
        unquote(parts.hostname or "") or _pop(fields, _HOST),
        parts.port or _port(_pop(fields, _PORT)) or DEFAULT_PORTS[kind],
        unquote(parts.path.lstrip("/")) or _pop(fields, _DATABASE),
    )
    login = Login.of(
        unquote(parts.username or "") or _pop(fields, _USER), unquote(parts.password or "") or _pop(fields, _PASSWORD)
    )
    kept = tuple(sorted((name, _anchored(name, value)) for name, value in fields.items() if name in PARAMETERS[kind]))
    return DatabasePlace(place.kind, place.host, place.port, place.database, kept), login or NO_LOGIN


def _anchored(name: str, value: str) -> str:
    return anchor(value) if name in _FILES and value != SYSTEM else value


def _known(kind: str) -> set[str]:
    return {*PARAMETERS[kind], *_HOST, *_PORT, *_USER, *_PASSWORD, *_DATABASE}


def _split(url: str) -> tuple[SplitResult, dict[str, str]]:
    """The parts of a URL; what Python says of one that is none quotes it."""
    try:
        parts = urlsplit(url)
        _ = parts.port, parts.hostname
        fields = dict(
            parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True, strict_parsing=bool(parts.query))
        )
    except ValueError:
        _refuse()
    if "\0" in unquote(url) or re.search(r"\s", parts.hostname or ""):
        _refuse()
    return parts, fields


def _pop(fields: dict[str, str], names: tuple[str, ...]) -> str:
    return next((fields.pop(name) for name in names if name in fields), "")


def _port(text: str) -> int:
    if text and not text.isdecimal():
        _refuse()
    return int(text or 0)


def _refuse() -> NoReturn:
    raise SourceError(_UNREADABLE, hint=_HINT) from None
