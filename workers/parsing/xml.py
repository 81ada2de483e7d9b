"""Owns reading XML that strangers wrote: no entities, no DTD, no network, no unbounded depth or text."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import IO, Any

from lxml import etree

from embedmill.shared.errors import UnreadableDocument

Element = etree._Element  # noqa: SLF001  # lxml names its element class no other way


def parse_xml(data: bytes) -> Element:
    """The root element. UnreadableDocument with the line, never the text, of a mistake."""
    try:
        return etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        raise _refusal(error) from None


@cache
def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def stream_xml(stream: IO[bytes], names: Iterable[str]) -> Iterator[tuple[str, Element]]:
    """("start" or "end", element) in document order, of elements by these names; who is done with one clears it."""
    events: Any = etree.iterparse(
        stream,
        events=("start", "end"),
        tag=[f"{{*}}{name}" for name in names],
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    try:
        yield from events
    except etree.XMLSyntaxError as error:
        raise _refusal(error) from None


def local_name(element: Element) -> str:
    """The tag without its namespace; "" for comments, entities and processing instructions."""
    tag: object = element.tag  # a function for comments, whatever the stubs say
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """An attribute's value by its local name, in the element's namespace or in any other; "" when absent."""
    tag: object = element.tag
    space = tag[: tag.rfind("}") + 1] if isinstance(tag, str) else ""
    value = element.get(f"{space}{name}")
    if value is not None:
        return value
    end = f"}}{name}"
    for key, found in element.items():
        if key == name or str(key).endswith(end):
            return str(found)
    return ""


def attributes(element: Element) -> dict[str, str]:
    """All attributes as `attribute` finds them, for who asks for several."""
    tag: object = element.tag
    space = tag[: tag.rfind("}") + 1] if isinstance(tag, str) else ""
    found: dict[str, str] = {}
    for key, value in element.items():
        name = str(key).rpartition("}")[2]
        if name not in found or key == f"{space}{name}":
            found[name] = str(value)
    return found


def children(element: Element | None) -> dict[str, Element]:
    """An element's children by their local names, the last of each; none where there is no element."""
    return {} if element is None else {local_name(child): child for child in element}


def value(element: Element | None) -> str:
    """The `val` of an element, as Office writes properties; "" where there is none."""
    return "" if element is None else attribute(element, "val")


def child_value(element: Element, path: str) -> str:
    """The `val` of the element at a path; "" when absent."""
    return value(element.find(path))


def all_text(element: Element) -> str:
    """Every text in an element, tails within it included."""
    return "".join(map(str, element.itertext()))


def forget(element: Element) -> None:
    """Frees an element and the siblings before it, which keeps a stream's memory flat."""
    element.clear()
    while (before := element.getprevious()) is not None:
        parent = before.getparent()
        if parent is None:
            return
        parent.remove(before)


def _refusal(error: etree.XMLSyntaxError) -> UnreadableDocument:
    """What is over a limit of the parser's (256 elements within each other, 10 MB of one text) is not malformed."""
    code = getattr(error, "code", 0)  # the stubs lack it
    if code != etree.ErrorTypes.ERR_RESOURCE_LIMIT:
        return UnreadableDocument(f"its XML is malformed (line {error.lineno or 0})")
    if "depth" in (error.msg or ""):
        return UnreadableDocument("its elements are nested too deeply")
    return UnreadableDocument("a text or an element of its XML is longer than is read")
