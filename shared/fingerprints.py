"""Root causes: failures that differ only in what they are about get the same fingerprint."""

import re

from embedmill.shared.addresses import digest

LENGTH = 16
"""Hex characters of a fingerprint."""

# What a message is about, not what went wrong; in this order, because each pattern would eat parts of the next one's.
_PARTICULARS = (
    (re.compile(r"""(?<!\w)'[^'\n]*'(?!\w)|"[^"\n]*"|`[^`\n]*`|“[^”\n]*”|«[^»\n]*»"""), "<quoted>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s,;)\]}>]+", re.IGNORECASE), "<address>"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<address>"),
    (re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[\w.~-]*(?:[/\\][\w.@%+~-]+)+[/\\]?"), "<path>"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\[[0-9a-f:]*:[0-9a-f:.]*\](?::\d+)?|\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b", re.IGNORECASE), "<host>"),
    (re.compile(r"\b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?::\d+)?\b|\blocalhost(?::\d+)?\b"), "<host>"),
    (re.compile(r"\b[\w-]+:\d{2,5}\b"), "<host>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<number>"),
    (re.compile(r"\b(?=[a-z_-]*\d)(?=[\d_-]*[a-z])[a-z0-9_-]{6,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b[0-9a-f]{16,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"[-+]?\d+(?:[.,:]\d+)*(?:e[-+]?\d+)?", re.IGNORECASE), "<number>"),
    (re.compile(r"(?:<number>[ ,x/-]*)+"), "<number>"),
)


def fingerprint(stage: str, error_class: str, message: str, *, origin: str | None = None) -> str:
    """16 hex characters for a failure's stage, class and gist.

    A foreign error, whose message is never stored, is told by its `origin`: the frames it arose in, without line
    numbers.
    """
    return digest("failure", stage, error_class, origin or gist_of(message), length=LENGTH)


def gist_of(message: str) -> str:
    """A message without the numbers, ids, times, paths, hosts and quoted names that it is about."""
    for pattern, name in _PARTICULARS:
        message = pattern.sub(name, message)
    return " ".join(message.split())
