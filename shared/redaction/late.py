"""Patterns that are made when they are first asked: of the hundreds here, most texts ask a few dozen."""

import re
from typing import Any, cast

_ASKED = ("findall", "finditer", "fullmatch", "match", "search", "split", "sub")


class LatePattern:
    """Stands for a pattern; when it is first asked, it has what the pattern answers with for its own."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern, self.flags = pattern, flags

    def __getattr__(self, name: str) -> Any:
        if name not in _ASKED:
            raise AttributeError(name)
        made = re.compile(self.pattern, self.flags)
        self.__dict__.update({asked: getattr(made, asked) for asked in _ASKED})
        return self.__dict__[name]


def late(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern; whether it is one is found out when it is first asked."""
    return cast("re.Pattern[str]", LatePattern(pattern, flags))
