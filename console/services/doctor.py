"""Examines configuration, folders, database, broker, model and consumers, each with what to do."""

import shutil
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from embedmill.console.rendering import counted
from embedmill.console.services.doctor_models import (
    probe_embedders,
    probe_limits,
    probe_prices,
    probe_query_models,
    probe_validators,
)
from embedmill.console.services.opening import find_refusing, open_to_read
from embedmill.console.services.reach import installation
from embedmill.console.services.resealing import find_in_part
from embedmill.console.services.serving import Trace, serves
from embedmill.console.services.transit import find_plain
from embedmill.shared.access.principals import Right
from embedmill.shared.configuration import load_settings, unknown_variables
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.connecting import find_frozen_file, is_server
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.keyring import find_wrapped
from embedmill.shared.errors import EmbedmillError, SettingsError, StorageFailed
from embedmill.shared.homes import USE_ANOTHER
from embedmill.shared.open_files import find_openness
from embedmill.shared.privacy.identities import read_identities
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.spend.shared_state import is_at_broker
from embedmill.shared.sqlite_files import has_room
from embedmill.shared.states import JobState

OTHERS = stat.S_IRWXG | stat.S_IRWXO
LEAST_FREE_BYTES = 1024**3
FREE_SPACE = "Free some disk space."
MOST_SOURCES = 100
FAULTY_SHARDS_HINT = (
    "embedmill verify --repair makes damaged and lost shards anew, for nothing where the cache has the vectors; "
    "see docs/search.md."
)


