"""What an answer says of its page: whether it is a document, which one, and whether it has left.

Statuses are different facts. 200 is a document unless the page is a wall or asks not to be indexed; 304 keeps it; 404
and 410 say that it is gone; 401, 403 and their like only that it is not for us; everything else that nobody knows.
"""

from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from embedmill.producers.sources.base import HeldItem
from embedmill.producers.sources.web.addresses import Link, is_of_calendar
from embedmill.producers.sources.web.client import AnswerHead, WebAnswer
from embedmill.producers.sources.web.fetching import (
    BarredByRobots,
    Elsewhere,
    Fetched,
    Fetcher,
    Got,
    Moved,
    NoAnswer,
    is_start,
)
from embedmill.producers.sources.web.maps import Listed, read_map, unpacked
from embedmill.producers.sources.web.page import HtmlPage, decoded, directives, read_page
from embedmill.producers.sources.web.walls import LOGIN, leads_to_login
from embedmill.shared.errors import DocumentError
from embedmill.shared.files import HEAD_BYTES
from embedmill.shared.left_out.names import LeftOut, is_version_control, reason_by_file_name
from embedmill.shared.left_out.secrets_inside import reason_by_content
from embedmill.shared.spellings import address_key

HTML = ("text/html", "application/xhtml+xml")
_XML = ("application/xml", "text/xml", "application/rss+xml", "application/atom+xml", "application/rdf+xml")
_OFFICE = "application/vnd.openxmlformats-officedocument."
_FILES = (
    "application/pdf", "application/rtf", "application/epub+zip", "application/vnd.ms-excel",
    "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.presentation",
)  # fmt: skip
_NO_TEXT = ("text/css", "text/javascript", "text/ecmascript", "text/calendar", "text/vcard", "text/vtt")
_MEDIA = ("image/", "audio/", "video/", "font/", "model/")
_MAGIC = (b"%PDF-", b"PK\x03\x04")
_VAGUE = ("", "application/octet-stream", "binary/octet-stream", "text/plain")
# What is behind links and holds no document is not asked at all, when its name says so.
LEFT_OUT = tuple(
    ".png .jpg .jpeg .gif .webp .avif .svg .ico .bmp .tif .tiff .css .js .mjs .map .json .woff .woff2 .ttf .otf .eot "
    ".mp3 .mp4 .m4a .m4v .mov .avi .mkv .webm .ogg .wav .flac .zip .gz .tgz .bz2 .xz .7z .rar .tar .iso .img .dmg .exe "
    ".msi .deb .rpm .apk .jar .war .whl .bin .dll .so .wasm .swf".split()
)
_FILE_SUFFIXES = tuple(".pdf .docx .pptx .xlsx .xls .odt .ods .odp .epub .rtf .md .txt .csv .rst".split())

_LEADS = {True: "answers", False: "leads to what answers"}
ANY_ADDRESS = "it says what the site says to any address (a soft 404)"
TO_THE_START = "it leads to the start page"


class AnswerKind(Enum):
    """What an answer is."""

    DOCUMENT = auto()
    UNCHANGED = auto()
    LIST = auto()
    WALL = auto()
    """It has text, and is no document."""
    NOT_FOR_US = auto()
    BARRED = auto()
    """By robots.txt."""
    UNWANTED = auto()
    """It asks not to be indexed: it leaves."""
    GONE = auto()
    MOVED = auto()
    ELSEWHERE = auto()
    NO_DOCUMENT = auto()
    LOST = auto()


@dataclass(frozen=True, slots=True)
class PageVerdict:
    """What an answer is, in words where it is no document, and what it gives: a document, links, or a list."""

    kind: AnswerKind
    reason: str = ""
    item: HeldItem | None = None
    links: tuple[Link, ...] = ()
    listed: Listed | None = None
    canonical: str = ""
    says: str = ""
    """The same for pages that say the same; of a calendar also where dates are others."""
    to: Link | None = None
    answered: str = ""
    """The address that answered, after redirects."""
    etag: str = ""
    modified: str = ""
    seconds: float = 0.0


def wants(head: AnswerHead, *, is_named: bool) -> bool:
    """Whether the body of an answer is read: of what was named, all that may hold text."""
    if head.status != 200:
        return False
    kind = head.media_type
    if kind.startswith(_MEDIA) or kind in _NO_TEXT:
        return False
    has_suffix = urlsplit(head.address).path.lower().endswith(_FILE_SUFFIXES)
    is_known = kind.startswith(("text/", _OFFICE)) or kind in (*HTML, *_XML, *_FILES)
    return is_named or is_known or not kind or (kind in _VAGUE and has_suffix)


def judge(fetched: Fetched, link: Link, *, is_named: bool, fetcher: Fetcher) -> PageVerdict:
    """What came of a page, which a user or a list of one's named or a link led to."""
    match fetched:
        case Got(answer):
            verdict = _judge_answer(answer, link, is_named=is_named, fetcher=fetcher)
            return replace(
                verdict,
                answered=answer.address,
                etag=answer.first("etag"),
                modified=answer.first("last-modified"),
                seconds=answer.seconds,
            )
        case Moved(to, seconds):
            return PageVerdict(AnswerKind.MOVED, f"it has moved to {to.address}", to=to, seconds=seconds)
        case Elsewhere(place):
            return PageVerdict(AnswerKind.ELSEWHERE, f"it leads to another site, {place}")
        case BarredByRobots():
            return PageVerdict(AnswerKind.BARRED, "robots.txt does not let it be asked")
        case NoAnswer(reason):
            return PageVerdict(AnswerKind.LOST, reason)


