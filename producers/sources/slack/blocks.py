"""The texts of block kit and of attachments, as lines in Slack's markup; what repeats another line is left out."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

_BLANKS = re.compile(r"\s+")
_MARKS = re.compile(r"[*_~`>]|<[^|>]*\||[<>]")
MOST_DEPTH = 12
# Characters below which a text may stand in another one by chance.
SHORT = 12


def once(texts: Iterable[str]) -> str:
    """The texts in their order, each on lines of its own, without those that another one holds."""
    kept: list[tuple[str, list[str]]] = []
    for text in texts:
        lines = _bare_lines(text)
        if lines and not any(_holds(other, lines) for _, other in kept):
            kept = [(shown, other) for shown, other in kept if not _holds(lines, other)]
            kept.append((text.strip(), lines))
    return "\n".join(text for text, _ in kept)


def _holds(whole: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether one text says all that another does: line by line, or somewhere in it if that is no single word."""
    joined = "".join(lines)
    return set(lines) <= set(whole) or (len(joined) >= SHORT and joined in "".join(whole))


def _bare_lines(text: str) -> list[str]:
    return [bare for line in text.splitlines() if (bare := _bare(line))]


def _bare(text: str) -> str:
    """What is compared: the words without blanks, marks and links' targets."""
    return _BLANKS.sub("", _MARKS.sub("", text)).casefold()


def text_of_blocks(blocks: object) -> str:
    """What a message's blocks say."""
    return "\n".join(line for block in mappings(blocks) for line in _lines_of_block(block, 0) if line.strip())


def texts_of_attachments(attachments: object) -> Iterator[str]:
    """What each attachment says; of a link's preview, after whose it is."""
    for attachment in mappings(attachments):
        if text := _text_of_attachment(attachment):
            yield text


def _text_of_attachment(attachment: Mapping[str, Any]) -> str:
    title, link = _string(attachment.get("title")), _string(attachment.get("title_link"))
    fields = [
        ": ".join(filter(None, (_string(field.get("title")), _string(field.get("value")))))
        for field in mappings(attachment.get("fields"))
    ]
    said = [
        _string(attachment.get("pretext")),
        _string(attachment.get("author_name")),
        f"<{link}|{title}>" if title and link else title,
        _string(attachment.get("text")),
        *fields,
        text_of_blocks(attachment.get("blocks")),
        *[text_of_blocks(_unfurled(each)) for each in mappings(attachment.get("message_blocks"))],
        _string(attachment.get("footer")),
    ]
    text = once(said) or _string(attachment.get("fallback"))
    return "\n".join(f"> {line}" for line in text.splitlines()) if _is_preview(attachment) else text


def _unfurled(quoted: Mapping[str, Any]) -> object:
    """The blocks of a message that another one quotes."""
    message = quoted.get("message")
    return message.get("blocks") if isinstance(message, dict) else None


def _is_preview(attachment: Mapping[str, Any]) -> bool:
    """Whether Slack made it of a link, so that it is no word of the author's."""
    return any(attachment.get(name) for name in ("from_url", "original_url", "is_msg_unfurl", "is_share"))


def _lines_of_block(block: Mapping[str, Any], depth: int) -> Iterator[str]:
    match block.get("type"):
        case "rich_text" | "rich_text_section" | "rich_text_list" | "rich_text_quote" | "rich_text_preformatted":
            yield _rich(block, depth)
        case "image" | "video":
            yield from filter(None, (_text(block.get("title")), _string(block.get("alt_text"))))
        case "actions":
            yield " ".join(
                f"[{_text(each.get('text'))}]" for each in mappings(block.get("elements")) if _text(each.get("text"))
            )
        case "table":
            yield from _rows(block, depth)
        case _:
            yield from _lines_of_section(block, depth)


def _lines_of_section(block: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Sections, headers, contexts, and blocks of kinds to come: their texts, fields and elements."""
    yield _text(block.get("text"))
    for field in mappings(block.get("fields")):
        yield _text(field)
    if depth < MOST_DEPTH:
        yield " ".join(
            filter(None, (_text(each) or _string(each.get("alt_text")) for each in mappings(block.get("elements"))))
        )


def _rows(block: Mapping[str, Any], depth: int) -> Iterator[str]:
    for row in _sequence(block.get("rows")):
        yield " | ".join(_text(cell) or _rich(cell, depth + 1) for cell in mappings(row))


def _rich(block: Mapping[str, Any], depth: int) -> str:
    """Rich text in the markup that a message's `text` has."""
    if depth > MOST_DEPTH:
        return ""
    elements = mappings(block.get("elements"))
    match block.get("type"):
        case "rich_text":
            return "\n".join(filter(None, (_rich(each, depth + 1).strip("\n") for each in elements)))
        case "rich_text_list":
            return "\n".join(f"• {_rich(each, depth + 1)}" for each in elements)
        case "rich_text_quote":
            return "\n".join(f"> {line}" for line in _joined(elements, depth).splitlines())
        case "rich_text_preformatted":
            return f"```{_joined(elements, depth)}```"
    return _joined(elements, depth)


def _joined(elements: Sequence[Mapping[str, Any]], depth: int) -> str:
    return "".join(_inline(each, depth + 1) for each in elements)


def _inline(element: Mapping[str, Any], depth: int) -> str:
    write = _INLINE.get(str(element.get("type")))
    return write(element) if write else _rich(element, depth)


def _link(element: Mapping[str, Any]) -> str:
    url, label = _string(element.get("url")), escaped(_string(element.get("text")))
    return f"<{url}|{label}>" if label else f"<{url}>"


def _within(before: str, name: str, after: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda element: before + _string(element.get(name)) + after


_INLINE: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "text": lambda element: escaped(_string(element.get("text"))),
    "link": _link,
    "user": _within("<@", "user_id", ">"),
    "channel": _within("<#", "channel_id", ">"),
    "usergroup": _within("<!subteam^", "usergroup_id", ">"),
    "broadcast": _within("<!", "range", ">"),
    "emoji": _within(":", "name", ":"),
    "date": lambda element: _string(element.get("fallback")) or f"<!date^{element.get('timestamp')}>",
    "color": _within("", "value", ""),
}


def escaped(text: str) -> str:
    """A text as Slack would have written it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _text(value: object) -> str:
    """The text of a text object, or of a string; plain text is escaped as the other kind is."""
    if not isinstance(value, dict):
        return _string(value)
    text = _string(value.get("text"))
    return escaped(text) if value.get("type") == "plain_text" else text


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; nothing of what is none."""
    return [each for each in _sequence(value) if isinstance(each, dict)]
