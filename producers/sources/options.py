"""How sources are read: frozen groups of options, each option declared once for every door.

A group is a frozen dataclass and a field of SourceOptions. What is `shown` of a field is what the command line says
of it. A source names in `takes` the options that it heeds; what none of the sources of a command heeds is refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, cast

from embedmill.shared.durations import parse_duration
from embedmill.shared.errors import UsageError
from embedmill.shared.zones import zone_name


@dataclass(frozen=True, slots=True)
class Option:
    """An option on the command line.

    `only_for` says in words what it is for: who gives it where no source is that is refused, with the `hint`. Without
    it, it is passed over there. `given` makes the value of what was given, where that is another.
    """

    flag: str
    help: str
    only_for: str = ""
    hint: str = ""
    kind: Any = str
    metavar: str | None = None
    given: Callable[[Any], Any] | None = None


def shown(said: Option) -> dict[str, Option]:
    """The metadata of a group's field that is an option."""
    return {"option": said}


@dataclass(frozen=True, slots=True)
class FileSelection:
    """Which of many things are taken: gitignore patterns, and whether what is usually left out is taken too."""

    include: tuple[str, ...] = field(
        default=(),
        metadata=shown(
            Option(
                "--include",
                "Only files that match this glob; may be repeated.",
                only_for="folders, buckets and sites",
                hint="Leave it out, or name the folder.",
                kind=list[str],
                given=tuple,
            )
        ),
    )
    exclude: tuple[str, ...] = field(
        default=(),
        metadata=shown(
            Option("--exclude", "No files that match this glob; may be repeated.", kind=list[str], given=tuple)
        ),
    )
    hidden: bool = field(
        default=False,
        metadata=shown(Option("--hidden", "Take hidden files, dependency folders and keys in folders too.", kind=bool)),
    )


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Under which names a row keeps its fields."""

    id: str = "id"
    text: str = "text"
    title: str = "title"
    uri: str = "uri"
    metadata: str = "metadata"

    def to_spec(self) -> dict[str, str]:
        """The names as JSON values."""
        return asdict(self)

    @classmethod
    def given(cls, entries: Sequence[str]) -> "FieldMap":
        """Read `text=body` and such; raises UsageError."""
        return cls(**dict(_read_entry(entry) for entry in entries))


def _read_entry(entry: str) -> tuple[str, str]:
    name, _, column = entry.partition("=")
    if name not in {known.name for known in fields(FieldMap)} or not column:
        raise UsageError(f"{entry!r}: write id=NAME, text=NAME, title=NAME, uri=NAME or metadata=NAME")
    return name, column


@dataclass(frozen=True, slots=True)
class Rows:
    """How rows are read."""

    fields: FieldMap = field(
        default=FieldMap(),
        metadata=shown(
            Option(
                "--field",
                "Name of a row's field, as text=body; of id, text, title, uri, metadata.",
                only_for="rows",
                hint="Name a .jsonl, .ndjson, .csv or .tsv file by itself: in a folder each is one document.",
                kind=list[str],
                given=FieldMap.given,
            )
        ),
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """How a list of files is read."""

    null: bool = field(
        default=False,
        metadata=shown(Option("--null/-0", "A list of files is separated by NUL, not newline.", kind=bool)),
    )


def _columns(given: Sequence[str]) -> tuple[str, ...]:
    """Names that are repeated, or stand in one with commas."""
    return tuple(name.strip() for each in given for name in each.split(",") if name.strip())


def _overlap(given: str) -> int:
    """Seconds of a span as `10m`, or a number; raises UsageError."""
    try:
        return int(parse_duration(given))
    except ValueError as error:
        raise UsageError(f"--overlap {error}") from None


def _of_databases(flag: str, help_: str, **how: Any) -> dict[str, Option]:
    hint = "Name a database by its URL: postgresql://, mysql:// or sqlite:///."
    return shown(Option(flag, help_, only_for="databases", hint=hint, **how))


_NAMES = {"kind": list[str], "given": _columns, "metavar": "COLUMN"}
_NAME = {"metavar": "COLUMN"}


@dataclass(frozen=True, slots=True)
class TableOptions:
    """Which rows of a database are read, and which of their columns are what."""

    table: str = field(default="", metadata=_of_databases("--table", "Table or view of a database.", metavar="T"))
    query: str = field(
        default="", metadata=_of_databases("--query", "A SELECT, in the place of a table.", metavar="SQL")
    )
    id: tuple[str, ...] = field(
        default=(),
        metadata=_of_databases("--id", "Column of a row's id; again for more. The primary key if not given.", **_NAMES),
    )
    text: tuple[str, ...] = field(
        default=(), metadata=_of_databases("--text", "Column of a row's text; again for more.", **_NAMES)
    )
    template: str = field(
        default="", metadata=_of_databases("--template", "A row's text, as '{title}\\n\\n{body}'.", metavar="TEXT")
    )
    title: str = field(default="", metadata=_of_databases("--title", "Column of a row's title.", **_NAME))
    metadata: tuple[str, ...] = field(
        default=(), metadata=_of_databases("--metadata", "Column of metadata; again for more.", **_NAMES)
    )
    uri: str = field(
        default="",
        metadata=_of_databases(
            "--uri", "Column of a row's URI, or a text as 'https://wiki/{id}'.", metavar="COLUMN|TEXT"
        ),
    )
    cursor: str = field(
        default="",
        metadata=_of_databases(
            "--cursor", "Column that grows with every change: only what changed is read again.", **_NAME
        ),
    )
    overlap: int | None = field(
        default=None,
        metadata=_of_databases(
            "--overlap", "How far before the last cursor is read again, as 10m or 1000.", given=_overlap, metavar="SPAN"
        ),
    )
    deleted: str = field(default="", metadata=_of_databases("--deleted", "Column that marks rows as deleted.", **_NAME))
    compare: bool = field(
        default=False, metadata=_of_databases("--compare", "Look for rows that are gone, with a cursor too.", kind=bool)
    )
    credentials: str = field(
        default="", metadata=_of_databases("--credentials", "User and password: a file, or env:NAME.", metavar="FILE")
    )
    statement_seconds: float = field(
        default=60.0,
        metadata=_of_databases("--statement-seconds", "Longest run of one statement on the database.", kind=float),
    )


@dataclass(frozen=True, slots=True)
class Dates:
    """In which time zone a source's days are."""

    zone: str = field(
        default="UTC",
        metadata=shown(
            Option(
                "--zone",
                "Time zone of a chat's days, and of a schedule, as Europe/Berlin; UTC if not given.",
                metavar="ZONE",
                given=zone_name,
            )
        ),
    )


