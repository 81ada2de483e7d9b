"""The policies of redaction: what is looked for, and what of that decides whether a document is as it was."""

from collections.abc import Sequence

from embedmill.shared.addresses import digest
from embedmill.shared.errors import SettingsError

OFF, PATTERNS, NAMES = "off", "patterns", "names"
POLICIES = (OFF, PATTERNS, NAMES)
OWN = "own"
"""The scanner for secrets that is always there."""
VERSION = "8"
"""To be raised when other things are found in the same text, or other placeholders are given."""


REDACTED = "redacted"
"""In an origin: by which policy submission redacted what it keeps, and what it found."""


MARK = "redacted-"
"""What stands before a hash in a URI."""


def require_policy(name: str) -> str:
    """The policy by that name; raises SettingsError."""
    if name not in POLICIES:
        raise SettingsError(f"unknown redaction policy {name!r}; there are {', '.join(POLICIES)}")
    return name


def policy_id(name: str, scanner: str = OWN, keep: Sequence[str] = ()) -> str:
    """A policy with the version of what it finds, what it is helped by, and a hash of the values that stay.

    Empty where nothing is looked for.
    """
    helped = "" if scanner == OWN else f"+{scanner}"
    but = f"-{digest('keep', *sorted(keep))[:8]}" if keep else ""
    return "" if name == OFF else f"{name}/{VERSION}{helped}{but}"
