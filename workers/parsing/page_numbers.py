"""Owns what counts pages in headers and footers of texts and sheets, and is no loss: `Page 2 of 3`, `Seite 4`."""

import re

_WORD = re.compile(r"[^\W\d_]+")
_WORDS = frozenset(
    "page pages of p pg seite seiten von s página páginas pág pagina pagine pag di de sur sida av side strona strana z "
    "стр страница из 第 页 頁 共 ページ trang sayfa".split()
)
_ROMAN = re.compile(r"[ivxlc]+")


def says_more(text: str) -> bool:
    """Whether a line that repeats from page to page has words that do not count pages."""
    return any(word not in _WORDS and not _ROMAN.fullmatch(word) for word in _WORD.findall(text.lower()))
