"""What a user names on the command line, turned into sources."""

import os
import re
import stat
from collections.abc import Sequence
from typing import BinaryIO, cast

from embedmill.producers.sources.base import Source, Spec
from embedmill.producers.sources.csv_rows import CsvSource, holds_rows
from embedmill.producers.sources.folder import FolderSource
from embedmill.producers.sources.given import GivenSource
from embedmill.producers.sources.jsonl import JsonlSource
from embedmill.producers.sources.listing import ListSource
from embedmill.producers.sources.maildir import MaildirSource
from embedmill.producers.sources.named import FileSource
from embedmill.producers.sources.options import FieldMap, FileSelection, SourceOptions
from embedmill.producers.sources.paths import absolute_path, canonical_path, shown
from embedmill.shared.errors import SourceError, UsageError
from embedmill.shared.files import describe_mode, describe_os_error
from embedmill.shared.loading.loaders import source_class
from embedmill.shared.loading.maildirs import is_maildir
from embedmill.shared.uris import STDIN, path_to_uri, uri_to_path

_KIND = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SCHEME = re.compile(_KIND.pattern + "//")


def open_sources(arguments: Sequence[str], *, options: SourceOptions, stdin: BinaryIO) -> list[Source]:
    """One source for each different argument; SourceError names the first that cannot be one."""
    if not arguments:
        raise UsageError("no SOURCE was given", hint="Name a file, a folder, a JSONL or CSV file, or - for a list.")
    unique = dict.fromkeys(arguments)
    sources = [_open(argument, options=options, stdin=stdin) for argument in unique]
    _require_use(sources, options)
    return _without_repeats(sources)


def _without_repeats(sources: Sequence[Source]) -> list[Source]:
    """Each source once; UsageError for two states of one, as exports of a workspace: one is read after the other."""
    found: dict[str, Source] = {}
    for source in sources:
        first = found.setdefault(source.identity, source)
        if first.spec != source.spec:
            told = f"{first.spec['uri']} and {source.spec['uri']} are states of one source"
            raise UsageError(told, hint="Ingest one after the other, the older one first.")
    return list(found.values())


def find_other_spellings(uris: Sequence[str], sources: Sequence[Source]) -> list[str]:
    """Those of `uris` that lead to one of the sources by a link or `..`: 0.1.0 took such paths for other sources."""
    named = {str(source.spec["uri"]) for source in sources}
    return [uri for uri in uris if uri not in named and _canonical_uri(uri) in named]


def _canonical_uri(uri: str) -> str:
    try:
        return path_to_uri(canonical_path(uri_to_path(uri)))
    except ValueError:
        return uri


def _require_use(sources: Sequence[Source], options: SourceOptions) -> None:
    """Options that none of the sources can heed were meant for something else."""
    taken = {name for source in sources for name in source.takes}
    for name, said in options.chosen():
        if said.only_for and name not in taken:
            raise UsageError(f"{said.flag} is for {said.only_for}, and no SOURCE is or has any", hint=said.hint)


def source_from_spec(spec: Spec) -> Source:
    """The source that has this spec; SourceError for a list from standard input, which comes only once."""
    match spec:
        case {"kind": "folder", "uri": str(uri), "include": list(include), "exclude": list(exclude)}:
            return FolderSource(uri_to_path(uri), tuple(include), tuple(exclude), bool(spec.get("hidden")))
        case {"kind": "file", "uri": str(uri)}:
            return FileSource(uri_to_path(uri))
        case {"kind": "jsonl", "uri": str(uri), "fields": dict(fields)}:
            return JsonlSource(uri_to_path(uri), FieldMap(**fields))
        case {"kind": "csv", "uri": str(uri), "fields": dict(fields)}:
            return CsvSource(uri_to_path(uri), FieldMap(**fields))
        case {"kind": "list", "uri": str(uri), "base": str(base), "null_separated": bool(null_separated)}:
            return _list_from_spec(uri, base, null_separated=null_separated)
        case {"kind": GivenSource.kind}:
            raise SourceError("documents that a program gave come only once", hint="Submit them again from there.")
    kind = str(spec.get("kind"))
    if (made := source_class(kind)) is not None:
        return cast(type[Source], made).from_spec(spec)
    raise SourceError(f"not the description of a source: kind {kind!r}")


