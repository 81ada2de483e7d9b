"""Which paths of a folder a user asked for: gitignore patterns to include and to exclude."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from shared.errors import UsageError

VERSION_CONTROL = frozenset({b".git", b".hg", b".svn"})


@dataclass(frozen=True, slots=True)
class Globs:
    """Compiled patterns, asked about paths relative to the root; a folder's path ends in a slash."""

    include: GitIgnoreSpec | None
    exclude: GitIgnoreSpec | None

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


def compile_globs(include: Sequence[str], exclude: Sequence[str]) -> Globs:
    """Raise UsageError for a pattern without a meaning."""
    return Globs(_compile(include), _compile(exclude))


def _compile(patterns: Sequence[str]) -> GitIgnoreSpec | None:
    if not patterns:
        return None
    for pattern in patterns:
        _check(pattern)
    return GitIgnoreSpec.from_lines(patterns, backend="simple")


def _check(pattern: str) -> None:
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
