"""Restores an installation from a backup, and erases at once what was erased since."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import orjson

from embedmill.console.listening import NOBODY, Listener
from embedmill.console.services.backups import BLOBS, CACHE_FILE, VECTORS, LostObjects, read_manifest, verify_backup
from embedmill.console.services.erasing import carry_out
from embedmill.console.services.opening import open_runtime
from embedmill.console.services.reach import installation
from embedmill.console.services.serving import serves
from embedmill.console.services.verifying import Repaired, verify
from embedmill.shared.access.principals import Right
from embedmill.shared.audit.anchors import FOLDER as ANCHORS
from embedmill.shared.db import collections, described, dumping, leases, rescues, tombstones, traces
from embedmill.shared.db.cache import make_tables
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.db.opening import HEAD, migrate, open_database
from embedmill.shared.db.tombstones import NamedDocument, Tombstone
from embedmill.shared.erasing import RESTORE, MarkKind
from embedmill.shared.errors import EmbedmillError, HomeInUse, StorageFailed, UsageError
from embedmill.shared.paging import walk
from embedmill.shared.presence import RUN, is_gone
from embedmill.shared.privacy.keys import KEY_FILE
from embedmill.shared.providers.blobs.folder import FolderBlobStore
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.workers.erasing import eraser, receipts

PAGE = 2000


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored. `documents` are those that readers see, `erased` those that had been erased since.

    `repaired` were lacking in a store, `aside` is where the home of before is now, if there was one.
    """

    home: Path
    made: str
    documents: int
    tombstones: int
    erased: int
    repaired: int
    aside: Path | None
    missing: Sequence[str]
    lost: LostObjects
    waits_for: str | None


def restore_backup(
    settings: Settings,
    path: Path,
    *,
    receipt_folders: Sequence[Path] = (),
    replace: bool = False,
    listener: Listener = NOBODY,
) -> Restored:
    """Restore into the home and the database that are set.

    A home that is there is put aside if it may be replaced; a server's database has to be empty. Tombstones are taken
    from the backup, from receipts beside it and in further folders, and from the home of before. Raises UsageError for
    a backup that is not whole, HomeInUse, StorageFailed.
    """
    manifest = read_manifest(path)
    _require_whole(path)
    on_server = manifest["database"] != "sqlite"
    if on_server != bool(settings.database_url and not settings.database_url.startswith("sqlite")):
        raise UsageError(f"the backup is of {manifest['database']}", hint="Set EMBEDMILL_DATABASE_URL accordingly.")
    known = list(_read_receipts([path / receipts.FOLDER, settings.home_path / receipts.FOLDER, *receipt_folders]))
    known += _read_present(settings) if not on_server else []
    if on_server:
        _require_room(settings, manifest["schema"])
    aside = _put_aside(settings, replace=replace)
    _fill_home(settings, path)
    if on_server:
        _fill_server(settings, path, manifest["schema"])
    with open_runtime(settings) as runtime:
        return _finish(runtime, path, known, aside, listener)


def _require_whole(path: Path) -> None:
    verified = verify_backup(path)
    # What was lost before the backup was made is in no other; the rest is not to be lost with it.
    if verified.faults:
        raise UsageError(f"{path} is not whole: {verified.faults[0]}", hint="Restore from another backup.")


def _read_receipts(folders: Sequence[Path]) -> Iterator[Tombstone]:
    """The tombstones of receipts; what is none is passed over."""
    for file in (file for folder in folders for file in sorted(folder.glob("*.json"))):
        try:
            receipt = orjson.loads(file.read_bytes())
            marks = {mark: MarkKind(kind) for mark, kind in receipt["tombstones"].items()}
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            continue
        yield from (Tombstone(mark, kind, str(receipt["erasure"])) for mark, kind in marks.items())


def _read_present(settings: Settings) -> list[Tombstone]:
    """The tombstones of a home that is to be replaced, as far as it can be read."""
    if not (settings.home_path / dumping.FILE).exists():
        return []
    try:
        with closing(open_database(settings.database)) as database:
            return database.query(tombstones.list_all)
    except EmbedmillError:
        return []


