r"""Owns the equations of RTF, whose groups are the elements of Office's math: `{\mden ..}` is `m:den`."""

from collections.abc import Callable

from lxml import etree

from embedmill.workers.parsing.equations import omml
from embedmill.workers.parsing.rtf.tokens import RtfTokenKind, RtfTokens
from embedmill.workers.parsing.xml import Element

DEEPEST = 200

_NAMES = frozenset(
    f"m{name}"
    for name in "acc accPr begChr chr d dPr deg den e endChr eqArr f fName fPr func lim limLow limUpp m mr nary naryPr "
    "num oMath oMathPara r rad sPre sSub sSubSup sSup sepChr sub sup type".split()
)


def shown_equation(group: bytes, decode: Callable[[bytes], str]) -> str:
    """In a line, as those of other formats; what is nested too deeply is left out."""
    root = current = etree.Element("oMath")
    outer: list[Element] = []
    to_skip = 0
    tokens = RtfTokens(group, _NAMES | {"u"})
    for token in tokens:
        if token.kind is RtfTokenKind.OPEN:
            outer.append(current)
        elif token.kind is RtfTokenKind.CLOSE:
            current = outer.pop() if outer else root
        elif token.kind is RtfTokenKind.OPTIONAL or len(outer) > DEEPEST:
            tokens.skip_group()
        elif token.kind is RtfTokenKind.BYTES:
            _add(current, decode(token.data[to_skip:]))
            to_skip = 0
        elif token.word == "u":
            code = token.number or 0
            _add(current, chr(code % 0x10000))
            to_skip = 1
        elif token.word:
            current = etree.SubElement(current, token.word[1:])
    return omml(root)


def _add(element: Element, text: str) -> None:
    """The text of a run, or the value of a property."""
    if element.tag != "r":
        element.set("val", element.get("val", "") + text.strip())
        return
    run = element[0] if len(element) else etree.SubElement(element, "t")
    run.text = (run.text or "") + text
