"""Owns HTML: text as a browser would show it, with headings, lists, code and table rows."""

import re
from typing import TYPE_CHECKING

from embedmill.shared.errors import UnreadableDocument
from embedmill.shared.markup import MOST_ATTRIBUTES, bounded, declared_encoding, is_tangled
from embedmill.workers.parsing.confluence import as_html, is_storage
from embedmill.workers.parsing.document import Block, BlockKind
from embedmill.workers.parsing.draft import Draft, count, one_line
from embedmill.workers.parsing.html_code import drawn_code
from embedmill.workers.parsing.html_editors import editor_lists
from embedmill.workers.parsing.html_furniture import furniture, has_title, main_part
from embedmill.workers.parsing.html_names import PageNames
from embedmill.workers.parsing.html_roles import tags_by_role
from embedmill.workers.parsing.html_unseen import unseen, with_shadows
from embedmill.workers.parsing.html_walk import Walk

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_SKIPPED = [
    "script", "style", "template", "noscript", "iframe", "object", "embed", "canvas", "audio", "video", "datalist",
    "rp", "amp-ad",
]  # fmt: skip
# What stands over a table or code and is no `caption`, as DocBook, Sphinx and WordPress write it.
_CAPTIONS = (
    ".table > p.title, .table > div.title, .figure > p.title, .example > p.title, p.caption, div.caption, "
    ".wp-caption-text, .code-block-caption"
)
_NAVIGATION = 'nav, [role="navigation"]'
_ROOT, _HEAD = "<html", 1000
_FRAMES = "iframe[src], object[data], embed[src], frame[src]"
_FRAME = re.compile("<(?:iframe|object|embed|frame)", re.IGNORECASE)
_TITLE_WITHIN = 50


def read(data: bytes, draft: Draft) -> None:
    """A page without what its site put around it; its title opens it, unless a heading of its own says the same."""
    page = Draft(draft.media_type, name=draft.name, limits=draft.limits, depth=draft.depth)
    markup = page.decode(data, declared=declared_encoding(data))
    if _ROOT not in markup[:_HEAD] and is_storage(markup):
        markup = as_html(markup) or markup
    tree = _tree(markup, page)
    if (main := main_part(tree)) is not None:
        names = PageNames.of(markup)
        skipped = unseen(tree, markup, names) | furniture(tree, markup, names)
        _walk(tree, markup, names, page, skipped).run(main, has_title=has_title(main))
    elif (frameless := tree.css_first("noframes")) is not None:
        read_markup(frameless.text(), page)
    document = page.finish()
    draft.title = draft.title or document.title
    if document.blocks and not any(_says(block, document.title) for block in document.blocks[:_TITLE_WITHIN]):
        draft.heading(document.title, level=1)
    draft.extend(document)


def _says(block: Block, title: str) -> bool:
    """Whether a block is the title, or the heading to which a site added its name."""
    text = one_line(block.text)
    return text == title or (block.kind is BlockKind.HEADING and title.startswith(text) and len(text) > 2)


def read_markup(markup: str, draft: Draft) -> None:
    """Adds the blocks of a fragment or a chapter; its `title` becomes the draft's when that has none."""
    _read_fragment(markup, draft, quotation="")


def read_message(markup: str, draft: Draft) -> None:
    """The same of a mail, where what is quoted is what another said."""
    _read_fragment(markup, draft, quotation="> ")


def _read_fragment(markup: str, draft: Draft, *, quotation: str) -> None:
    tree = _tree(markup, draft)
    if tree.body is not None:
        names = PageNames.of(markup)
        skipped = unseen(tree, markup, names) | _nodes(tree, _NAVIGATION)
        _walk(tree, markup, names, draft, skipped, quotation=quotation).run(tree.body)


def _walk(
    tree: "LexborHTMLParser", markup: str, names: PageNames, draft: Draft, skipped: set[int], *, quotation: str = ""
) -> Walk:
    return Walk(
        draft,
        skipped=skipped,
        captions=_nodes(tree, _CAPTIONS) if names.holds("caption", "title") else set(),
        codes=drawn_code(tree, names),
        roles=tags_by_role(tree) if "role=" in markup or "<button" in markup else {},
        lists=editor_lists(tree, markup),
        quotation=quotation,
    )


def _tree(markup: str, draft: Draft) -> "LexborHTMLParser":
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    if is_tangled(markup):
        raise UnreadableDocument("its elements are nested too deeply, or too many are not closed")
    try:
        tree = LexborHTMLParser(with_shadows(_bounded(markup, draft)))
    except SelectolaxError as error:
        # HTML has no syntax errors: Lexbor refuses a page only when it gets no more memory.
        raise MemoryError from error
    if not draft.title and (title := _title(tree)):
        draft.title = title.text()
    if _FRAME.search(markup) and (frames := len(tree.css(_FRAMES))):
        draft.note(f"{count(frames, 'embedded page')} left out")
    tree.strip_tags(_SKIPPED)
    return tree


def _title(tree: "LexborHTMLParser") -> "LexborNode | None":
    return None if tree.head is None else tree.head.css_first("title")


def _bounded(markup: str, draft: Draft) -> str:
    bounded_markup = bounded(markup)
    if bounded_markup is not markup:
        draft.note(f"elements with more than {MOST_ATTRIBUTES:,} attributes: the others were left out")
    return bounded_markup


def _nodes(tree: "LexborHTMLParser", selector: str) -> set[int]:
    return {node.mem_id for node in tree.css(selector)}
