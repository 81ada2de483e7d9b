"""Backups of an installation: a folder with all that cannot be made anew, consistent under running workers."""

import base64
import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from embedmill.console.services.lost_texts import find_documents
from embedmill.console.services.reach import installation
from embedmill.console.services.serving import serves
from embedmill.shared.access.principals import Right
from embedmill.shared.audit.anchors import FOLDER as ANCHORS
from embedmill.shared.db import dumping
from embedmill.shared.db.backups import note_backup
from embedmill.shared.db.collections import list_collections, list_index_versions
from embedmill.shared.db.connecting import find_folder
from embedmill.shared.db.opening import HEAD
from embedmill.shared.errors import BlobMissing, StorageFailed, UsageError
from embedmill.shared.privacy.keys import KEY_FILE, is_signed
from embedmill.shared.providers.blobs.folder import FolderBlobStore
from embedmill.shared.providers.vectorstores.table import is_remote
from embedmill.shared.runtime import Runtime
from embedmill.shared.sqlite_files import copy_file
from embedmill.workers.erasing import receipts

VERSION = 1
MANIFEST = "manifest.json"
BLOBS, VECTORS, CACHE_FILE = "blobs", "vectors", "cache.db"
TRIES = 3
"""An object that goes while it is copied has been replaced: then the records are copied once more."""
CHUNK_BYTES = 2**20
SHOWN = 20
"""Documents that are named whose text is not in a backup."""