def _put_aside(settings: Settings, *, replace: bool) -> Path | None:
    home = settings.home_path
    if not home.exists() or not any(home.iterdir()):
        return None
    if not replace:
        raise HomeInUse(f"{home} holds an installation", hint="Give --replace, which puts it aside, or another home.")
    if alive := [lock for lock in (home / RUN).glob("*.lock") if is_gone(home / RUN, lock.stem) is False]:
        raise HomeInUse(f"{len(alive)} processes work in {home}", hint="Stop its workers first.")
    aside = next(p for n in count(1) if not (p := home.with_name(f"{home.name}.replaced-{n}")).exists())
    home.rename(aside)
    return aside


def _fill_home(settings: Settings, path: Path) -> None:
    home = settings.home_path
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (dumping.FILE, CACHE_FILE, KEY_FILE):
        if (path / name).exists():
            shutil.copyfile(path / name, home / name)
            (home / name).chmod(0o600)
    for name in (VECTORS, receipts.FOLDER, ANCHORS):
        if (path / name).exists():
            shutil.copytree(path / name, home / name, dirs_exist_ok=True)


def _require_room(settings: Settings, schema: str) -> None:
    """Before anything is written, so that whoever is refused may ask again."""
    if schema > HEAD:
        raise UsageError(f"the backup was made by a newer Embedmill (schema {schema}, this one knows {HEAD})")
    with closing(Database(settings.database)) as database:
        dumping.require_empty(database)


def _fill_server(settings: Settings, path: Path, schema: str) -> None:
    with closing(Database(settings.database)) as database:
        migrate(database, revision=schema)
        database.alter(make_tables)
        dumping.load(database, path)
        migrate(database)


@serves("backups.restore", Right.MANAGE, installation)
def _finish(
    runtime: Runtime, path: Path, known: Sequence[Tombstone], aside: Path | None, listener: Listener
) -> Restored:
    """Objects, tombstones, erasures of what came back, and then what the stores lack."""
    _copy_objects(runtime, path)
    runtime.database.transact(partial(_prepare, known=known))
    back = _find_erased(runtime)
    ids = [eraser.begin(runtime, back, cause=RESTORE)] if back else []
    done = carry_out(runtime, ids, listener=listener)
    # What the stores lack is made of what is here, for nothing.
    found = verify(runtime, repair=True, listener=listener).collections
    repaired = sum(each.indexed_again for each in found if isinstance(each, Repaired))
    manifest = read_manifest(path)
    return Restored(
        home=runtime.home,
        made=manifest["made"],
        documents=runtime.database.query(_count_seen),
        tombstones=len(runtime.database.query(tombstones.list_all)),
        erased=done.erased,
        repaired=repaired,
        aside=aside,
        missing=manifest["missing"],
        lost=LostObjects(**manifest.get("lost", {})),
        waits_for=done.waits_for,
    )


def _count_seen(connection: Connection) -> int:
    return sum(collections.count_documents(connection, each.id)[0] for each in collections.list_collections(connection))


def _copy_objects(runtime: Runtime, path: Path) -> None:
    source = FolderBlobStore(path / BLOBS)
    for name, _ in source.list_objects():
        if runtime.blobs.put(source.get(name)) != name:
            raise StorageFailed(f"object {name[:12]} of the backup is damaged")


def _prepare(connection: Connection, known: Sequence[Tombstone]) -> None:
    # Nobody works here: what workers had in hand when the backup was made is given back at once.
    for lease in leases.find_leases(connection):
        rescues.rescue_silent(connection, lease.token)
    dumping.forget_processes(connection)
    for stone in known:
        tombstones.set_tombstones(connection, stone.erasure_id, {stone.mark: stone.kind})


def _find_erased(runtime: Runtime) -> list[str]:
    """Documents of the backup that have a tombstone under their name.

    One that has only the content of what was erased is another, which nobody asked to erase.
    """

    def find(after: str) -> Sequence[str]:
        return runtime.database.query(partial(described.list_ids, after=after, limit=PAGE))

    return [id for ids in walk(find, key=str) for id in runtime.database.query(_match, runtime, ids)]


def _match(connection: Connection, runtime: Runtime, ids: Sequence[str]) -> list[str]:
    contents: Mapping[str, tuple[str, str]] = traces.find_contents(connection, ids)
    uris = traces.find_uris(connection, ids)
    marks: dict[str, set[str]] = {}
    for id, (collection, content_hash) in contents.items():
        for mark, kind in runtime.marker.barring(NamedDocument(id, collection, content_hash, uris[id])).items():
            if kind is not MarkKind.CONTENT:
                marks.setdefault(mark, set()).add(id)
    return sorted({id for mark in tombstones.find_marks(connection, list(marks)) for id in marks[mark]})