def _list_from_spec(uri: str, base: str, *, null_separated: bool) -> Source:
    if uri.startswith(STDIN):
        raise SourceError("a list from standard input comes only once", hint="Pipe the list in again.")
    return ListSource.of_file(uri_to_path(uri), base=uri_to_path(base), null_separated=null_separated)


def _open(argument: str, *, options: SourceOptions, stdin: BinaryIO) -> Source:
    if argument == "-":
        base = canonical_path(_current_folder())
        return ListSource.of_stream(stdin, base=base, null_separated=options.listing.null)
    if (kind := _KIND.match(argument)) and (named := source_class(kind[1].lower())) is not None:
        source = cast(type[Source], named)
        _require_prefix(argument, kind[0], source.prefix)
        return source.open(argument, options)
    path = _path_of(argument)
    mode = _mode_of(path)
    if stat.S_ISDIR(mode):
        return _open_folder(canonical_path(path), options.selection)
    if stat.S_ISREG(mode):
        return _open_file(canonical_path(path), options.rows.fields)
    raise SourceError(
        f"{shown(path)} is {describe_mode(mode)}, which holds no document",
        hint="Write what comes out of it to a file and ingest that.",
    )


def _require_prefix(argument: str, scheme: str, prefix: str) -> None:
    """An address without its slashes would be read as another one."""
    rest = argument[len(scheme) :]
    if rest.startswith(prefix[:2]):
        return
    # What may hold a password is not repeated.
    rest = "…" if "@" in rest or not rest.strip("/") else rest
    meant = scheme + prefix + (rest if len(prefix) > len("//") else rest.lstrip("/"))
    raise UsageError(f"an address begins with {scheme}//: write {shown(_encoded(meant))}")


def _open_folder(path: bytes, asked: FileSelection) -> Source:
    # Whoever says which files are wanted wants files.
    if asked == FileSelection() and is_maildir(path):
        return MaildirSource(path)
    return FolderSource(path, asked.include, asked.exclude, asked.hidden)


def _open_file(path: bytes, fields: FieldMap) -> Source:
    suffix = os.path.splitext(path)[1].lower()
    if suffix in (b".jsonl", b".ndjson"):
        return JsonlSource(path, fields)
    # Whoever names fields wants rows, and is told when the file has none; without that a table is a document too.
    if suffix in (b".csv", b".tsv") and (fields != FieldMap() or holds_rows(path, fields)):
        return CsvSource(path, fields)
    return FileSource(path)


def _path_of(argument: str) -> bytes:
    if not argument:
        raise UsageError("a SOURCE is empty", hint="Write . for the current folder.")
    scheme = _SCHEME.match(argument)
    if scheme is None:
        if argument.lower().startswith("file:/"):
            raise UsageError(f"an address begins with file://: write file://{shown(_encoded(argument[5:]))}")
        return absolute_path(_encoded(argument), base=_current_folder())
    if scheme[1].lower() != "file":
        raise SourceError(f"{scheme[0]} sources are not supported yet", hint="Download it and name the local copy.")
    try:
        return uri_to_path(argument)
    except ValueError as error:
        raise SourceError(f"{shown(os.fsencode(argument))}: {error}") from error


def _encoded(argument: str) -> bytes:
    try:
        encoded = os.fsencode(argument)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise SourceError(f"{argument!a} can be no file's name", hint="Check where the name comes from.")
    return encoded


def _current_folder() -> bytes:
    try:
        return os.getcwdb()
    except OSError as error:
        raise SourceError("the current folder was removed", hint="Change to a folder that exists.") from error


def _mode_of(path: bytes) -> int:
    try:
        return os.stat(path).st_mode
    except OSError as error:
        hint = "Check the path and its permissions; quote a name that holds spaces."
        if set(path) & set(b"*?["):
            hint = "No pattern is expanded here: name the folder, and give the pattern to --include."
        raise SourceError(f"cannot read {shown(path)}: {describe_os_error(error)}", hint=hint) from error