@dataclass(frozen=True, slots=True)
class LostObjects:
    """Objects that records name and that were gone before a backup was made.

    `documents` count those whose text that was; `examples` are some of them, which a manifest does not name.
    """

    objects: int = 0
    documents: int = 0
    examples: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup: where, of what, how much, and what is not in it and has to be had elsewhere."""

    path: Path
    made: str
    database: str
    files: int
    bytes: int
    objects: int
    shards: int
    key: str
    missing: Sequence[str]
    lost: LostObjects


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """Whether a backup is as it was written, and of a whole installation.

    `faults` are files that were changed, are lacking, or are too many; `lost` is what it never had.
    """

    ok: bool
    path: Path
    made: str
    files: int
    faults: Sequence[str]
    lost: LostObjects


@serves("backups.create", Right.MANAGE, installation)
def make_backup(runtime: Runtime, path: Path, *, with_key: bool = True) -> Backup:
    """Write a backup into a new folder; raises UsageError where there is one, StorageFailed.

    Records come first, and then what they refer to: an object is stored before a record names it, and goes when none
    does. Vectors and the cache come last; what is newer there is put right by the repair that a restore ends with.
    """
    if path.exists() and any(path.iterdir()):
        raise UsageError(f"{path} is not empty", hint="Give a new folder.")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A key that is made later than the records are copied would be none of the backup's.
    key_id = runtime.keys.key_id
    # One that is made later would tell of records that are not in the backup.
    anchors = sorted((runtime.home / ANCHORS).glob("*.json"))
    objects, gone = _copy_records(runtime, path)
    without_text = find_documents(runtime, gone)
    lost = LostObjects(len(gone), len(without_text), list(without_text.values())[:SHOWN])
    shards = _copy_shards(runtime, path)
    missing = [*_copy_cache(runtime, path), *_name_stores(runtime)]
    key = _copy_key(runtime, path, with_key=with_key)
    _copy_files(sorted((runtime.home / receipts.FOLDER).glob("*.json")), path / receipts.FOLDER)
    _copy_files(anchors, path / ANCHORS)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    about = {
        "made": made,
        "key": key,
        "key_id": key_id,
        "missing": missing,
        "lost": {"objects": lost.objects, "documents": lost.documents},
    }
    manifest = _write_manifest(runtime, path, about)
    runtime.database.transact(partial(note_backup, place=str(path.resolve())))
    files = manifest["files"].values()
    kind = manifest["database"]
    return Backup(path, made, kind, len(files), sum(f["bytes"] for f in files), objects, shards, key, missing, lost)


def _copy_records(runtime: Runtime, path: Path) -> tuple[int, set[str]]:
    """Records and their objects: how many, and what was lost before, as two views agree."""
    target, before = FolderBlobStore(path / BLOBS), set[str]()
    for _ in range(TRIES):
        _clear(path)
        with dumping.dump(runtime.database, path) as referenced:
            lost = _copy_objects(runtime, referenced, target)
        if lost == before:
            _remove_others(target, referenced)
            return len(referenced) - len(lost), lost
        before = lost
    raise StorageFailed("objects kept changing while they were copied", hint="Make the backup again.")


def _remove_others(target: FolderBlobStore, wanted: set[str]) -> None:
    for name, _ in list(target.list_objects()):
        if name not in wanted:
            target.delete(name)


def _clear(path: Path) -> None:
    (path / dumping.FILE).unlink(missing_ok=True)
    shutil.rmtree(path / dumping.TABLES, ignore_errors=True)


def _copy_objects(runtime: Runtime, wanted: set[str], target: FolderBlobStore) -> set[str]:
    """Copy objects as they are stored; returns those that are not to be had."""
    lost = set()
    for name in sorted(wanted):
        try:
            target.put(runtime.blobs.get(name))
        except BlobMissing:
            lost.add(name)
    return lost


def _copy_shards(runtime: Runtime, path: Path) -> int:
    count = 0
    for collection in runtime.database.query(list_collections):
        folder = path / VECTORS / f"c{collection.id}"
        for version in runtime.database.query(list_index_versions, collection):
            for shard in version.reading_shards:
                folder.mkdir(parents=True, exist_ok=True)
                count += bool(runtime.store(version).copy(shard, folder))
    return count


def _copy_cache(runtime: Runtime, path: Path) -> list[str]:
    """The file of the cache; what cannot be copied, in words."""
    source = runtime.home / CACHE_FILE
    if source.exists():
        copy_file(source, path / CACHE_FILE)
    url = runtime.settings.cache_url
    if not url or url == runtime.settings.database:
        return []
    return [f"the cache of vectors ({url.partition(':')[0]}): what is not there after a restore is paid for again"]


def _name_stores(runtime: Runtime) -> list[str]:
    url = runtime.settings.vector_url
    if not is_remote(url):
        return []
    return [f"the vector store ({url.partition(':')[0]}): a restore makes its rows anew from what is here, for nothing"]


def _copy_key(runtime: Runtime, path: Path, *, with_key: bool) -> str:
    """Where the key is without which hashes, signatures and what is encrypted mean nothing."""
    folder = find_folder(runtime.settings.database)
    if folder is None or not (folder / KEY_FILE).exists():
        return runtime.settings.key or "in the tracking database"
    if not with_key:
        return f"left out: keep {folder / KEY_FILE} elsewhere"
    shutil.copyfile(folder / KEY_FILE, path / KEY_FILE)
    (path / KEY_FILE).chmod(0o600)
    return "in the backup"


def _copy_files(files: Iterable[Path], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for file in files:
        shutil.copyfile(file, folder / file.name)


def _write_manifest(runtime: Runtime, path: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """What is in a backup, signed. Receipts that come later lie beside: tombstones hold after a restore."""
    body: dict[str, Any] = {
        "version": VERSION,
        **about,
        "schema": HEAD,
        "database": "sqlite" if runtime.database.is_sqlite else "postgresql",
        "public_key": base64.b64encode(runtime.keys.public_key).decode(),
        "rows": dict(runtime.database.query(dumping.read_counts)),
        "files": {name: asdict(file) for name, file in _describe_files(path)},
    }
    body["signature"] = base64.b64encode(runtime.keys.sign(receipts.canonical(body))).decode()
    (path / MANIFEST).write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n")
    return body


@dataclass(frozen=True, slots=True)
class _File:
    bytes: int
    sha256: str


def _describe_files(path: Path) -> Iterator[tuple[str, _File]]:
    for file in sorted(path.rglob("*")):
        if file.is_file() and file.name != MANIFEST:
            yield str(file.relative_to(path)), _File(file.stat().st_size, _hash(file))


def _hash(path: Path) -> str:
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(CHUNK_BYTES):
            hasher.update(data)
    return hasher.hexdigest()


def read_manifest(path: Path) -> Mapping[str, Any]:
    """The manifest of a backup; raises UsageError for a folder that is none."""
    try:
        manifest = orjson.loads((path / MANIFEST).read_bytes())
        if manifest["version"] <= VERSION:
            return dict(manifest)
    except (OSError, ValueError, TypeError, LookupError):
        pass
    raise UsageError(f"{path} is no backup of this or an older release")


def verify_backup(path: Path) -> VerifiedBackup:
    """Read every file of a backup; it needs no installation. Raises UsageError for what is no backup.

    The signature tells that nobody changed it without the key that made it; who that was, `key_id` says.
    """
    manifest = read_manifest(path)
    known = manifest["files"]
    found = {name: asdict(file) for name, file in _describe_files(path)}
    later = {name for name in found.keys() - known.keys() if name.startswith(f"{receipts.FOLDER}/")}
    faults = [f"{name} is not there" for name in sorted(known.keys() - found.keys())]
    faults += [f"{name} was changed" for name in sorted(known.keys() & found.keys()) if known[name] != found[name]]
    faults += [f"{name} is none of its files" for name in sorted(found.keys() - known.keys() - later)]
    if not is_signed(_decode(manifest, "public_key"), receipts.canonical(manifest), _decode(manifest, "signature")):
        faults.append(f"{MANIFEST} was changed")
    lost = LostObjects(**manifest.get("lost", {}))
    return VerifiedBackup(not faults and not lost.objects, path, manifest["made"], len(known), faults, lost)


def _decode(manifest: Mapping[str, Any], name: str) -> bytes:
    return base64.b64decode(str(manifest.get(name, "")))
