"""The prefix: title and section path in few tokens, so that a chunk is embedded with what it is about."""

from embedmill.shared.tokenizer import count_tokens
from embedmill.workers.chunking.normalise import PATH_SEPARATOR, one_line

MOST_TOKENS = 64


def prefix(title: str, section: str, *, limit: int = MOST_TOKENS) -> str:
    """`title`, `section` and an empty line, within `limit` tokens; the section loses its outer headings first.

    A section path that begins with the title, as that of a page under its own headline does, is shortened by it.
    """
    path = section.split(PATH_SEPARATOR) if section else []
    heading = one_line(title)
    if path and path[0] == heading:
        del path[0]
    heading = shorten(heading, limit // 2 if path else limit - 1)
    inner = _inner_path(path, limit - 2 - count_tokens(heading))
    lines = [line for line in (heading, inner) if line]
    return "\n".join(lines) + "\n\n" if lines else ""


def shorten(line: str, limit: int) -> str:
    """As many leading words of `line` as `limit` tokens hold; possibly none."""
    words = line[: max(limit, 0) * 32].split(" ")
    while words and count_tokens(" ".join(words)) > limit:
        del words[max(1, len(words) * 3 // 4) if len(words) > 1 else 0 :]
    return " ".join(words)


def _inner_path(path: list[str], limit: int) -> str:
    for outer in range(len(path)):
        joined = PATH_SEPARATOR.join(path[outer:])
        if count_tokens(joined) <= limit:
            return joined
    return shorten(path[-1], limit) if path else ""
