"""A Slack export as a source: threads and days are its documents, and a newer export of a workspace updates them.

The source is the workspace, whichever file it is read from. What is kept of it from export to export says of each
document how far the export reached that it was read from, because an export shows a part of what there is: some days,
the public channels, the last year. A message is known to be deleted where a newer export has its channel, reaches from
before it to after it, and does not have it. An older export adds what no newer one could have had, and nothing else.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self
from urllib.parse import quote_from_bytes, unquote_to_bytes
from zoneinfo import ZoneInfo

from embedmill.producers.sources.base import Item, Problem, ReadContext, Source, Spec
from embedmill.producers.sources.options import SourceOptions
from embedmill.producers.sources.paths import named_path, shown
from embedmill.producers.sources.slack.export import Export
from embedmill.producers.sources.slack.files import opened
from embedmill.producers.sources.slack.known import Known
from embedmill.producers.sources.slack.reading import ExportReading
from embedmill.shared.errors import DocumentError, SourceError, SourceGone, UnreadableDocument
from embedmill.shared.files import describe_os_error

SCHEME = "slack:"
_HINT = "Name the export's zip, or the folder that it was unpacked to."


@dataclass(frozen=True, slots=True)
class SlackSource(Source):
    """An export at an absolute path, a zip or a folder, with days of a zone; `team` is "" where it is not known."""

    kind: ClassVar[str] = "slack"
    detects_deletions: ClassVar[bool] = False
    takes: ClassVar[tuple[str, ...]] = ("zone",)
    empty: ClassVar[str] = "no message is in it"

    path: bytes
    zone: str
    team: str

    @classmethod
    def open(cls, url: str, options: SourceOptions) -> Self:
        path = named_path(url, SCHEME)
        try:
            with opened(path) as files:
                team = _require_export(Export.read(files, ZoneInfo("UTC"))).team()
        except SourceGone as error:
            raise SourceError(f"cannot read {shown(path)}: {error}", hint=f"Check the path. {_HINT}") from error
        except DocumentError as error:
            raise SourceError(f"{shown(path)} is no export of Slack: {error}", hint=error.hint) from error
        except OSError as error:
            raise SourceError(f"cannot read {shown(path)}: {describe_os_error(error)}") from error
        return cls(path, options.dates.zone, team)

    @classmethod
    def from_spec(cls, spec: Spec) -> Self:
        return cls(unquote_to_bytes(spec["uri"].removeprefix(SCHEME)), spec["zone"], spec["team"])

    @property
    def spec(self) -> Spec:
        """Where the export is, its workspace, and the zone of its days."""
        return {"kind": self.kind, "uri": SCHEME + quote_from_bytes(self.path), "zone": self.zone, "team": self.team}

    @property
    def identity(self) -> str:
        """The workspace, whose exports are states of one source; the path where it is not known."""
        known = {name: value for name, value in self.spec.items() if name != "uri" or not self.team}
        return json.dumps(known, sort_keys=True, separators=(",", ":"))

    def spec_of_newest(self, context: ReadContext) -> Spec:
        return {**self.spec, "uri": Known(context.memory).newest_export() or self.spec["uri"]}

    def read(self, context: ReadContext) -> Iterator[Item]:
        uri = str(self.spec["uri"])
        try:
            with opened(self.path) as files:
                yield from ExportReading(Export.read(files, ZoneInfo(self.zone)), context, uri, self.team).items()
        except DocumentError as error:
            yield Problem(uri, str(error))
        except OSError as error:
            yield Problem(uri, describe_os_error(error))


def _require_export(found: Export) -> Export:
    if not (found.workspace.lists or found.workspace.conversations):
        told = "there is no list of channels in it, and no folder with days as 2026-11-30.json"
        raise UnreadableDocument(told, hint=_HINT)
    return found
