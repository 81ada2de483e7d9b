"""Owns the words of an XML element: scripts and equations in a line, and the notes that stand in its sentences."""

from collections.abc import Iterator

from embedmill.workers.parsing.draft import Draft, one_line
from embedmill.workers.parsing.equations import mathml
from embedmill.workers.parsing.scripts import SUB, SUPER, script
from embedmill.workers.parsing.xml import Element, attribute, local_name

_SCRIPTS = {"superscript": SUPER, "sup": SUPER, "subscript": SUB, "sub": SUB}
_EQUATION, _SAME_AGAIN, _NOTE, _REFERENCE, _CHOICE = "math", "alternatives", "footnote", "xref", "choice"
_CHOSEN = frozenset(("reg", "corr", "expan"))
"""Of two spellings in TEI, the one that is looked for."""
_BREAKS = frozenset(("lb", "br", "break"))
_SPECIAL = tuple(
    f"{{*}}{name}" for name in (*_SCRIPTS, *_BREAKS, _EQUATION, _SAME_AGAIN, _NOTE, "note", _REFERENCE, _CHOICE)
)


class XmlWords:
    """Reads text; a note that stands in it leaves its number there, and waits for the block's end."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._notes = 0
        self._waiting: list[str] = []

    def of(self, element: Element) -> Iterator[str]:
        """All text in an element; comments, entities and instructions have none."""
        if next(element.iter(*_SPECIAL), None) is None:
            return map(str, element.itertext())
        return iter((self._special(element, ""),))

    def flat(self, element: Element) -> str:
        return one_line("".join(self.of(element)))

    def within(self, element: Element, before: str) -> str:
        """Its text where it stands in a line."""
        if next(element.iter(*_SPECIAL), None) is None:
            return "".join(map(str, element.itertext()))
        return self._special(element, before)

    def settle(self) -> None:
        """The notes of the block that has just been added."""
        waiting, self._waiting = self._waiting, []
        for note in waiting:
            self._draft.paragraph(note)

    def _special(self, element: Element, before: str) -> str:
        """`before` is what stands before it in the line."""
        name = local_name(element)
        if name == _EQUATION:
            return mathml(element)
        if name in _BREAKS:
            return " "
        if name == _NOTE or (name == "note" and (attribute(element, "place") or before.strip())):
            return self._mark(element)
        if name == _REFERENCE and attribute(element, "ref-type") == "fn":
            return f"[{''.join(map(str, element.itertext())).strip()}]"
        if name == _SAME_AGAIN and (drawn := element.find(f"{{*}}{_EQUATION}")) is not None:
            return mathml(drawn)
        if name == _CHOICE:
            chosen = next((child for child in element if local_name(child) in _CHOSEN), next(iter(element), None))
            return "" if chosen is None else self._special(chosen, before)
        text = element.text or ""
        for child in element:
            if local_name(child):
                text += self._special(child, text or before)
            text += child.tail or ""
        return script(_SCRIPTS[name], text, before) if name in _SCRIPTS else text

    def _mark(self, note: Element) -> str:
        self._notes += 1
        mark = f"[{attribute(note, 'label') or self._notes}]"
        words = one_line("".join([note.text or "", *(self._special(child, "") + " " for child in note)]))
        self._waiting.append(f"{mark} {words}")
        return mark
