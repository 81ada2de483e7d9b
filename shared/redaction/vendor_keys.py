"""Keys of some hundred more vendors, as the scanner kingfisher knows them; it is asked beside our own patterns.

Only its scanner is used: what validates or revokes a key would call the vendor.
"""

from collections.abc import Iterator
from functools import cache
from threading import Lock
from typing import Any

from embedmill.shared.errors import MissingExtra
from embedmill.shared.redaction.finding import Certainty, Finding

KINGFISHER = "kingfisher"
_TURN = Lock()


def find_vendor_keys(text: str) -> Iterator[Finding]:
    """Every place at which a key stands that the scanner finds; raises MissingExtra."""
    scanner = require_scanner()
    with _TURN:  # it remembers what it has found, and is told to forget it before the next text
        scanner.reset_dedup()
        secrets = {found.secret for found in scanner.scan(text) if found.secret}
    for secret in sorted(secrets):
        start = text.find(secret)
        while start >= 0:
            yield Finding("SECRET", start, start + len(secret), Certainty.CHECKED)
            start = text.find(secret, start + len(secret))


def require_scanner() -> Any:
    """The scanner, made once for a process: that takes half a second. Raises MissingExtra."""
    try:
        return _load()
    except ImportError:
        raise MissingExtra(
            "EMBEDMILL_SECRET_SCANNER names kingfisher, which is not installed",
            hint="pip install 'embedmill[secrets]', or leave the setting away: our own patterns look for keys, too",
        ) from None


@cache
def _load() -> Any:
    from importlib import import_module

    return import_module("kingfisher_sdk").Scanner()
