"""What looks like an export of Slack to whoever reads it as files: it is told how to read it as what it is."""

import re
from collections.abc import Iterator

from embedmill.producers.sources.base import Item, Remark, RemarkKind
from embedmill.producers.sources.paths import shown
from embedmill.shared.containers.walk import WITHIN
from embedmill.shared.uris import uri_to_path

_LISTS = ("/users.json", "/channels.json")
_DAY = re.compile(r"(.*)/[^/]+/\d{4}-\d\d-\d\d\.json", re.DOTALL)
MOST = 20
"""Exports of one source that are told."""


class Exports:
    """The folders and archives that have a list of people or channels, and below it folders with days."""

    def __init__(self) -> None:
        self._with_lists: set[str] = set()
        self._with_days: set[str] = set()

    def watch(self, items: Iterator[Item]) -> Iterator[Item]:
        """Pass items on, and look at their names."""
        for item in items:
            if item.uri.endswith(".json"):
                self._add(item.uri)
            yield item

    def _add(self, uri: str) -> None:
        if uri.endswith(_LISTS):
            self._with_lists.add(uri.rpartition("/")[0])
        elif found := _DAY.fullmatch(uri):
            self._with_days.add(found[1])

    def remarks(self) -> list[Remark]:
        """To be asked at the end."""
        places = {_outermost(root) for root in self._with_lists & self._with_days}
        return [_remark(place) for place in sorted(places)[:MOST]]


def _outermost(root: str) -> str:
    """The archive that a folder is in, or the folder."""
    return root.partition(WITHIN)[0].removesuffix(WITHIN.rstrip("/"))


def _remark(place: str) -> Remark:
    told = f"looks like a Slack export: name it slack:{shown(uri_to_path(place))} to read its threads and days"
    return Remark(place, told, RemarkKind.READ)
