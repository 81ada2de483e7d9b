"""Owns HTML: text as a browser would show it, with headings, lists, code and table rows."""

import re
from typing import TYPE_CHECKING

from embedmill.shared.errors import UnreadableDocument
from embedmill.shared.markup import MOST_ATTRIBUTES, bounded, declared_encoding, is_tangled
from embedmill.workers.parsing.confluence import as_html, is_storage
from embedmill.workers.parsing.document import Block, BlockKind
from embedmill.workers.parsing.draft import Draft, count, one_line
from embedmill.workers.parsing.html_editors import editor_lists
from embedmill.workers.parsing.html_furniture import furniture, has_title, main_part
from embedmill.workers.parsing.html_walk import Walk

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_SKIPPED = [
    "script", "style", "template", "noscript", "title", "iframe", "object", "embed", "canvas", "audio", "video",
    "datalist", "rp",
]  # fmt: skip
# What nobody sees, numbers of lines beside code, and equations that are drawn beside their markup.
_UNSEEN = (
    '[hidden]:not([hidden="until-found"]), [style*="display:none"], [style*="display: none"], td.linenos, .linenodiv, '
    'pre .lineno, pre .linenos, .katex-html, del, [role="doc-backlink"], .footnote-back'
)
# What stands over a table or code and is no `caption`, as DocBook, Sphinx and WordPress write it.
_CAPTIONS = (
    ".table > p.title, .table > div.title, .figure > p.title, .example > p.title, p.caption, div.caption, "
    ".wp-caption-text, .code-block-caption"
)
_NAVIGATION = 'nav, [role="navigation"]'
_FRAMES = "iframe[src], object[data], embed[src], frame[src]"
_FRAME = re.compile("<(?:iframe|object|embed|frame)", re.IGNORECASE)
_TITLE_WITHIN = 50


def read(data: bytes, draft: Draft) -> None:
    """A page without what its site put around it; its title opens it, unless a heading of its own says the same."""
    page = Draft(draft.media_type, name=draft.name, limits=draft.limits, depth=draft.depth)
    markup = page.decode(data, declared=declared_encoding(data))
    if is_storage(markup):
        markup = as_html(markup) or markup
    tree = _tree(markup, page)
    if (main := main_part(tree)) is not None:
        skipped = _nodes(tree, _UNSEEN) | furniture(tree, markup)
        walk = Walk(page, skipped=skipped, captions=_nodes(tree, _CAPTIONS), lists=editor_lists(tree, markup))
        walk.run(main, has_title=has_title(main))
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
        unseen = _nodes(tree, f"{_UNSEEN}, {_NAVIGATION}")
        captions, lists = _nodes(tree, _CAPTIONS), editor_lists(tree, markup)
        Walk(draft, skipped=unseen, captions=captions, lists=lists, quotation=quotation).run(tree.body)


def _tree(markup: str, draft: Draft) -> "LexborHTMLParser":
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    if is_tangled(markup):
        raise UnreadableDocument("its elements are nested too deeply, or too many are not closed")
    try:
        tree = LexborHTMLParser(_bounded(markup, draft))
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
