"""Owns Confluence's storage format: XHTML with elements of its own, as the HTML that shows the same."""

import re
from html import unescape

from lxml import etree

from embedmill.shared.errors import UnreadableDocument
from embedmill.workers.parsing.draft import one_line
from embedmill.workers.parsing.xml import Element, all_text, attribute, local_name, parse_xml

_SIGN = re.compile(r"<(?:ac|ri):[a-z-]+[\s/>]")
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;|#)\w+;")
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>|<!DOCTYPE[^<>\[]*>")
_SPACE = "http://atlassian.com/content"
_ROOT = f'<div xmlns:ac="{_SPACE}" xmlns:ri="{_SPACE}/resource" xmlns:at="{_SPACE}/template">'
_OWN = ("/content", "/resource", "/template", "/ac/", "/ri/", "/at/")
_LABELS = {"status": "title", "jira": "key", "anchor": ""}
"""Macros that stand in a line, and the parameter that shows in it."""


def is_storage(text: str) -> bool:
    """Whether a text has elements of Confluence's own."""
    return "<ac:" in text and _SIGN.search(text) is not None


def as_html(text: str) -> str | None:
    """None of what is no such page after all."""
    try:
        root = parse_xml(
            f"{_ROOT}{_ENTITY.sub(_character, _DECLARATION.sub('', text))}</div>".encode("utf-8", "replace")
        )
    except UnreadableDocument:
        return None
    for element in list(root.iter("{*}*")):
        name = local_name(element)
        if is_own(element) and name in _SHOWN:
            _replace(element, _SHOWN[name](element))
    for element in root.iter("{*}*"):
        element.tag = "div" if is_own(element) else local_name(element)
    return str(etree.tostring(root, encoding="unicode", method="html"))


def _character(entity: re.Match[str]) -> str:
    found = unescape(entity[0])
    return f"&#{ord(found)};" if len(found) == 1 else ""


def is_own(element: Element) -> bool:
    """Whether an element is one that only Confluence has."""
    space = str(element.tag).rpartition("}")[0]
    return "atlassian.com" in space and space.endswith(_OWN)


def _replace(element: Element, shown: Element) -> None:
    """What stands behind it stays there."""
    if (parent := element.getparent()) is not None:
        shown.tail = element.tail
        parent.replace(element, shown)


def _made(tag: str, text: str = "") -> Element:
    element = etree.Element(tag)
    element.text = text
    return element


def _macro(macro: Element) -> Element:
    name = attribute(macro, "name")
    told = {attribute(each, "name"): all_text(each) for each in macro if local_name(each) == "parameter"}
    if name in _LABELS:
        return _made("span", told.get(_LABELS[name], ""))
    shown = _made("div")
    if title := one_line(told.get("title", "")):
        shown.append(_made("p", title))
    for body in macro:
        if local_name(body) == "plain-text-body":
            shown.append(_made("pre", all_text(body)))
        elif local_name(body) == "rich-text-body":
            shown.append(body)
    return shown


def _link(link: Element) -> Element:
    """Its own words, or what it leads to."""
    targets = (attribute(each, name) for each in link.iter() for name in ("content-title", "filename", "space-key"))
    return _made("span", all_text(link).strip() or next(filter(None, targets), ""))


def _task(task: Element) -> Element:
    is_done = any(local_name(each) == "task-status" and all_text(each).strip() == "complete" for each in task)
    shown = _made("li", f"[{'x' if is_done else ' '}] ")
    for body in task:
        if local_name(body) == "task-body":
            body.tail = None
            body.tag = "span"
            shown.append(body)
    return shown


def _tasks(tasks: Element) -> Element:
    shown = _made("ul")
    shown.extend(list(tasks))
    return shown


def _image(image: Element) -> Element:
    shown, picture = _made("span"), _made("img")
    picture.set("alt", attribute(image, "alt") or attribute(image, "title"))
    shown.append(picture)
    shown.extend([each for each in image if local_name(each) == "caption"])
    return shown


def _nothing(_: Element) -> Element:
    return _made("span")


def _emoticon(sign: Element) -> Element:
    return _made("span", attribute(sign, "emoji-fallback"))


_SHOWN = {
    "structured-macro": _macro, "macro": _macro, "link": _link, "task": _task, "task-list": _tasks, "image": _image,
    "placeholder": _nothing, "emoticon": _emoticon,
}  # fmt: skip
