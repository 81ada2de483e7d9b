"""What a source yields, without values: nothing that a scan hands on to be stored has any."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from embedmill.producers.sources.base import (
    Departed,
    FileItem,
    HeldItem,
    Item,
    Kept,
    Problem,
    Remark,
    RowItem,
    Skipped,
    SourcePlace,
)
from embedmill.shared.errors import RedactionFailed
from embedmill.shared.redaction.hiding import HIDDEN, Hider
from embedmill.shared.redaction.metadata import flatten, rebuild
from embedmill.shared.redaction.policy import REDACTED

if TYPE_CHECKING:
    from embedmill.shared.redaction.redactor import RedactedTexts, Redactor


class RedactedItems:
    """Redacts the items of one source. `own` is the source's URI, as its user named it."""

    def __init__(self, redactor: "Redactor", hider: Hider, *, own: str) -> None:
        self._redactor = redactor
        self._hider = hider
        self._own = own

    def of(self, items: Iterable[Item | Remark]) -> Iterator[Item | Remark]:
        """The items as they may be stored."""
        return map(self._redact_or_refuse, items) if self._redactor.is_on else iter(items)

    def addresses(self, uris: Sequence[str]) -> dict[str, str]:
        """URIs by what is stored in their places."""
        return {self._redactor.address(uri): uri for uri in uris}

    def _redact_or_refuse(self, item: Item | Remark) -> Item | Remark:
        """What cannot be redacted goes no further, not even by its name."""
        try:
            return self._redact(item)
        except RedactionFailed as error:
            return Problem(self._own, f"something in it was left out: {error}")

    def _redact(self, item: Item | Remark) -> Item | Remark:
        match item:
            case FileItem():
                return self._file(item)
            case RowItem():
                return self._row(item)
            case HeldItem():
                return self._held(item)
            case Kept() | Departed():
                return replace(item, uri=self._redactor.address(item.uri), reason=self._text(item.reason))
            case Skipped() | Problem() | Remark():
                return replace(item, uri=self._place(item.uri), reason=self._text(item.reason))

    def _file(self, item: FileItem) -> FileItem:
        uri, container = self._redactor.address(item.uri), self._redactor.address(item.container)
        found, (title,), metadata = self._texts(item.uri, [item.title or ""], item.metadata)
        told = dict(item.told)
        if (uri, container) != (item.uri, item.container):
            # What else its reader has to know may tell the place, too.
            told = {HIDDEN: self._hider.hide_place(item.uri, {**item.told, "container": item.container})}
        if found.subjects:
            told[REDACTED] = self._said(found, "")
        return replace(
            item,
            uri=uri,
            container=container,
            title=title or None,
            metadata=metadata,
            listed_at=self._listed(item.listed_at),
            told=told,
        )

    def _row(self, item: RowItem) -> RowItem:
        found, (title, text), metadata = self._texts(item.uri, [item.title, item.text], item.metadata)
        return replace(
            item,
            uri=self._redactor.address(item.uri),
            title=title,
            text=text,
            metadata=metadata,
            content_hash=self._redactor.content_hash(item.content_hash),
            place=replace(item.place, uri=self._place(item.place.uri)),
            redacted=self._said(found, self._redactor.id),
        )

    def _held(self, item: HeldItem) -> HeldItem:
        found, (title,), metadata = self._texts(item.uri, [item.title], item.metadata)
        return replace(
            item,
            uri=self._redactor.address(item.uri),
            data=self._hider.hide(item.data),
            title=title,
            metadata=metadata,
            place=replace(item.place, uri=self._place(item.place.uri)),
            redacted=self._said(found, "") if found.subjects else {},
        )

    def _texts(
        self, uri: str, texts: Sequence[str], metadata: Mapping[str, Any]
    ) -> "tuple[RedactedTexts, list[str], dict[str, Any]]":
        """Texts and metadata of one document, redacted together with its URI, whose values are the document's too."""
        found = self._redactor.redact_all([*texts, *flatten(metadata), unquote(uri)])
        shown = [each.text for each in found.texts]
        return found, shown[: len(texts)], rebuild(metadata, shown[len(texts) : -1])

    def _said(self, found: "RedactedTexts", policy: str) -> dict[str, Any]:
        """`policy` is what the whole text was redacted by; empty where that is still to be read."""
        subjects = sorted(subject.hex() for subject in found.subjects)
        return {"policy": policy, "counts": found.counts, "subjects": subjects}

    def _listed(self, place: SourcePlace | None) -> SourcePlace | None:
        return place and replace(place, uri=self._place(place.uri))

    def _place(self, uri: str) -> str:
        """A source's own URI stays as its user named it: that tells a problem with all of it."""
        return uri if uri == self._own else self._redactor.address(uri)

    def _text(self, text: str) -> str:
        return self._redactor.redact(text).text if text else text
