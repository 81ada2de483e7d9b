"""Tables and queries of a database as a source: `postgresql://…`, `mysql://…`, `sqlite:///…`."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from embedmill.producers.sources.base import Item, Problem, ReadContext, Source, Spec
from embedmill.producers.sources.options import FieldMap, SourceOptions, TableOptions
from embedmill.producers.sources.sql.layouts import Wanted
from embedmill.producers.sources.sql.logins import NO_LOGIN, Login, read_login, usual_login
from embedmill.producers.sources.sql.places import DatabaseFile, DatabasePlace, place_from_spec, read_place
from embedmill.producers.sources.sql.reading import SourceDatabase
from embedmill.producers.sources.sql.runs import TableRun, TableTask
from embedmill.producers.sources.sql.sessions import Session
from embedmill.shared.errors import EmbedmillError, UsageError
from embedmill.shared.logs import get_logger
from embedmill.shared.references import anchor

log = get_logger()

NAME_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class SqlSource(Source):
    """The rows of a table or a query; `login` is what the URL said, which is nowhere kept."""

    hides_only_below: ClassVar[bool] = True
    prefix: ClassVar[str] = "//"
    takes: ClassVar[tuple[str, ...]] = (*(known.name for known in fields(TableOptions)), "fields")
    empty: ClassVar[str] = "no row is in it"

    place: DatabasePlace | DatabaseFile
    table: str
    query: str
    wanted: Wanted
    credentials: str = ""
    user: str = ""
    seconds: float = 60.0
    overlap: int | None = None
    compares: bool = field(default=False, compare=False)
    login: Login = field(default=NO_LOGIN, compare=False, repr=False)

    @classmethod
    def open(cls, url: str, options: SourceOptions) -> Self:
        place, login = read_place(url)
        asked = options.tables
        if bool(asked.table) == bool(asked.query):
            raise UsageError("a database needs --table or --query, and not both", hint="embedmill ingest --help")
        if login.password:
            _warn_of_password()
        return cls(
            place,
            asked.table,
            asked.query,
            _wanted(asked, options.rows.fields),
            anchor(asked.credentials),
            login.user,
            asked.statement_seconds,
            asked.overlap,
            asked.compare,
            login,
        )

    @classmethod
    def from_spec(cls, spec: Spec) -> Self:
        named: Any = {
            name: tuple(value) if isinstance(value, list) else value for name, value in spec["columns"].items()
        }
        how = {name: spec[name] for name in ("credentials", "user", "seconds", "overlap")}
        return cls(place_from_spec(spec), spec["table"], spec["query"], Wanted(**named), **how)

    @property
    def holds_secret(self) -> bool:
        """Whether its URL had a password."""
        return bool(self.login.password)

    @property
    def without_secret(self) -> str:
        return "--credentials"

    @property
    def spec(self) -> Spec:
        """Without any password: the name of the account, and where the credentials are found."""
        return {
            "kind": self.place.kind,
            "uri": self.uri,
            **self.place.to_spec(),
            "table": self.table,
            "query": self.query,
            "columns": self.wanted.to_spec(),
            "credentials": self.credentials,
            "user": self.user,
            "seconds": self.seconds,
            "overlap": self.overlap,
        }

    @property
    def identity(self) -> str:
        """Which rows they are, and by what they are known; the newest command says the rest."""
        told = {"kind": self.place.kind, "uri": self.uri, "query": self.query, "ids": self.wanted.ids}
        return json.dumps(told, sort_keys=True, separators=(",", ":"))

    @property
    def uri(self) -> str:
        """Where the rows are: the database and the table, or a name of the query."""
        words = " ".join(self.query.split()).encode()
        return f"{self.place.url}/{self.table or f'query-{hashlib.sha256(words).hexdigest()[:NAME_CHARACTERS]}'}"

    def find_risks(self) -> list[str]:
        session = self._connect()
        try:
            return session.find_risks()
        finally:
            session.close()

    def _connect(self) -> Session:
        given = read_login(self.credentials).over(self.login).over(Login(self.user))
        login = given.over(usual_login(self.place.kind))
        return self.place.connect(login, self.seconds)

    def read(self, context: ReadContext) -> Iterator[Item]:
        database = SourceDatabase(self._connect)
        try:
            task = TableTask(self.uri, self.table, self.query, self.wanted, self.overlap, self.compares)
            yield from TableRun(task, database, context).items()
        except EmbedmillError as error:
            yield Problem(self.uri, f"{error}. {error.hint}" if error.hint else str(error))
        finally:
            database.leave()


def _wanted(asked: TableOptions, mapped: FieldMap) -> Wanted:
    """What options name; `--field` names the same, as for other rows."""
    usual = FieldMap()
    chosen = {name: value for name, value in mapped.to_spec().items() if value != getattr(usual, name)}
    if asked.text and asked.template:
        raise UsageError("--text and --template both say what the text is: name the columns in the template")
    named = {name: (chosen[name],) for name in ("id", "text", "metadata") if name in chosen}
    return Wanted(
        asked.id or named.get("id", ()),
        asked.text or (() if asked.template else named.get("text", ())),
        asked.template,
        asked.title or chosen.get("title", ""),
        asked.metadata or named.get("metadata", ()),
        asked.uri or chosen.get("uri", ""),
        asked.cursor,
        asked.deleted,
    )


def _warn_of_password() -> None:
    log.warning(
        "source.password_in_url",
        message="The URL holds a password, which everybody on this host may see among the processes. It is kept "
        "nowhere, so nobody can read the source again without it. Use --credentials FILE, --credentials env:NAME, or "
        "what the database's own programs use (PGPASSWORD, PGPASSFILE, MYSQL_PWD).",
    )


class PostgresSource(SqlSource):
    """A table or query of Postgres."""

    __slots__ = ()
    kind: ClassVar[str] = "postgresql"


class MySqlSource(SqlSource):
    """A table or query of MySQL or MariaDB."""

    __slots__ = ()
    kind: ClassVar[str] = "mysql"


class SqliteSource(SqlSource):
    """A table or query of a file of SQLite."""

    __slots__ = ()
    kind: ClassVar[str] = "sqlite"
    prefix: ClassVar[str] = "///"
