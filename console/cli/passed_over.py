"""What a job's scan passed over and noticed, for people: grouped by reason, with paths relative to their source."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from embedmill.console.cli.output import print_line, print_warning
from embedmill.producers.sources.paths import shown
from embedmill.shared.left_out.names import LeftOut
from embedmill.shared.uris import GIVEN, SCHEME, STDIN, uri_to_path

if TYPE_CHECKING:
    from embedmill.shared.notes import Note, Reason

SHOWN = 20
EXAMPLES = 3
FOLDERS_NAMED = 4


class Noted(Protocol):
    """What was noticed on the way: a job, or an estimate."""

    @property
    def sources(self) -> Sequence[str]: ...

    @property
    def notes(self) -> "Sequence[Note]": ...

    @property
    def reasons(self) -> "Sequence[Reason]": ...


def print_passed_over(report: Noted) -> None:
    """The lines of a report about what was left out, skipped, refused and noted."""
    left = {reason: row for row in report.reasons if (reason := _left_out(row)) is not None}
    if left:
        print_line(_describe_left_out(left, report))
    others = [row for row in report.reasons if _left_out(row) is None]
    for row in others[:SHOWN]:
        _print_reason(row, report)
    if len(others) > SHOWN:
        print_warning(f"and {len(others) - SHOWN} more reasons; --json has them all")


def name_place(uri: str, sources: Sequence[str]) -> str:
    """Where something is: relative to the folder that is its source, and harmless on every terminal."""
    if uri.startswith(STDIN):
        return "the list on standard input"
    if uri.startswith(GIVEN):
        return "the documents that were given"
    if not uri.startswith(SCHEME):
        return shown(uri.encode("utf-8", "surrogatepass"))
    path = uri_to_path(uri)
    for source in sources:
        if uri == source:
            return shown(path.rpartition(b"/")[2] or path)
        if uri.startswith(source.rstrip("/") + "/"):
            return shown(path.removeprefix(uri_to_path(source)).lstrip(b"/"))
    return shown(path)


def _left_out(row: "Reason") -> LeftOut | None:
    try:
        return LeftOut(row.reason)
    except ValueError:
        return None


def _describe_left_out(left: "Mapping[LeftOut, Reason]", report: Noted) -> str:
    counted = []
    for reason in LeftOut:
        if row := left.get(reason):
            names = _folder_names(row, report) if reason is LeftOut.DEPENDENCIES else []
            counted.append(reason.counted(row.count) + (f" ({', '.join(names)})" if names else ""))
    taken = "; --hidden takes them" if set(left) - {LeftOut.VERSION_CONTROL} else ""
    return f"left out: {', '.join(counted)}{taken}"


def _folder_names(row: "Reason", report: Noted) -> list[str]:
    """The names of the folders, each once."""
    places = (place.rstrip("/").rpartition("/")[2] for place in _places(row, report, most=len(report.notes)))
    names = list(dict.fromkeys(places))
    return names[:FOLDERS_NAMED] + (["…"] if len(names) > FOLDERS_NAMED else [])


def _places(row: "Reason", report: Noted, *, most: int) -> list[str]:
    notes = [note for note in report.notes if (note.kind, note.reason) == (row.kind, row.reason)]
    found = [_place(note, report.sources) for note in notes[:most]]
    return found or [name_place(row.uri, report.sources)]


def _place(note: "Note", sources: Sequence[str]) -> str:
    place = name_place(note.uri, sources)
    return f"{place}:{note.line}" if note.line else place


def _print_reason(row: "Reason", report: Noted) -> None:
    places = _places(row, report, most=EXAMPLES)
    more = row.count - len(places)
    where = ", ".join(places) + (f" and {more} more" if more > 0 else "")
    if row.kind == "note":
        print_line(f"{where}: {row.reason}")
    elif row.kind == "skipped":
        print_line(f"skipped {row.count}: {row.reason}: {where}")
    else:
        print_warning(f"{where}: {row.reason}")
