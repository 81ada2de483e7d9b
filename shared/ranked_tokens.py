"""The tokens of OpenAI's encoding cl100k_base, as bytes, in the order of their ranks."""

from importlib.resources import files

ENCODING = "cl100k_base"
SEPARATOR = b"\xc0\xc1\xf5"
"""Stands between two tokens in the file: no token holds it, and none of its ends is one of its beginnings."""


def read_tokens() -> list[bytes]:
    """All of them, read from a file of ours: its README tells how it was made."""
    return files("embedmill.shared").joinpath(f"vocabulary/{ENCODING}.tokens").read_bytes().split(SEPARATOR)
