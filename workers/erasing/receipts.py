"""Receipts: what was erased, from where, and what is left where; keyed hashes only, signed by the installation."""

import base64
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from embedmill.shared.db import tombstones
from embedmill.shared.runtime import Runtime
from embedmill.workers.erasing.base import ErasureRun

VERSION = 1
FOLDER = "erasures"
SIGNATURE = "signature"
PLACES = {
    "queue": "the queue, work and claims of sources",
    "vendors": "batches at vendors",
    "caches": "vectors, verdicts and answers that were kept",
    "stores": "every shard of every index version",
    "objects": "stored texts and chunks",
    "unreferenced": "objects that nobody refers to",
    "check": "stores and objects, asked again",
    "tracker": "documents, attempts, dead letters, notes, samples, terms, feedback, records of queries",
    "backups": "backups that were made before",
    "files": "free pages and logs of the tracking database",
}
"""What each step is about, for whoever reads a receipt."""


def make(run: ErasureRun, places: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The receipt of an erasure all of whose other steps are done, signed."""
    marker, keys, erasure = run.runtime.marker, run.runtime.keys, run.erasure
    documents = sorted(marker.of_document(id) for some in run.walk() for id in some.ids)
    body: dict[str, Any] = {
        "version": VERSION,
        "erasure": erasure.id,
        "cause": erasure.cause,
        "key": keys.key_id,
        "asked": _moment(erasure.created_at),
        "done": datetime.now(UTC).isoformat(timespec="seconds"),
        "documents": documents,
        "tombstones": run.runtime.database.query(tombstones.list_marks, erasure.id),
        "places": [{"place": PLACES[step], **found} for step, found in places.items()],
    }
    return {**body, SIGNATURE: base64.b64encode(keys.sign(canonical(body))).decode()}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def canonical(body: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: JSON with its names in order, without the signature."""
    return orjson.dumps({k: v for k, v in body.items() if k != SIGNATURE}, option=orjson.OPT_SORT_KEYS)


def is_genuine(runtime: Runtime, receipt: Mapping[str, Any]) -> bool:
    """Whether this installation signed a receipt, and nobody has changed it since."""
    try:
        signature = base64.b64decode(str(receipt.get(SIGNATURE, "")), validate=True)
    except ValueError:
        return False
    return runtime.keys.verify(canonical(receipt), signature)


def keep(runtime: Runtime, receipt: Mapping[str, Any]) -> Path:
    """Write a receipt into the home; returns where."""
    folder = runtime.home / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{receipt['erasure']}.json"
    write(path, receipt)
    return path


def write(path: Path, receipt: Mapping[str, Any]) -> None:
    """Write a receipt, whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(orjson.dumps(receipt, option=orjson.OPT_INDENT_2) + b"\n")
    os.replace(partial, path)


def left_in(receipt: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is left, where, and until when."""
    for place in receipt["places"]:
        yield from ((left["where"], left["until"]) for left in place["left"])
