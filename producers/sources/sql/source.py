"""Tables and queries of a database as a source: `postgresql://…`, `mysql://…`, `sqlite:///…`."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self

from embedmill.producers.sources.base import NOTHING, Item, Problem, ReadContext, Source, Spec
from embedmill.producers.sources.options import FieldMap, SourceOptions, TableOptions
from embedmill.producers.sources.sql.layouts import Wanted, find_ids
from embedmill.producers.sources.sql.logins import NO_LOGIN, Login, read_login, usual_login
from embedmill.producers.sources.sql.places import DatabaseFile, DatabasePlace, place_from_spec, read_place
from embedmill.producers.sources.sql.reading import SourceDatabase, read_relation, split_name
from embedmill.producers.sources.sql.runs import TableRun, TableTask
from embedmill.producers.sources.sql.sessions import Session
from embedmill.shared.addresses import digest
from embedmill.shared.errors import EmbedmillError, UsageError
from embedmill.shared.logs import get_logger
from embedmill.shared.references import anchor

log = get_logger()

NAME_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class SqlSource(Source):
    """The rows of a table or a query; `login` is what the URL said, which is nowhere kept.

    `name` is the URI under which it is on record, where that is another spelling; `mark` is what its server says it is,
    under all of them. `namesakes` are sources on record that are the same.
    """

    hides_only_below: ClassVar[bool] = True
    prefix: ClassVar[str] = "//"
    has_namesakes: ClassVar[bool] = True
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
    name: str = ""
    mark: str = field(default="", compare=False)
    namesakes: Sequence[str] = field(default=(), compare=False)

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
        found = cls(place_from_spec(spec), spec["table"], spec["query"], Wanted(**named), **how)
        name = "" if spec["uri"] == found.spelled else spec["uri"]
        return replace(found, name=name, mark=spec.get("mark", ""))

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
            **({"mark": self.mark} if self.mark else {}),
        }

    @property
    def identity(self) -> str:
        """Which rows they are, and by what they are known; the newest command says the rest."""
        told = {"kind": self.place.kind, "uri": self.uri, "query": self.query, "ids": self.wanted.ids}
        return json.dumps(told, sort_keys=True, separators=(",", ":"))

    @property
    def uri(self) -> str:
        """What begins the URIs of its rows."""
        return self.name or self.spelled

    @property
    def spelled(self) -> str:
        """Where the rows are: the database and the table, or a name of the query."""
        words = " ".join(self.query.split()).encode()
        return f"{self.place.url}/{self.table or f'query-{hashlib.sha256(words).hexdigest()[:NAME_CHARACTERS]}'}"

    def beside(self, others: Mapping[str, Spec], closed: Mapping[str, Spec] = NOTHING) -> Self:
        """The same table under another spelling is that source; one of an earlier release is asked what it is."""
        mark = _find_mark(self) or others.get(self.identity, {}).get("mark", "")
        same = [spec for spec in others.values() if mark and self._mark_of(spec) == mark]
        former = [spec for spec in closed.values() if mark and self._mark_of(spec) == mark] if not same else []
        marked = replace(self, mark=mark)
        is_named = self.identity in others or (self.identity in closed and not same)
        if is_named or not (same or former):
            return replace(marked, namesakes=[spec["uri"] for spec in same if self._is_another(spec)])
        first, *more = same or former[:1]
        wanted = replace(self.wanted, ids=tuple(first["columns"].get("ids", ())))
        return replace(marked, name=first["uri"], wanted=wanted, namesakes=[spec["uri"] for spec in more])

    def _is_another(self, spec: Spec) -> bool:
        return type(self).from_spec(spec).identity != self.identity

    def _mark_of(self, spec: Spec) -> str:
        if spec.get("kind") != self.kind:
            return ""
        return str(spec.get("mark") or (_find_mark(type(self).from_spec(spec)) if self._is_like(spec) else ""))

    def _is_like(self, spec: Spec) -> bool:
        return bool(spec["query"] == self.query and _last(spec["table"]) == _last(self.table))

    def find_risks(self) -> list[str]:
        with closing(self.connect()) as session:
            return session.find_risks()

    def connect(self) -> Session:
        """A new session; raises Refused, Interrupted, SourceError for credentials that cannot be read."""
        given = read_login(self.credentials).over(self.login).over(Login(self.user))
        login = given.over(usual_login(self.place.kind))
        return self.place.connect(login, self.seconds)

    def read(self, context: ReadContext) -> Iterator[Item]:
        database = SourceDatabase(self.connect)
        try:
            task = TableTask(self.uri, self.table, self.query, self.wanted, self.overlap, self.compares)
            yield from TableRun(task, database, context).items()
        except EmbedmillError as error:
            told = str(error).rstrip(".")
            stop = "" if told.endswith(("?", "!")) else "."
            yield Problem(self.uri, f"{told}{stop} {error.hint}".removesuffix(".") if error.hint else told)
        finally:
            database.leave()


def _find_mark(source: SqlSource) -> str:
    """What tells a table and the columns of its ids from all others; "" where nobody says so now."""
    with suppress(EmbedmillError), closing(source.connect()) as session:
        relation = read_relation(session, source.table, source.query)
        if named := session.find_table(relation.table):
            key = session.find_key(relation.table) if relation.table else []
            ids = find_ids(source.wanted, session.describe(relation.sql), key)
            return digest("table", named, " ".join(source.query.split()), *ids)
    return ""


def _last(table: str) -> str:
    with suppress(EmbedmillError):
        return split_name(table)[-1].lower() if table else ""
    return table


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
