"""Owns texts that begin with the head of a table: where their parts stand in the document.

Such a text is the head, a line feed, and the body; head and body are apart in the document.
"""

Span = tuple[int, int]


def body_at(head: Span | None) -> int:
    """Where the body begins in a text with this head."""
    return 0 if head is None else head[1] - head[0] + 1


def within_one(start: int, end: int, head: Span | None) -> Span:
    """A span of the text; of one that begins in the head and ends in the body, what is in the body."""
    body = body_at(head)
    return (body, end) if start < body < end else (start, end)


def place_of(start: int, end: int, *, head: Span | None, begin: int) -> Span:
    """Where in the document a span stands that is within one; `begin` is where the body begins there."""
    body = body_at(head)
    if head is not None and end <= body:
        return head[0] + start, min(head[0] + end, head[1])
    return begin + start - body, begin + end - body
