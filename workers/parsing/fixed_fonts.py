"""Owns which fonts are those that programs are written in, by their names."""

import re

_FIXED = re.compile(r"courier|consolas|menlo|monaco|mono(?:\d|\b)|typewriter", re.IGNORECASE)


def is_fixed(name: str) -> bool:
    """Whether a font of that name gives each letter the same width."""
    return _FIXED.search(name) is not None
