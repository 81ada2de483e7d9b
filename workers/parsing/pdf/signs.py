"""Owns what single signs of a PDF stand for: ligatures, letters in presentation forms, bullets of symbol fonts."""

import re
import unicodedata

BULLET = "\u2022"

_PRIVATE_BULLETS = {
    **dict.fromkeys((0xF0A7, 0xF0B7, 0xF0D8, 0xF0A8, 0xF06E, 0xF076, 0xF075, 0xF071, 0xF0A1, 0xF0E0, 0xF0F0), BULLET),
    **dict.fromkeys((0xF0FC, 0xF0FE), "\u2713"),
    0xF0FB: "\u2717",
}
# Latin ligatures, and letters of Hebrew and Arabic in the forms that a page shows, which no one types.
_FORMS = re.compile("[\ufb00-\ufb06\ufb13-\ufb17\ufb1d-\ufb4f\ufb50-\ufdf9\ufe70-\ufefc]+")


def readable(text: str) -> str:
    """The text as a person would write it; soft hyphens are left for the end of a line alone."""
    text = text.translate(_PRIVATE_BULLETS)
    if "\u00ad" in text:
        text = text[:-1].replace("\u00ad", "") + text[-1]
    return _FORMS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