HINTS: Mapping[str, str] = {
    "blobs": "EMBEDMILL_BLOB_URL says where: start what answers there, or correct it; see docs/providers.md.",
    "cache": "EMBEDMILL_CACHE_URL says where: start what answers there, or correct it; see docs/caches.md.",
    "limits": "EMBEDMILL_LIMITS_URL says where: start what answers there, or correct it, or unset it.",
    "vectors": "EMBEDMILL_VECTOR_URL says where: start what answers there, or correct it; see docs/vector-stores.md.",
    **dict.fromkeys(
        ("embedding", "validator", "queries"), "Is there a way to the vendor from here? HTTPS_PROXY names a proxy."
    ),
}
"""What to do where an error does not say it itself, by the check that met it."""
OTHERWISE = "See docs/operations.md."


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, what there is to say of it, and what to do where it is not well."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """Whether all is well, and everything that was looked at."""

    ok: bool
    checks: list[Check]


def examine(load: Callable[[], Settings] = load_settings) -> Examination:
    """Run every check on the settings that are loaded; one that fails does not hide the others."""
    checks = [_check("python", _python), _check("settings", partial(_settings, load))]
    if not checks[-1].ok:
        return Examination(ok=False, checks=checks)
    try:
        # A server that is away is what somebody wants to hear now, not after each check has waited for it.
        with open_to_read(load().model_copy(update={"database_outage_seconds": 0.0})) as runtime:
            checks += probe_all(runtime)
    except EmbedmillError as error:
        checks.append(Check("home", ok=False, detail=str(error), hint=error.hint))
    return Examination(all(check.ok for check in checks), checks)


@serves("doctor", Right.OPERATE, installation, trace=Trace.NOTHING)
def probe_all(runtime: Runtime) -> list[Check]:
    """Everything that can be looked at once the settings are read."""
    checks: list[Check] = []
    told: dict[str, str] = {}  # by what is wrong, the check that says so
    for name, probe in _PROBES.items():
        check = _check(name, partial(probe, runtime))
        if not check.ok:
            is_brokers = name == "limits" and "broker" in told.values() and is_at_broker(runtime.settings)
            is_homes = "home" in told.values() and _is_at_home(name, runtime.settings)
            first = "home" if is_homes else told.setdefault(check.detail, "broker" if is_brokers else name)
            check = check if first == name else Check(name, ok=False, detail=f"the same as {first}")
        checks.append(check)
    return checks


def _is_at_home(name: str, settings: Settings) -> bool:
    """Whether what a check looks at lies in the home folder, and can be no better than it."""
    match name:
        case "disk":
            return True
        case "broker":
            return settings.broker_url.startswith("embedded:")
        case "blobs":
            return not settings.blob_url
    return False


def _check(name: str, probe: Callable[[], str]) -> Check:
    try:
        return Check(name, ok=True, detail=probe())
    except EmbedmillError as error:
        return Check(name, ok=False, detail=str(error), hint=error.hint or HINTS.get(name, OTHERWISE))
    # Whatever a library raises that nobody thought of: what is asked for is a report, and the other checks.
    except Exception as error:  # noqa: BLE001
        return Check(name, ok=False, detail=f"{type(error).__name__}: {error}", hint=OTHERWISE)


def _python() -> str:
    return f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"


def _settings(load: Callable[[], Settings]) -> str:
    settings = load()
    is_server(settings.database)  # raises SettingsError for a database that is not supported
    openness = ""
    if settings.identity_file is not None:
        read_identities(settings.identity_file.expanduser())  # raises SettingsError for one that cannot be read
        openness = find_openness(settings.identity_file.expanduser())
    unknown = [f"{name} ({meant})" if meant else name for name, meant in unknown_variables().items()]
    told = [*([f"no setting of ours: {', '.join(unknown)}"] if unknown else []), *filter(None, [openness])]
    return f"warning: {'; '.join(told)}" if told else "all known"


def _home(runtime: Runtime) -> str:
    if not has_room(runtime.home):
        raise EmbedmillError(f"{runtime.home} is on a full disk; what is there can be read", hint=FREE_SPACE)
    if refusing := find_refusing(runtime.home):
        raise EmbedmillError(f"{refusing} cannot be written; what is there can be read", hint=USE_ANOTHER)
    others = stat.S_IMODE(runtime.home.stat().st_mode) & OTHERS
    warning = f"; warning: others than its owner may look into it: chmod -R go= {runtime.home}" if others else ""
    return f"{runtime.home}{warning}"


def _disk(runtime: Runtime) -> str:
    free = shutil.disk_usage(runtime.home).free
    if free < LEAST_FREE_BYTES:
        raise EmbedmillError(f"only {free // 1024**2} MB free in {runtime.home}", hint=FREE_SPACE)
    return f"{free // 1024**3} GB free"


def _database(runtime: Runtime) -> str:
    if runtime.database.is_sqlite and find_frozen_file(runtime.settings.database):
        return "SQLite, for one host; read as it stands"
    with runtime.database.write():
        kind = "SQLite, for one host" if runtime.database.is_sqlite else "PostgreSQL"
    return f"{kind}; writable{'' if runtime.database.is_sqlite else _say_kept_here(runtime.settings)}"


def _say_kept_here(settings: Settings) -> str:
    """Of a database that several hosts could share: what of it is kept in this home, where no other finds it."""
    homes = {"vectors": settings.vector_url.startswith("embedded:"), "texts": not settings.blob_url}
    kept = " and ".join(name for name, is_here in homes.items() if is_here)
    return f"; warning: its {kept} are kept in this home, so that no other home can work on it" if kept else ""


def _keys(runtime: Runtime) -> str:
    """Whether every key opens; raises KeyUnavailable for the first that does not."""
    stored = runtime.database.query(find_wrapped)
    if not stored:
        runtime.keys.find_root()  # one that is set and cannot be had is told before anything is made under it
        return "none was needed yet"
    for key in stored:
        runtime.keys.unwrap(key)
    opened = f"{len(stored)}, all open under root key {', '.join(sorted({key.root_name or '' for key in stored}))}"
    if rest := runtime.database.query(partial(find_in_part, runtime)):
        return f"{opened}; warning: documents are under former keys or open to read: {'; '.join(rest)}"
    if runtime.keys.leans_on_own_root():
        return f"{opened}; warning: not all under EMBEDMILL_KEY: `embedmill keys rotate` wraps them by it"
    unused = runtime.keys.unused_own_root()
    return f"{opened}; warning: {unused} opens only copies from before now: remove it" if unused else opened


def _transit(runtime: Runtime) -> str:
    """What is sent in the clear to another machine is well, and worth a warning."""
    plain = find_plain(runtime.settings)
    told = f"warning: not encrypted, and not to this machine: {', '.join(plain)}; see docs/encryption.md"
    return told if plain else "what leaves the machine is encrypted"


def _broker(runtime: Runtime) -> str:
    from embedmill.workers.brokers.table import open_broker

    broker = open_broker(runtime.settings)
    try:
        health = broker.check()
        dead = broker.dead_depths()
    finally:
        broker.close()
    depths = f"dead letters {sum(dead.values())}" if dead else "no dead-letter queues"
    return "; ".join([f"{health.detail}; {depths}", *(f"warning: {warning}" for warning in health.warnings)])


def _blobs(runtime: Runtime) -> str:
    object_ = runtime.blobs.put(b"embedmill doctor")
    runtime.blobs.get(object_)
    return "written and read back"


def _cache(runtime: Runtime) -> str:
    with closing(runtime.open_cache()) as cache:
        held = f"{cache.count()} vectors in {cache.home}"
        return "; ".join([held, *(f"warning: {risk}" for risk in cache.find_risks())])


def _vectors(runtime: Runtime) -> str:
    from embedmill.shared.db import collections

    with runtime.database.read() as connection:
        found = collections.list_collections(connection)
    found_of_each = [count for each in found for count in _count_shards(runtime, each)]
    if faults := [count for count in found_of_each if isinstance(count, str)]:
        raise EmbedmillError("; ".join(faults), hint=FAULTY_SHARDS_HINT)
    vectors = counted(sum(map(int, found_of_each)), "vector")
    return f"{vectors} in {counted(len(found), 'collection')}; {_service(runtime, found)}"


def _count_shards(runtime: Runtime, collection: Collection) -> Iterator[int | str]:
    """The rows of each shard; of one that cannot be read, or lacks what it should hold, what is wrong with it."""
    from embedmill.console.services.shards import find_lost

    store = runtime.store(collection)
    lost = find_lost(runtime, collection, collection.reading_shards)
    for shard in collection.reading_shards:
        named = f"shard {shard} of collection {collection.name}: "
        try:
            yield f"{named}{lost[shard]}" if shard in lost else store.count(shard)
        except StorageFailed as error:
            yield f"{named}{error}"


def _service(runtime: Runtime, found: Sequence[Collection]) -> str:
    """What is behind the vector store; before the first collection, as the default model would use it."""
    from embedmill.shared.providers.vectorstores.base import StoreOptions
    from embedmill.shared.providers.vectorstores.table import open_vector_store

    if found:
        return runtime.store(found[0]).check()
    settings = runtime.settings
    dimensions = runtime.embedder(settings.embedding).dimensions
    store = open_vector_store(
        settings.vector_url, StoreOptions(home=runtime.home, collection_key="doctor", dimensions=dimensions)
    )
    try:
        return store.check()
    finally:
        store.close()


def _workers(runtime: Runtime) -> str:
    from embedmill.console.services.progress import START_WORKERS, say_standstill
    from embedmill.console.services.workers import list_workers

    found = list_workers(runtime)
    refused = [row for row in found.workers if row.broker_refusals]
    if refused:
        count, last = refused[0].broker_refusals, refused[0].broker_refusal
        raise EmbedmillError(
            f"the broker refused worker {refused[0].id} {count} times: {last}",
            hint="Give the workers' credentials the rights of docs/brokers.md, and make the queues; then restart them.",
        )
    pools = found.pools
    stopped = [pool.queue for pool in pools if pool.paused or pool.desired == 0]
    missing = [pool.queue for pool in pools if not pool.actual and pool.queue not in stopped]
    told = "".join(f"; warning: {text}" for text in say_standstill(pools))
    waiting = _count_waiting(runtime)
    if told and waiting:
        told += f" ({counted(waiting, 'document')} of unfinished jobs)"
    if not any(pool.actual for pool in pools):
        if waiting and missing:
            wait = "waits" if waiting == 1 else "wait"
            raise EmbedmillError(
                f"none running, and {counted(waiting, 'document')} {wait} for them{told}", hint=START_WORKERS
            )
        return f"none running; ingest brings its own, submit needs `workers start`{told}"
    if missing:
        raise EmbedmillError(
            f"no consumer on {', '.join(missing)}", hint=f"embedmill workers start --queue {missing[0]}"
        )
    return f"consumers: {', '.join(f'{pool.queue} {pool.actual}' for pool in pools)}{told}"


def _chores(runtime: Runtime) -> str:
    """Whether somebody hands work out; raises EmbedmillError where workers wait in vain."""
    from embedmill.console.services.progress import NO_CHORES, START_CHORES, read_staffing
    from embedmill.shared.db.presence import CHORES, find_chore_holder

    with runtime.database.read() as connection:
        holder = find_chore_holder(connection, CHORES)
        if not read_staffing(runtime, connection).has_chores:
            raise EmbedmillError(NO_CHORES, hint=START_CHORES)
    return f"run by {holder}" if holder else "run by nobody at this moment, and no worker has waited long for them"


def _count_waiting(runtime: Runtime) -> int:
    """Unfinished documents of jobs that may run."""
    from embedmill.shared.db import jobs, tallies

    def count(connection: Connection) -> int:
        found = jobs.list_jobs(connection, wanted=jobs.JobFilter(JobState.RUNNING))
        progress = tallies.measure_each(connection, found).values()
        return sum(sum(states.values()) for each in progress for states in each.active.values())

    return runtime.database.query(count)


def _jobs(runtime: Runtime) -> str:
    from embedmill.shared.db import dead_letters, jobs, unreadable
    from embedmill.shared.letters import LetterFilter

    with runtime.database.read() as connection:
        open_jobs = jobs.list_jobs(connection, wanted=jobs.JobFilter(only_open=True))
        letters = dead_letters.count_letters(connection, LetterFilter())
        messages = unreadable.count_messages(connection)
    return f"{len(open_jobs)} unfinished; {letters} dead letters, {messages} unreadable messages: embedmill dlq list"


def _sources(runtime: Runtime) -> str:
    """Those that are read by themselves: one that failed again and again is not as anybody thinks it is."""
    from embedmill.console.services.watching import find_failing
    from embedmill.shared.db import schedules

    if failing := find_failing(runtime):
        raise EmbedmillError(
            "; ".join(failing), hint="Look at it: embedmill sources show ID; sources schedule ID --off."
        )
    return f"{len(runtime.database.query(schedules.list_schedules))} are read by themselves"


def _accounts(runtime: Runtime) -> str:
    """Those by which sources are read: a query reads what its account may, and an account for reading needs no more."""
    from embedmill.producers.sources.open import source_from_spec
    from embedmill.shared.db import sources
    from embedmill.shared.loading.loaders import source_class

    listed = runtime.database.query(lambda c: sources.list_sources(c, collection_name=None, limit=MOST_SOURCES))
    risks, away = [], []
    for known in (one for one in listed if one.state == "open" and source_class(one.spec["kind"]) is not None):
        try:
            found = source_from_spec(known.spec).find_risks()
            risks += [f"warning: source {known.id} is read by an account with {', '.join(found)}"] if found else []
        except EmbedmillError as error:
            away.append(f"source {known.id}: {error}")
    if away:
        raise EmbedmillError("; ".join(away + risks), hint="Nothing leaves the index meanwhile.")
    return "; ".join(risks) or "sources are read by accounts that only read"


def _ocr(runtime: Runtime) -> str:
    """Whether the program is there that reads pages without text, and its languages."""
    from embedmill.workers.parsing.pdf.ocr import PACKAGE, OcrFailed, missing_languages

    if runtime.settings.ocr == "off":
        return "off"
    languages = runtime.settings.ocr_languages
    try:
        missing = missing_languages(languages)
    except OcrFailed as failure:
        raise SettingsError(str(failure), hint=f"Install {PACKAGE}, or set EMBEDMILL_OCR=off.") from None
    if missing:
        packages = " ".join(f"{PACKAGE}-{language.replace('_', '-')}" for language in missing)
        raise SettingsError(f"tesseract lacks {', '.join(missing)}", hint=f"Install {packages}.")
    return f"tesseract reads {', '.join(languages)}"


_PROBES: Mapping[str, Callable[[Runtime], str]] = {
    "home": _home,
    "disk": _disk,
    "database": _database,
    "keys": _keys,
    "transit": _transit,
    "broker": _broker,
    "blobs": _blobs,
    "cache": _cache,
    "ocr": _ocr,
    "prices": probe_prices,
    "limits": probe_limits,
    "embedding": probe_embedders,
    "validator": probe_validators,
    "queries": probe_query_models,
    "vectors": _vectors,
    "workers": _workers,
    "chores": _chores,
    "jobs": _jobs,
    "accounts": _accounts,
    "sources": _sources,
}
