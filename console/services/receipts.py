"""Checks a receipt of an erasure against the present: that it is genuine, and that nothing of it is here again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from embedmill.console.services.erasing import show_receipt
from embedmill.console.services.reach import installation
from embedmill.console.services.serving import serves
from embedmill.shared.access.principals import Right
from embedmill.shared.db import described, tombstones
from embedmill.shared.db.collections import list_collections, list_index_versions
from embedmill.shared.erasing import MarkKind
from embedmill.shared.errors import UsageError
from embedmill.shared.paging import walk
from embedmill.shared.runtime import Runtime
from embedmill.workers.erasing import receipts
from embedmill.workers.erasing.base import Left

PAGE = 2000


@dataclass(frozen=True, slots=True)
class FoundAgain:
    """Something that should not be: where, the mark of the document that it is of, and what."""

    place: str
    document: str | None
    what: str


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """Whether a receipt holds. `lifted` are documents that may come in again because somebody said so."""

    ok: bool
    found: Sequence[FoundAgain]
    erasure: str
    documents: int
    lifted: int
    left: Sequence[Left]


@serves("erasures.verify", Right.AUDIT, installation)
def verify_receipt(runtime: Runtime, name: str) -> VerifiedReceipt:
    """Check a receipt by its path, or by the id of its erasure; raises UsageError for what is none, NotFound.

    Every document and every edition in every store is looked at: receipts hold keyed hashes, which name nothing.
    """
    receipt = _read(runtime, name)
    marks = set(receipt["documents"])
    genuine = receipts.is_genuine(runtime, receipt)
    forged = [] if genuine else [FoundAgain("receipt", None, "it was changed, or another installation signed it")]
    found = [*forged, *_find_again(runtime, marks)]
    named = {mark for mark, kind in receipt["tombstones"].items() if kind == MarkKind.DOCUMENT}
    lifted = len(named - runtime.database.query(tombstones.find_marks, sorted(named)))
    left = [Left(*pair) for pair in receipts.left_in(receipt)]
    return VerifiedReceipt(not found, found, receipt["erasure"], len(marks), lifted, left)


def _read(runtime: Runtime, name: str) -> Mapping[str, Any]:
    path = Path(name).expanduser()
    if not path.exists():
        return show_receipt(runtime, name)
    try:
        receipt = orjson.loads(path.read_bytes())
        if receipt["version"] <= receipts.VERSION and isinstance(receipt["documents"], list):
            return dict(receipt)
    except (OSError, ValueError, TypeError, LookupError):
        pass
    raise UsageError(f"{name} is no receipt of an erasure")


def _find_again(runtime: Runtime, marks: set[str]) -> Iterator[FoundAgain]:
    for ids in _walk_documents(runtime):
        yield from _match(runtime, ids, marks, "documents", "it is known again")
    for collection in runtime.database.query(list_collections):
        for version in runtime.database.query(list_index_versions, collection):
            for shard in version.reading_shards:
                held = sorted({document for document, _, _ in runtime.store(version).list_editions(shard)})
                yield from _match(runtime, held, marks, f"store {collection.name}/{shard}", "rows are there")


def _walk_documents(runtime: Runtime) -> Iterator[Sequence[str]]:
    find: Callable[[str], Sequence[str]] = lambda after: runtime.database.query(  # noqa: E731 - it needs its type
        partial(described.list_ids, after=after, limit=PAGE)
    )
    return walk(find, key=str)


def _match(runtime: Runtime, ids: Sequence[str], marks: set[str], place: str, what: str) -> Iterator[FoundAgain]:
    for id in ids:
        mark = runtime.marker.of_document(id)
        if mark in marks:
            yield FoundAgain(place, mark[: tombstones.SHOWN_CHARACTERS], what)
