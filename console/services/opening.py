"""Opens what services work on: a runtime of this process, under a name that others see alive."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from embedmill.console.listening import NOBODY, Listener, Notice
from embedmill.shared.errors import HomeInUse
from embedmill.shared.homes import USE_ANOTHER, prepare_home
from embedmill.shared.presence import RUN, Presence
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.sqlite_files import has_room, may_write, read_as_they_stand


@contextmanager
def open_runtime(settings: Settings) -> Iterator[Runtime]:
    """A runtime that may write; raises HomeInUse, SettingsError."""
    home = prepare_home(settings)
    if refusing := find_refusing(home):
        raise HomeInUse(f"{refusing} cannot be written", hint=USE_ANOTHER)
    with Presence(home / RUN) as alive, closing(Runtime(settings, process_id=alive.id)) as runtime:
        yield runtime


@contextmanager
def open_to_read(settings: Settings, listener: Listener = NOBODY) -> Iterator[Runtime]:
    """A runtime for reading: a home that cannot be written, be the disk full, is read as it stands."""
    home = settings.home_path
    why = _why_to_read_only(home) if home.is_dir() else ""
    if not why:
        with open_runtime(settings) as runtime:
            yield runtime
        return
    listener.on_notice(Notice(f"{why}: it is read as it stands"))
    with read_as_they_stand(), closing(Runtime(settings, process_id=f"reader-{os.getpid()}")) as runtime:
        yield runtime


def _why_to_read_only(home: Path) -> str:
    if refusing := find_refusing(home):
        return f"{refusing} cannot be written"
    return "" if has_room(home) else f"{home} is on a full disk"


def find_refusing(home: Path) -> Path | None:
    """The folder that this user may not write, of those that every command writes to."""
    return next((folder for folder in (home, home / RUN) if folder.exists() and not may_write(folder)), None)
