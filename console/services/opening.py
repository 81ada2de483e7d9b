"""Opens what services work on: a runtime of this process, under a name that others see alive."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from embedmill.console.listening import NOBODY, Listener, Notice
from embedmill.shared.errors import HomeInUse
from embedmill.shared.presence import Presence
from embedmill.shared.runtime import USE_ANOTHER, Runtime, prepare_home
from embedmill.shared.settings import Settings
from embedmill.shared.sqlite_files import is_writable


@contextmanager
def open_runtime(settings: Settings) -> Iterator[Runtime]:
    """A runtime that may write; raises HomeInUse, SettingsError."""
    home = prepare_home(settings)
    if not is_writable(home):
        raise HomeInUse(f"the home folder {home} cannot be written", hint=USE_ANOTHER)
    with Presence(home / "run") as alive, closing(Runtime(settings, process_id=alive.id)) as runtime:
        yield runtime


@contextmanager
def open_to_read(settings: Settings, listener: Listener = NOBODY) -> Iterator[Runtime]:
    """A runtime for reading: a home that cannot be written is read as it stands."""
    home = settings.home_path
    if is_writable(home) or not home.is_dir():
        with open_runtime(settings) as runtime:
            yield runtime
        return
    listener.on_notice(Notice(f"{home} cannot be written: it is read as it stands"))
    with closing(Runtime(settings, process_id=f"reader-{os.getpid()}")) as runtime:
        yield runtime
