"""Owns the diagrams of office files (SmartArt): their points as a nested list."""

from collections import defaultdict

from embedmill.workers.parsing.charts import drawn_text
from embedmill.workers.parsing.xml import Element

POINTS = 10_000
"""Most points that are read of one diagram."""

_NODES = frozenset({"", "node", "asst"})


def read_diagram(root: Element) -> list[tuple[int, str]]:
    """(depth from 0, text) of each point with text, in the order in which they hang below one another."""
    texts = {
        point.get("modelId", ""): drawn_text(point)
        for point in root.iterfind("{*}ptLst/{*}pt")
        if point.get("type", "") in _NODES
    }
    below = _children(root)
    held = {child for children in below.values() for child in children}
    roots = [point.get("modelId", "") for point in root.iterfind("{*}ptLst/{*}pt") if point.get("modelId") not in held]
    return _walk(roots, below, texts)


def _children(root: Element) -> dict[str, list[str]]:
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for link in root.iterfind("{*}cxnLst/{*}cxn"):
        if link.get("type", "parOf") == "parOf":
            order = link.get("srcOrd", "0")
            found[link.get("srcId", "")].append((int(order) if order.isdecimal() else 0, link.get("destId", "")))
    return {
        parent: [child for _, child in sorted(children, key=lambda pair: pair[0])] for parent, children in found.items()
    }


def _walk(roots: list[str], below: dict[str, list[str]], texts: dict[str, str]) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    waiting = [(0, point) for point in reversed(roots)]
    seen: set[str] = set()
    while waiting and len(seen) < POINTS:
        depth, point = waiting.pop()
        if point in seen:
            continue
        seen.add(point)
        if text := texts.get(point, ""):
            found.append((depth, text))
        deeper = depth + bool(text)
        waiting.extend((deeper, child) for child in reversed(below.get(point, [])))
    return found
