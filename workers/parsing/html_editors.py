"""Owns the lists of HTML that word processors write: paragraphs that Word calls items, and Google's flat lists."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedmill.workers.parsing.list_items import BULLET

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

_WORD, _GOOGLE = "mso-list", "lst-kix"
_MARKERS = '[style*="mso-list:Ignore"], [style*="mso-list: Ignore"]'
_LEVEL = re.compile(r"mso-list\s*:[^;]*\blevel(\d)")
_CLASS = re.compile(r"lst-kix_\w+-(\d)\b")


@dataclass(frozen=True, slots=True)
class EditorLists:
    """`items` are paragraphs with their marker and depth, `depths` those of lists, `markers` what is not read again.

    All by the `mem_id` of their nodes.
    """

    items: dict[int, tuple[str, int]] = field(default_factory=dict)
    depths: dict[int, int] = field(default_factory=dict)
    markers: set[int] = field(default_factory=set)


def editor_lists(tree: "LexborHTMLParser", markup: str) -> EditorLists:
    """Nothing in pages that no word processor wrote, which a look at their text tells."""
    found = EditorLists()
    if _WORD in markup:
        for paragraph in tree.css(f'p[style*="{_WORD}"]'):
            level = _LEVEL.search(paragraph.attributes.get("style") or "")
            marker = paragraph.css_first(_MARKERS)
            if level and marker is not None:
                found.items[paragraph.mem_id] = _shown(marker.text()), int(level[1]) - 1
                found.markers.add(marker.mem_id)
    if _GOOGLE in markup:
        for tag in ("ol", "ul"):
            for node in tree.css(f'{tag}[class*="{_GOOGLE}"]'):
                if level := _CLASS.search(node.attributes.get("class") or ""):
                    found.depths[node.mem_id] = int(level[1])
    return found


def _shown(marker: str) -> str:
    """A sign, and the letter that a font shows as one, is a bullet."""
    marker = marker.strip("\xa0 \n\t")
    return marker if any(map(str.isalnum, marker)) and marker != "o" else BULLET
