"""What names a secret without being it: a file, or `env:NAME` for a variable that holds it."""

import os

ENVIRONMENT = "env:"


def anchor(reference: str) -> str:
    """The same file from wherever it is read later: a source is read again by processes that work in other folders."""
    return reference if not reference or reference.startswith(ENVIRONMENT) else os.path.abspath(reference)
