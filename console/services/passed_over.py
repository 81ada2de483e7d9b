"""What a job's scan passed over and noticed, for people: grouped by reason, with paths relative to their source."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from embedmill.console.cli.output import print_line, print_warning
from embedmill.producers.sources.base import Problem, Remark, Skipped, describe_item
from embedmill.producers.sources.left_out import LeftOut
from embedmill.producers.sources.listing import STDIN
from embedmill.producers.sources.paths import shown
from embedmill.shared.uris import SCHEME, uri_to_path

SHOWN = 20
EXAMPLES = 3
KEPT = 1000
FOLDERS_NAMED = 4


def print_passed_over(report: Mapping[str, Any]) -> None:
    """The lines of a report about what was left out, skipped, refused and noted."""
    left = {reason: row for row in report["reasons"] if (reason := _left_out(row)) is not None}
    if left:
        print_line(_describe_left_out(left, report))
    others = [row for row in report["reasons"] if _left_out(row) is None]
    for row in others[:SHOWN]:
        _print_reason(row, report)
    if len(others) > SHOWN:
        print_warning(f"and {len(others) - SHOWN} more reasons; --json has them all")


def took_nothing(report: Mapping[str, Any]) -> bool:
    """Whether a job met things and every one of them was skipped; a document that had died before is known already."""
    total, skipped = (int(report["documents"][name]) for name in ("total", "skipped"))
    return 0 < total == skipped and not any(report["dead_before"].values())


class Noticed:
    """What a scan says that nothing records: the notes of an estimate, with the fields that those of a job have."""

    def __init__(self) -> None:
        self.problems = 0
        self._notes: list[dict[str, Any]] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def add(self, item: Skipped | Problem | Remark) -> None:
        """Count something that is no document."""
        note = describe_item(item)
        self.problems += note["kind"] in ("problem", "unmet")
        note["kind"] = "problem" if note["kind"] == "unmet" else note["kind"]
        key = note["kind"], note["reason"]
        self._counts[key] += 1
        self._first.setdefault(key, note["uri"])
        if len(self._notes) < KEPT:
            self._notes.append(note)

    def as_json(self) -> dict[str, Any]:
        """`notes` and `reasons`, as `ingest` has them."""
        reasons = [
            {"kind": kind, "reason": reason, "count": count, "uri": self._first[kind, reason]}
            for (kind, reason), count in self._counts.most_common(KEPT)
        ]
        return {"notes": self._notes, "reasons": reasons}


def name_place(uri: str, sources: Sequence[str]) -> str:
    """Where something is: relative to the folder that is its source, and harmless on every terminal."""
    if uri.startswith(STDIN):
        return "the list on standard input"
    if not uri.startswith(SCHEME):
        return shown(uri.encode("utf-8", "surrogatepass"))
    path = uri_to_path(uri)
    for source in sources:
        if uri == source:
            return shown(path.rpartition(b"/")[2] or path)
        if uri.startswith(source.rstrip("/") + "/"):
            return shown(path.removeprefix(uri_to_path(source)).lstrip(b"/"))
    return shown(path)


def _left_out(row: Mapping[str, Any]) -> LeftOut | None:
    try:
        return LeftOut(row["reason"])
    except ValueError:
        return None


def _describe_left_out(left: Mapping[LeftOut, Mapping[str, Any]], report: Mapping[str, Any]) -> str:
    counted = []
    for reason in LeftOut:
        if row := left.get(reason):
            names = _folder_names(row, report) if reason is LeftOut.DEPENDENCIES else []
            counted.append(reason.counted(row["count"]) + (f" ({', '.join(names)})" if names else ""))
    taken = "; --hidden takes them" if set(left) - {LeftOut.VERSION_CONTROL} else ""
    return f"left out: {', '.join(counted)}{taken}"


def _folder_names(row: Mapping[str, Any], report: Mapping[str, Any]) -> list[str]:
    """The names of the folders, each once."""
    places = (place.rpartition("/")[2] for place in _places(row, report, most=len(report["notes"])))
    names = list(dict.fromkeys(places))
    return names[:FOLDERS_NAMED] + (["…"] if len(names) > FOLDERS_NAMED else [])


def _places(row: Mapping[str, Any], report: Mapping[str, Any], *, most: int) -> list[str]:
    notes = [note for note in report["notes"] if (note["kind"], note["reason"]) == (row["kind"], row["reason"])]
    found = [_place(note, report["sources"]) for note in notes[:most]]
    return found or [name_place(row["uri"], report["sources"])]


def _place(note: Mapping[str, Any], sources: Sequence[str]) -> str:
    place = name_place(note["uri"], sources)
    return f"{place}:{note['line']}" if note["line"] else place


def _print_reason(row: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    places = _places(row, report, most=EXAMPLES)
    more = row["count"] - len(places)
    where = ", ".join(places) + (f" and {more} more" if more > 0 else "")
    if row["kind"] == "note":
        print_line(f"{where}: {row['reason']}")
    elif row["kind"] == "skipped":
        print_line(f"skipped {row['count']}: {row['reason']}: {where}")
    else:
        print_warning(f"{where}: {row['reason']}")
