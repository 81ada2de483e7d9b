"""Owns presentations: one page and part per slide, with its text, drawings, speaker's notes and comments."""

from collections.abc import Iterator

from embedmill.workers.parsing.archive import Archive
from embedmill.workers.parsing.charts import drawn_text
from embedmill.workers.parsing.draft import Draft, ranges
from embedmill.workers.parsing.package import (
    PartRelation,
    core_title,
    parts_of_kind,
    read_embedded,
    relation_id,
    relations,
)
from embedmill.workers.parsing.slide_layouts import Layouts
from embedmill.workers.parsing.slide_shapes import Shapes
from embedmill.workers.parsing.xml import Element, parse_xml

PRESENTATION = "ppt/presentation.xml"

_HIDDEN = frozenset({"0", "false"})


def read(data: bytes, draft: Draft) -> None:
    """Slides in the order of the presentation, which is not that of their file names; then what is embedded."""
    archive = draft.archive(data)
    draft.title = core_title(archive)
    _Deck(archive, draft).read()


class _Deck:
    """Reads the slides of one presentation, and remembers what is said once for all of them."""

    def __init__(self, archive: Archive, draft: Draft) -> None:
        self._archive = archive
        self._draft = draft
        self._targets = relations(archive, PRESENTATION)
        self._layouts = Layouts(archive)
        self._authors = dict(self._read_authors())
        self._footers: set[str] = set()
        self._silent: list[int] = []
        self._hidden: list[int] = []
        self._embedded: list[str] = []

    def read(self) -> None:
        page = 0
        for page, slide in enumerate(parse_xml(self._archive.read(PRESENTATION)).iterfind("{*}sldIdLst/{*}sldId"), 1):
            self._read_slide(relation_id(slide), page)
        if self._silent:
            self._draft.note(f"{len(self._silent)} of {page} slides hold no text: {ranges(self._silent)}")
        if self._hidden:
            self._draft.note(f"hidden slides, read like the others: {ranges(self._hidden)}")
        read_embedded(self._archive, dict.fromkeys(self._embedded), self._draft)

    def _read_slide(self, relation: str, page: int) -> None:
        found = self._targets.get(relation)
        before = self._draft.chars
        self._draft.part()
        if found is not None and found.part in self._archive:
            self._read_parts(found.part, page)
        else:
            self._draft.note(f"slide {page} left out: it is missing")
        if self._draft.chars == before:
            self._silent.append(page)

    def _read_parts(self, part: str, page: int) -> None:
        root = parse_xml(self._archive.read(part))
        if root.get("show") in _HIDDEN:
            self._hidden.append(page)
        related = relations(self._archive, part)
        self._shapes(related, page).read(root)
        for notes in parts_of_kind(self._archive, related.values(), "notesSlide"):
            self._shapes(relations(self._archive, notes), page).read(parse_xml(self._archive.read(notes)))
        for comments in parts_of_kind(self._archive, related.values(), "comments"):
            self._read_comments(parse_xml(self._archive.read(comments)), page)
        self._embedded.extend(parts_of_kind(self._archive, related.values(), "package", "oleObject"))

    def _shapes(self, related: dict[str, PartRelation], page: int) -> Shapes:
        return Shapes(self._archive, self._draft, page, self._layouts.of_slide(related), related, self._footers)

    def _read_authors(self) -> Iterator[tuple[str, str]]:
        for part in parts_of_kind(self._archive, self._targets.values(), "commentAuthors", "authors"):
            for author in parse_xml(self._archive.read(part)):
                yield author.get("id", ""), author.get("name", "")

    def _read_comments(self, root: Element, page: int) -> None:
        for comment in root.iter("{*}cm", "{*}reply"):
            author = self._authors.get(comment.get("authorId", ""), "")
            text = comment.findtext("{*}text") or "".join(map(drawn_text, comment.iterfind("{*}txBody")))
            if text.strip():
                self._draft.paragraph(f"Comment by {author}: {text}" if author else f"Comment: {text}", page=page)
