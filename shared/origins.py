"""The one table of kinds of documents: where each is listed and how it is read.

What users name by a URL of a kind's scheme, `kind://…`, is opened by its entry's source. So a new source is a module
and a line here; one that yields rows, or bytes that it holds, needs no loader, since submission keeps them. Another
package brings one by an entry point of the group `embedmill.sources`, whose name is the kind and whose object is an
Origin.
"""

from dataclasses import dataclass
from functools import cache

from embedmill.shared.errors import SourceError


@dataclass(frozen=True, slots=True)
class Origin:
    """How documents of one kind are listed and read; `module:Class`, imported on demand, empty where there is none."""

    loader: str = ""
    source: str = ""
    """A Source that is opened by a URL (`embedmill.producers.sources.base`)."""
    is_place: bool = False
    """Whether a document's URI is where it is, so that it is the same document in whichever source it is met."""


GROUP = "embedmill.sources"

ORIGINS: dict[str, Origin] = {
    "file": Origin(loader="embedmill.shared.loading.loaders:FileLoader"),
    "held": Origin(loader="embedmill.shared.loading.loaders:HeldLoader"),
    "http": Origin(source="embedmill.producers.sources.web.source:WebSource", is_place=True),
    "https": Origin(source="embedmill.producers.sources.web.source:WebSource", is_place=True),
    "maildir": Origin(
        loader="embedmill.shared.loading.maildirs:MaildirLoader",
        source="embedmill.producers.sources.maildir:MaildirSource",
    ),
    "member": Origin(loader="embedmill.shared.loading.members:MemberLoader"),
    "mariadb": Origin(source="embedmill.producers.sources.sql.source:MySqlSource"),
    "mysql": Origin(source="embedmill.producers.sources.sql.source:MySqlSource"),
    "postgres": Origin(source="embedmill.producers.sources.sql.source:PostgresSource"),
    "postgresql": Origin(source="embedmill.producers.sources.sql.source:PostgresSource"),
    "s3": Origin(
        loader="embedmill.shared.loading.objects:S3Loader",
        source="embedmill.producers.sources.buckets.source:S3Source",
        is_place=True,
    ),
    "row": Origin(loader="embedmill.shared.loading.loaders:RowLoader"),
    "slack": Origin(source="embedmill.producers.sources.slack.source:SlackSource"),
    "sqlite": Origin(source="embedmill.producers.sources.sql.source:SqliteSource"),
}


def find_origin(kind: str) -> Origin | None:
    """The entry of a kind, here or in another package; raises SourceError for a package that cannot be loaded."""
    return ORIGINS.get(kind) or _find_entry_point(kind)


@cache
def _find_entry_point(kind: str) -> Origin | None:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP, name=kind):
        try:
            found = point.load()
        except Exception as error:
            told = f"the package that brings {kind}: sources cannot be loaded ({type(error).__name__})"
            raise SourceError(told, hint=f"Check it: python -c 'import {point.module}'") from error
        if isinstance(found, Origin):
            return found
        raise SourceError(f"{point.value} of another package is no Origin", hint="See docs/extending.md.")
    return None
