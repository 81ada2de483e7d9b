"""Owns where a form's filled fields stand in a page's text: on the line of their label, if they have one."""

from collections.abc import Sequence

from embedmill.workers.parsing.pdf.annotations import Field
from embedmill.workers.parsing.pdf.lines import Line, LineCell


def place_fields(lines: list[Line], fields: Sequence[Field]) -> list[Line]:
    """The lines with the fields' values in them; a line with a value is a paragraph of its own."""
    placed = list(lines)
    for field in fields:
        line = _label_line(placed, field)
        if line:
            _insert(line, field)
        else:
            placed.insert(_position(placed, field), _own_line(field))
    return placed


def _label_line(lines: Sequence[Line], field: Field) -> Line | None:
    """The line beside the field, whose baseline lies within its height."""
    _, bottom, _, top = field.box
    beside = [line for line in lines if bottom - line.size / 2 < line.base < top]
    return min(beside, key=lambda line: abs(line.base - (bottom + min(top - bottom, line.size) / 4)), default=None)


def _insert(line: Line, field: Field) -> None:
    """The value joins the cell before it; a box joins the one behind, where that is nearer."""
    left, _, right, _ = field.box
    line.alone = True
    before = max((cell for cell in line.cells if cell.left < left), key=lambda cell: cell.left, default=None)
    behind = min((cell for cell in line.cells if cell.left >= left), key=lambda cell: cell.left, default=None)
    if before and not (field.is_box and behind and behind.left - right < left - before.right):
        before.text, before.right = f"{before.text} {field.value}", max(before.right, right)
    elif behind:
        behind.text, behind.left = f"{field.value} {behind.text}", left


def _own_line(field: Field) -> Line:
    left, bottom, right, top = field.box
    if not field.name:
        text = field.value
    else:
        text = f"{field.value} {field.name}" if field.is_box else f"{field.name}: {field.value}"
    return Line([LineCell(left, right, text)], (bottom + top) / 2, min(top - bottom, 12.0), alone=True)


def _position(lines: Sequence[Line], field: Field) -> int:
    """Before the first line below the field."""
    middle = (field.box[1] + field.box[3]) / 2
    return next((at for at, line in enumerate(lines) if line.base < middle), len(lines))
