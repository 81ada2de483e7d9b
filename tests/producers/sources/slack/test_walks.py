"""Walks: people talk, edit and delete, exports of any dates are made and read in any order; the index keeps up."""

import random
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from embedmill.producers.sources.slack.gathering import day_of
from tests.producers.sources.slack.exports import Index, by_day, write_export

Place = tuple[str, str]
"""A message by its channel and stamp."""
STEPS = 60
HOURS = 4
CHANNELS = {"C00000001": "general", "C00000002": "random"}
LISTS = {
    "users.json": [{"id": "U1", "team_id": "T1", "name": "ada"}],
    "channels.json": [{"id": id_, "name": name} for id_, name in CHANNELS.items()],
}


class Workspace:
    """What people have said, by channel and stamp, and what was deleted of it."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.now = 1_777_000_000
        self.said: dict[Place, dict[str, Any]] = {}
        self.deleted: set[Place] = set()
        self.exports: list[tuple[Path, set[Place]]] = []
        self._count = 0

    def step(self) -> None:
        """Something that people do."""
        self.now += self.random.randrange(1, HOURS * 3600)
        doing = self.random.choice([self.say, self.say, self.reply, self.reply, self.edit, self.delete])
        doing()

    def _add(self, channel: str, **more: Any) -> None:
        self._count += 1
        ts = f"{self.now}.{self._count:06}"
        self.said[channel, ts] = {"type": "message", "user": "U1", "text": f"<{self._count}>", "ts": ts} | more

    def say(self) -> None:
        self._add(self.random.choice(list(CHANNELS)))

    def reply(self) -> None:
        if (place := self._pick()) is None:
            return
        root = self.said[place].get("thread_ts", place[1])
        if (place[0], root) in self.said:
            self.said[place[0], root] |= {"thread_ts": root, "reply_count": 1}
        self._add(place[0], thread_ts=root)

    def edit(self) -> None:
        if (place := self._pick()) is not None:
            self.said[place] |= {"text": f"{self.said[place]['text']}!", "edited": {"ts": f"{self.now}.000000"}}

    def delete(self) -> None:
        if (place := self._pick()) is not None:
            del self.said[place]
            self.deleted.add(place)

    def _pick(self) -> Place | None:
        return self.random.choice(list(self.said)) if self.said else None

    def must_be_gone(self, taken: set[Place], roots: dict[Place, Place]) -> set[Place]:
        """What an export of all shows to be deleted: it has the channel, and begins on a day before, and ends after."""
        channels, stamps = {channel for channel, _ in taken}, [ts for _, ts in taken]
        first, last = min(stamps, default=""), max(stamps, default="")
        return {
            (channel, ts)
            for channel, ts in self.deleted
            if channel in channels
            and ts < last
            and roots[channel, ts][1] >= first
            and day_of(roots[channel, ts][1], UTC) > day_of(first, UTC)
        }

    def export(self) -> tuple[Path, set[Place]]:
        """All until now, or what was said from some day on."""
        since = self.random.choice([0, 0, self.now - self.random.randrange(1, 6) * 86400])
        taken = {place: message for place, message in self.said.items() if float(place[1]) >= since}
        files: dict[str, Any] = dict(LISTS)
        for id_, name in CHANNELS.items():
            files |= by_day(name, [message for place, message in sorted(taken.items()) if place[0] == id_])
        path = write_export(self.folder / f"{len(self.exports)}.zip", files)
        self.exports.append((path, set(taken)))
        return self.exports[-1]


def name_of(message: dict[str, Any]) -> str:
    """A message's number, whatever became of its text."""
    return str(message["text"]).rstrip("!")


@pytest.mark.parametrize("seed", range(6))
def test_nothing_that_is_there_is_lost_and_what_was_deleted_leaves(tmp_path: Path, seed: int) -> None:
    workspace, index = Workspace(seed, tmp_path), Index()
    roots: dict[Place, Place] = {}
    names: dict[Place, str] = {}
    met: set[Place] = set()
    newest = ""
    for _ in range(STEPS):
        workspace.step()
        names |= {place: name_of(message) for place, message in workspace.said.items()}
        roots |= {(c, ts): (c, m.get("thread_ts", ts)) for (c, ts), m in workspace.said.items()}
        if workspace.random.random() < 0.7:
            continue
        if workspace.exports and workspace.random.random() < 0.3:
            index.ingest(workspace.random.choice(workspace.exports)[0])
        else:
            path, taken = workspace.export()
            index.ingest(path)
            met |= taken
            stamps = [ts for _, ts in taken]
            if len(taken) == len(workspace.said) and max(stamps, default="") > newest:
                assert not {p for p in met if names[p] in all_of(index)} & workspace.must_be_gone(taken, roots)
            newest = max([newest, *stamps])
        assert not {names[place] for place in met & workspace.said.keys() if names[place] not in all_of(index)}


def all_of(index: Index) -> str:
    return "\n".join(index.texts.values())
