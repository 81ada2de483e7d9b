"""A Postgres server for the tests: that of TEST_POSTGRES_URL, or one of this host on a socket in a new folder."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OWNER = "postgres"


def why_not() -> str | None:
    """Why Postgres cannot be tested here, or None when it can."""
    if importlib.util.find_spec("psycopg") is None:
        return "the postgres extra is not installed"
    if os.environ.get("TEST_POSTGRES_URL") or _programs() is not None:
        return None
    return "set TEST_POSTGRES_URL, or install a Postgres server"


@contextmanager
def running_server() -> Iterator[str]:
    """The URL of an empty database."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="embedmill-pg-"))
    try:
        _give_away(folder)
        _run("initdb", "-D", folder / "data", "-U", OWNER, "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c full_page_writes=off"
        _run("pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://{OWNER}@/postgres?host={folder}"
        finally:
            _run("pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    found = [Path(path).resolve().parent for path in (shutil.which("pg_ctl"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in found if (folder / "initdb").exists() and _can_run()), None)


def _can_run() -> bool:
    """The server refuses to run as root, who has to lend it to its owner."""
    return os.geteuid() != 0 or OWNER in {entry.pw_name for entry in pwd.getpwall()}


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER)


def _run(program: str, *arguments: object) -> None:
    programs = _programs()
    assert programs is not None
    as_owner = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups"] if os.geteuid() == 0 else []
    command = [*as_owner, str(programs / program), *map(str, arguments)]
    # The server inherits its starter's streams; a pipe would stay open for as long as it runs.
    subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
    )
