"""What is kept of a page from one crawl to the next: how to ask whether it has changed, and where it leads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embedmill.producers.sources.web.addresses import origin

PAGES = "page/"
RULES = "robots/"
CRAWL = "crawl"

# Names in memory, short because there is one of each a page.
_NAMES = {
    "at": "at",
    "is_document": "doc",
    "etag": "etag",
    "modified": "modified",
    "canonical": "canonical",
    "says": "says",
    "why": "why",
    "gone_since": "gone",
}


@dataclass(frozen=True, slots=True)
class KnownPage:
    """A page as it was when it was asked, `at` seconds since 1970.

    `is_document` unless it never was one. `why` says why it is none, or none any more; `gone_since` is when it was
    first said to be gone.
    """

    at: float = 0.0
    is_document: bool = False
    etag: str = ""
    modified: str = ""
    links: tuple[str, ...] = ()
    canonical: str = ""
    says: str = ""
    why: str = ""
    gone_since: float = 0.0

    @property
    def conditions(self) -> dict[str, str]:
        """The headers by which only a change is answered."""
        given = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in given.items() if value}


def page_key(address: str) -> str:
    """Under which a page is kept."""
    return PAGES + address


def recall(value: Mapping[str, Any], address: str) -> KnownPage:
    """A page as it was kept."""
    fields = {name: value[short] for name, short in _NAMES.items() if short in value}
    home = origin(address)
    return KnownPage(
        **fields, links=tuple(home + link if link.startswith("/") else link for link in value.get("links", ()))
    )


def keep(known: KnownPage, address: str) -> dict[str, Any]:
    """A page as it is kept; links of its own site without the site, as most are."""
    home = origin(address)
    own = home + "/"
    links = [link.removeprefix(home) if link.startswith(own) else link for link in known.links]
    values = {short: getattr(known, name) for name, short in _NAMES.items()}
    return {**{short: value for short, value in values.items() if value}, **({"links": links} if links else {})}
