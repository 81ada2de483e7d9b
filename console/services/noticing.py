"""What a scan says that nothing records: the notes of an estimate, with the fields that those of a job have."""

from collections import Counter

from embedmill.producers.sources.base import Departed, Kept, Problem, Remark, Skipped, describe_item
from embedmill.shared.notes import Note, Reason

KEPT = 1000


class Noticed:
    """Counts what is no document, and keeps the first of it."""

    def __init__(self) -> None:
        self.problems = 0
        self.notes: list[Note] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def add(self, item: Kept | Departed | Skipped | Problem | Remark) -> None:
        """Count something that is no document."""
        told = describe_item(item)
        self.problems += told["kind"] in ("problem", "unmet")
        note = Note(**told | {"kind": "problem" if told["kind"] == "unmet" else told["kind"]})
        key = note.kind, note.reason
        self._counts[key] += 1
        self._first.setdefault(key, note.uri)
        if len(self.notes) < KEPT:
            self.notes.append(note)

    def reasons(self) -> list[Reason]:
        """What was noticed by reason, the most frequent first."""
        return [
            Reason(kind, reason, count, self._first[kind, reason])
            for (kind, reason), count in self._counts.most_common(KEPT)
        ]
