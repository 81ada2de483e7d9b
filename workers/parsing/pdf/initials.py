"""Owns initials: a large letter that reaches over several lines begins the first of these."""

from dataclasses import replace

from embedmill.workers.parsing.pdf.hyphens import DocumentWords
from embedmill.workers.parsing.pdf.initial_letters import LONGER, QUOTES, is_initial, is_letter
from embedmill.workers.parsing.pdf.lines import Line, LineCell

ENOUGH_LINES = 2
MOST_INITIALS = 50
"""Of a page: one with more letters that stand alone has none."""


def with_initials(lines: list[Line], words: DocumentWords) -> list[Line]:
    """The lines without those that are initials, which open the lines that they stand beside."""
    initials = [line for line in lines if len(line.cells[0].text) < LONGER and len(line.cells) == 1]
    initials = [line for line in initials if is_letter(line.text)]
    for initial in initials if len(initials) <= MOST_INITIALS else ():
        beside = [line for line in lines if line is not initial and _is_beside(initial, line)]
        if len(beside) >= ENOUGH_LINES:
            for line in beside:
                line.cells[0] = replace(line.cells[0], left=initial.left)
            _open(max(beside, key=lambda line: line.base).cells[0], initial.text, words)
            lines = [line for line in lines if line is not initial]
    return lines


def _is_beside(initial: Line, line: Line) -> bool:
    if not is_initial(initial.text, initial.size, line.size) or line.right < initial.right:
        return False
    is_level = -line.size / 4 < line.base - initial.base < initial.size
    return is_level and initial.left - 1 < line.left < initial.right + line.size


def _open(cell: LineCell, initial: str, words: DocumentWords) -> None:
    """`A` and `I` may be words of their own."""
    first, letter = cell.text.partition(" ")[0], initial.lstrip(QUOTES)
    is_own = letter in {"A", "I"} and words.knows(first) and not words.knows(letter + first)
    cell.text = f"{initial} {cell.text}" if is_own else initial + cell.text
