"""Tokens of Slack that its exports have in their links: each opens files to whoever has it."""

import re

_TOKEN_IN_LINK = re.compile(r"([?&])[a-z_]+=xox[a-z]-[^\s&|<>\"')]*(&?)", re.IGNORECASE)
_TOKEN = re.compile(r"\bxox[a-z]-[A-Za-z0-9-]{8,}")


def without_tokens(text: str) -> str:
    """A text without the tokens that links in an export carry: each opens files to whoever has it."""
    if "xox" not in text.lower():
        return text
    cut = _TOKEN_IN_LINK.sub(lambda found: found[1] if found[2] else "", text)
    return _TOKEN.sub("[token]", cut)