def _judge_answer(answer: WebAnswer, link: Link, *, is_named: bool, fetcher: Fetcher) -> PageVerdict:
    if answer.status != 200:
        return _judge_status(answer.status, is_own=answer.address == link.asked)
    if not wants(answer, is_named=is_named):
        return PageVerdict(
            AnswerKind.NO_DOCUMENT, f"it is {answer.media_type or 'of no kind'}, which holds no document"
        )
    if leads_to_login(link.asked, answer.address):
        return PageVerdict(AnswerKind.WALL, LOGIN)
    if not is_named and is_start(answer.address) and not is_start(link.asked):
        return PageVerdict(AnswerKind.WALL, TO_THE_START)
    return _judge_body(answer, link, is_named=is_named, fetcher=fetcher)


def _judge_status(status: int, *, is_own: bool) -> PageVerdict:
    """What a status means, of the page's own address or of one that it leads to for now."""
    if status == 304:
        return PageVerdict(AnswerKind.UNCHANGED)
    if status in (404, 410):
        return PageVerdict(AnswerKind.GONE if is_own else AnswerKind.NO_DOCUMENT, f"it {_LEADS[is_own]} {status}")
    return PageVerdict(AnswerKind.NOT_FOR_US if 400 <= status < 500 else AnswerKind.LOST, f"it answers {status}")


def _judge_body(answer: WebAnswer, link: Link, *, is_named: bool, fetcher: Fetcher) -> PageVerdict:
    """Lists are known by how they begin, whatever they are said to be; and so is what cannot be markup."""
    if (listed := read_map(unpacked(answer.body), address=answer.address)) is not None:
        return PageVerdict(AnswerKind.LIST, listed=listed)
    if not _is_markup(answer):
        return _judge_file(answer, link, is_named=is_named)
    try:
        page = read_page(answer.body, answer)
    except DocumentError as error:
        return PageVerdict(AnswerKind.NO_DOCUMENT, str(error))
    return _judge_page(page, answer, link, fetcher=fetcher)


def _is_markup(answer: WebAnswer) -> bool:
    if answer.media_type in HTML:
        return not answer.body.startswith(_MAGIC)
    return answer.media_type in ("", *_XML) and b"<html" in answer.body[:2000].lower()


def _judge_page(page: HtmlPage, answer: WebAnswer, link: Link, *, fetcher: Fetcher) -> PageVerdict:
    says = page.likeness if is_of_calendar(link.address) else page.content_hash
    found = PageVerdict(AnswerKind.DOCUMENT, links=page.links, canonical=page.canonical, says=says)
    if page.moved_to is not None and address_key(page.moved_to.address) != address_key(link.address):
        links = (*page.links, page.moved_to)
        return replace(
            found, kind=AnswerKind.WALL, reason=f"it sends readers on to {page.moved_to.address}", links=links
        )
    if "noindex" in page.directives:
        return replace(found, kind=AnswerKind.UNWANTED, reason="it asks not to be indexed (noindex)")
    if page.wall:
        return replace(found, kind=AnswerKind.WALL, reason=page.wall)
    if page.likeness == fetcher.likeness_of_nothing(answer.address):
        return replace(found, kind=AnswerKind.WALL, reason=ANY_ADDRESS)
    metadata = _metadata(answer, {"language": page.language} if page.language else {})
    data = page.markup.encode("utf-8", "replace")
    item = HeldItem(link.address, data, HTML[0], page.title, metadata, page.content_hash)
    return replace(found, item=item)


def _judge_file(answer: WebAnswer, link: Link, *, is_named: bool) -> PageVerdict:
    if "noindex" in directives(answer):
        return PageVerdict(AnswerKind.UNWANTED, "it asks not to be indexed (noindex)")
    if not is_named and (reason := _reason_to_leave_out(link, answer.body[:HEAD_BYTES])):
        return PageVerdict(AnswerKind.UNWANTED, f"{reason.partition(';')[0]}; name it as a SOURCE to take it")
    media_type, data = answer.media_type, answer.body
    if media_type.startswith("text/"):
        try:
            data = decoded(data, answer.first("content-type")).encode("utf-8", "replace")
        except DocumentError as error:
            return PageVerdict(AnswerKind.NO_DOCUMENT, str(error))
    # The name says more than a server that knows no better.
    is_vague = media_type in (*_VAGUE, *HTML) and "." in urlsplit(link.address).path.rpartition("/")[2]
    item = HeldItem(link.address, data, "" if is_vague else media_type, metadata=_metadata(answer, {}))
    return PageVerdict(AnswerKind.DOCUMENT, item=item)


def _reason_to_leave_out(link: Link, head: bytes) -> LeftOut | None:
    """A key, credentials or history that somebody left lying about is no page, as it is no document of a folder."""
    *folders, name = unquote_to_bytes(urlsplit(link.address).path).split(b"/")
    if any(map(is_version_control, folders)):
        return LeftOut.VERSION_CONTROL
    reason = reason_by_file_name(name)
    return reason if reason not in (None, LeftOut.HIDDEN) else reason_by_content(name, head)


def _metadata(answer: WebAnswer, more: dict[str, Any]) -> dict[str, Any]:
    """What readers may filter by: the host, and when the site says that it was changed."""
    changed = {}
    try:
        at = parsedate_to_datetime(answer.first("last-modified")).astimezone(UTC)
        changed["modified"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, TypeError, OverflowError):
        pass
    return {"host": urlsplit(answer.address).hostname or "", **changed, **more}
