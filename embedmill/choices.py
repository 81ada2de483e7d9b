"""The arguments of the Python API: documents as values, how sources are read, jobs served and answers shown."""

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, cast

from embedmill.console.services.submitting import JobOptions
from embedmill.console.services.switches import Switches
from embedmill.producers.sources.base import Source
from embedmill.producers.sources.given import GivenSource
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import FieldMap, gather_options
from embedmill.retrieval.view import View
from embedmill.shared.errors import UsageError
from embedmill.shared.ledger import Lane

Document = Mapping[str, object]
"""A document as a value: `id` and `text`, and optionally `title`, `uri` and `metadata`."""

# Choices that are several names or patterns.
LISTS = ("include", "exclude", "id", "text", "metadata")


class TableChoices(TypedDict, total=False):
    """How rows of databases are read; see docs/databases.md. `overlap` is seconds, or a number."""

    table: str
    query: str
    id: Sequence[str]
    text: Sequence[str]
    template: str
    title: str
    metadata: Sequence[str]
    uri: str
    cursor: str
    overlap: int | None
    deleted: str
    compare: bool
    credentials: str
    statement_seconds: float


class ReadChoices(TableChoices, total=False):
    """How sources are read: gitignore patterns for folders, a row's names for its fields, hidden files, a sample."""

    include: Sequence[str]
    exclude: Sequence[str]
    fields: Mapping[str, str]
    hidden: bool
    limit: int | None


class JobChoices(ReadChoices, total=False):
    """The same, and how the job is served; see `embedmill submit -h`."""

    allow_deletes: bool
    retry_dead: bool
    priority: int | None
    weight: int | None
    lane: Lane | None
    name: str | None
    access: str | None
    owner: str | None


class ViewChoices(TypedDict, total=False):
    """How an answer is shown; see `embedmill search -h`. `after` is the `next` of the page before."""

    offset: int
    after: str | None
    per_document: int | None
    context: int
    fold: bool
    explain: bool


class SearchChoices(ViewChoices, Switches, total=False):
    """The same, and which steps a search takes."""


def open_given(
    sources: Sequence[str | os.PathLike[str]], documents: Iterable[Document] | None, choices: ReadChoices
) -> list[Source]:
    """Sources that are named, documents as values, or both; raises UserError."""
    named = [os.fspath(source) for source in sources]
    if "-" in named:
        raise UsageError("- is the command line's own source", hint="Give the documents as values, or name a file.")
    fields = _field_map(choices.get("fields", {}))
    opened: list[Source] = [] if documents is None else [GivenSource.of(documents, fields=fields)]
    if named or not opened:
        options = gather_options(_read_choices(choices) | {"fields": fields})
        opened += open_sources(named, options=options, stdin=io.BytesIO())
    return opened


def _read_choices(choices: ReadChoices) -> dict[str, Any]:
    """How sources are read, as the groups of options have it."""
    known = {name: value for name, value in choices.items() if name in ReadChoices.__annotations__}
    return {name: tuple(value) if name in LISTS else value for name, value in known.items()}  # type: ignore[arg-type]


def require_known(choices: Mapping[str, object], known: type[ReadChoices | SearchChoices | Switches]) -> None:
    """Raise UsageError for an argument that there is not, or is no list where it has to be one."""
    names = known.__annotations__
    if unknown := sorted(choices.keys() - names):
        raise UsageError(f"there is no argument {unknown[0]!r}: there are {', '.join(names)}")
    for name in LISTS:
        if isinstance(choices.get(name), str):
            raise UsageError(f"{name} is one string, and not a list of them", hint=f"Write {name}=[…].")


def _field_map(names: Mapping[str, str]) -> FieldMap:
    known = FieldMap().to_spec()
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"a document has no field {unknown[0]!r}: there are {', '.join(known)}")
    return FieldMap(**names)


def split_view(choices: SearchChoices) -> tuple[View, Switches]:
    """How an answer is shown, and which steps are taken for it."""
    require_known(choices, SearchChoices)
    shown = {name: value for name, value in choices.items() if name in ViewChoices.__annotations__}
    taken = {name: value for name, value in choices.items() if name in Switches.__annotations__}
    return View(**cast(ViewChoices, shown)), cast(Switches, taken)


def job_options(choices: JobChoices) -> JobOptions:
    """How a job is served, by what was chosen."""
    return JobOptions(
        allow_deletes=choices.get("allow_deletes", False),
        retry_dead=choices.get("retry_dead", False),
        priority=choices.get("priority"),
        weight=choices.get("weight"),
        lane=choices.get("lane"),
        name=choices.get("name"),
        limit=choices.get("limit"),
        access=choices.get("access"),
        owner=choices.get("owner"),
    )
