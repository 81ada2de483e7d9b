"""What a detector finds, how sure it is, and what becomes of findings that overlap."""

from collections.abc import Iterable
from enum import IntEnum
from operator import itemgetter
from typing import NamedTuple


class Certainty(IntEnum):
    """Why a finding is believed; the better reason gives the type where several overlap."""

    HINTED = 1
    """A word before it says so."""
    FORMED = 2
    """Nothing else has this form."""
    CHECKED = 3
    """Its check digits are right, or its form cannot be met by chance."""


class Finding(NamedTuple):
    """`text[start:end]` is of a type."""

    type: str
    start: int
    end: int
    certainty: Certainty

    @property
    def rank(self) -> tuple[int, int]:
        return self.certainty, self.end - self.start


_START = itemgetter(1)


def united(findings: Iterable[Finding]) -> list[Finding]:
    """In order and apart: what overlaps is one finding, from its first to its last character, of the surest type."""
    apart: list[Finding] = []
    reached = -1
    for finding in sorted(findings, key=_START):
        if finding.start >= reached:
            apart.append(finding)
            reached = finding.end
            continue
        best = max(apart[-1], finding, key=lambda f: f.rank)
        reached = max(reached, finding.end)
        apart[-1] = Finding(best.type, apart[-1].start, reached, best.certainty)
    return apart
