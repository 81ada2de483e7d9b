"""`embedmill doctor`: whether everything that it needs is there and works."""

from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import DONE, FAILED, print_result, print_wrapped

if TYPE_CHECKING:
    from embedmill.console.services.doctor import Examination


def doctor(as_json: AsJson = False) -> None:
    """Check settings, services, keys and workers."""
    from embedmill.console.services.doctor import examine
    from embedmill.shared.configuration import load_settings
    from embedmill.shared.errors import SettingsError
    from embedmill.shared.logs import configure_logs

    # Settings that cannot be read are what the examination is to tell.
    with suppress(SettingsError):
        configure_logs(load_settings().log_level)
    found = examine()
    print_result(found, print_checks, as_json=as_json)
    raise typer.Exit(DONE if found.ok else FAILED)


def print_checks(found: "Examination") -> None:
    """The checks for people."""
    for check in found.checks:
        print_wrapped(f"{'ok  ' if check.ok else 'FAIL'} {check.name:10} {check.detail}")
        if check.hint:
            print_wrapped(f"     next: {check.hint}")