def _of_buckets(flag: str, help_: str, **how: Any) -> dict[str, Option]:
    return shown(Option(flag, help_, only_for="buckets", hint="Name a bucket: s3://bucket/prefix.", **how))


@dataclass(frozen=True, slots=True)
class Buckets:
    """How objects of a bucket are asked for."""

    requester_pays: bool = field(
        default=False,
        metadata=_of_buckets("--requester-pays", "Pay for what a bucket of somebody else's gives.", kind=bool),
    )
    sse_c: str = field(
        default="",
        metadata=_of_buckets(
            "--sse-c", "Your key of objects that are encrypted with one (SSE-C): a file, or env:NAME.", metavar="FILE"
        ),
    )


def _of_sites(flag: str, help_: str, **how: Any) -> dict[str, Option]:
    hint = "Name a page by its address: https://HOST/PATH."
    return shown(Option(flag, help_, only_for="web sites", hint=hint, **how))


@dataclass(frozen=True, slots=True)
class Crawling:
    """How much of a web site is read."""

    crawl: bool = field(
        default=False, metadata=_of_sites("--crawl", "Follow links within the site, and its sitemaps.", kind=bool)
    )
    max_pages: int = field(
        default=10_000, metadata=_of_sites("--max-pages", "Most pages of a site that are asked.", kind=int)
    )
    max_depth: int = field(
        default=50, metadata=_of_sites("--max-depth", "Most links from where a crawl begins.", kind=int)
    )


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """All groups; a source reads those that it knows."""

    selection: FileSelection = FileSelection()
    rows: Rows = Rows()
    listing: Listing = Listing()
    tables: TableOptions = TableOptions()
    dates: Dates = Dates()
    crawling: Crawling = Crawling()
    buckets: Buckets = Buckets()

    def chosen(self) -> Iterator[tuple[str, Option]]:
        """The options that are not as they usually are, by name."""
        for group, name, said, usual in list_options():
            if getattr(getattr(self, group), name) != usual:
                yield name, said


def list_options() -> Iterator[tuple[str, str, Option, Any]]:
    """Of each option: the field of its group, its own name, what is said of it, and its usual value."""
    for group in fields(SourceOptions):
        for known in fields(cast(Any, group.default)):
            if "option" in known.metadata:
                yield group.name, known.name, known.metadata["option"], known.default


def gather_options(values: Mapping[str, Any]) -> SourceOptions:
    """The groups with these values of options, by the options' names; others are as usual."""
    chosen: dict[str, dict[str, Any]] = {}
    for group, name, _, _ in list_options():
        if name in values:
            chosen.setdefault(group, {})[name] = values[name]
    usual = SourceOptions()
    return replace(usual, **{group: replace(getattr(usual, group), **of) for group, of in chosen.items()})
