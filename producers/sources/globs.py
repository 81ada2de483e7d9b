"""Which paths of a folder a user asked for: gitignore patterns to include and to exclude."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedmill.shared.errors import UsageError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


@dataclass(frozen=True, slots=True)
class Globs:
    """Compiled patterns, asked about paths relative to the root; a folder's path ends in a slash."""

    include: "GitIgnoreSpec | None"
    exclude: "GitIgnoreSpec | None"

    def takes(self, file: bytes) -> bool:
        """Whether a file is wanted."""
        if self.include is None and self.exclude is None:
            return True
        name = _matchable(file)
        wanted = self.include is None or self.include.match_file(name)
        return wanted and not (self.exclude is not None and self.exclude.match_file(name))

    def enters(self, folder: bytes) -> bool:
        """Whether anything below a folder can be wanted."""
        return self.exclude is None or not self.exclude.match_file(_matchable(folder))


class Unmatched:
    """The patterns to include that no file has matched yet; each is asked only until one has."""

    def __init__(self, include: Sequence[str]) -> None:
        self._left = {pattern: _compile((pattern,)) for pattern in include if not pattern.startswith("!")}

    def meet(self, file: bytes) -> None:
        """Strike out the patterns that a file matches."""
        if self._left:
            name = _matchable(file)
            matched = [pattern for pattern, spec in self._left.items() if spec is not None and spec.match_file(name)]
            for pattern in matched:
                del self._left[pattern]

    @property
    def patterns(self) -> list[str]:
        """Those that are left, in the order given."""
        return list(self._left)


def compile_globs(include: Sequence[str], exclude: Sequence[str]) -> Globs:
    """Raise UsageError for a pattern without a meaning."""
    return Globs(_compile(include), _compile(exclude))


def _compile(patterns: Sequence[str]) -> "GitIgnoreSpec | None":
    if not patterns:
        return None
    from pathspec import GitIgnoreSpec

    for pattern in patterns:
        _check(pattern)
    return GitIgnoreSpec.from_lines(patterns, backend="simple")


def _check(pattern: str) -> None:
    from pathspec import GitIgnoreSpec

    try:
        pattern.encode()
        compiled = GitIgnoreSpec.from_lines([pattern], backend="simple").patterns
    except ValueError as error:
        raise UsageError(f"not a pattern: {pattern!a}", hint="Write it as in a .gitignore, in UTF-8.") from error
    if all(part.include is None for part in compiled):
        raise UsageError(f"a pattern that matches nothing: {pattern!a}", hint=r"Write \# for a leading #.")


def _matchable(path: bytes) -> str:
    # The patterns' regular expressions do not let `.` match a newline, which a name may hold.
    return os.fsdecode(path).replace("\n", "\x1f")
