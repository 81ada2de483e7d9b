"""Owns the names of what is in a container: relative, without `..`, drives and control characters, each once."""

import re

NAMELESS = "nameless"
LONGEST_PART = 255

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DRIVE = re.compile(r"\A[A-Za-z]:")


def clean_path(name: str) -> str:
    r"""The path by which a file in a container is known: `x/../a` is `a`, `../../x` is `x`, `C:\\a\\b` is `a/b`."""
    kept: list[str] = []
    for part in _UNSAFE.sub("", _DRIVE.sub("", name)).replace("\\", "/").split("/"):
        match part.strip():
            case "" | ".":
                pass
            case "..":
                del kept[-1:]
            case _:
                kept.append(part[:LONGEST_PART])
    return "/".join(kept) or NAMELESS


class MemberNames:
    """Tells apart what has the same path in one container."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def take(self, name: str) -> str:
        """The cleaned path; the second file of that path is `a~2.txt`, unless another is called so."""
        path = told = clean_path(name)
        while told in self._seen:
            self._seen[path] += 1
            told = _numbered(path, self._seen[path])
        self._seen[told] = 1
        return told


def _numbered(path: str, count: int) -> str:
    stem, dot, suffix = path.rpartition(".")
    return f"{stem}~{count}.{suffix}" if dot and "/" not in suffix and stem else f"{path}~{count}"


def decode_name(raw: bytes) -> str:
    """A name that says nothing of its encoding: UTF-8 when it is valid, else what DOS wrote."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")
