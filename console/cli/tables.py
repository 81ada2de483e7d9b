"""Tables on a terminal, no wider than it is: empty columns go first, then long cells fold, then rows become blocks.

Rich draws them, which nothing else loads.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

GAP = 2
# A column that is narrower than that and than its longest cell cannot be read.
NARROWEST = 12
NOTHING = frozenset({"", "0", "0.0", "0.000000"})


def draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose cells are harmless already; wide characters count as two columns."""
    console = _console()
    widths = _measure(columns, rows)
    if _total(widths) > console.width:
        kept = [i for i in range(len(columns)) if i == 0 or any(row[i] not in NOTHING for row in rows)]
        columns, rows = [columns[i] for i in kept], [[row[i] for i in kept] for row in rows]
        widths = [widths[i] for i in kept]
    least = [min(width, max(NARROWEST, len(column))) for width, column in zip(widths, columns, strict=True)]
    if _total(least) > console.width:
        _draw_blocks(console, columns, rows)
    else:
        _draw_grid(console, columns, rows, least)


def _console() -> "Console":
    # A start leaves rich out (see embedmill.shared.starting), and it is wanted here.
    if sys.modules.get("rich", sys) is None:
        del sys.modules["rich"]
    from rich.console import Console

    return Console(highlight=False)


def _measure(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    from rich.cells import cell_len

    return [max(map(cell_len, (column, *(row[i] for row in rows)))) for i, column in enumerate(columns)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _draw_grid(console: "Console", columns: Sequence[str], rows: Sequence[Sequence[str]], least: Sequence[int]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for column, width in zip(columns, least, strict=True):
        table.add_column(Text(column), overflow="fold", min_width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _draw_blocks(console: "Console", columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Every row as lines of `name value`, the first of them in bold, for what is too wide for a grid."""
    from rich.padding import Padding
    from rich.text import Text

    for first, *rest in rows:
        console.print(Text(f"{columns[0]} {first}", style="bold"))
        said = [
            f"{column}\N{NO-BREAK SPACE}{cell}"
            for column, cell in zip(columns[1:], rest, strict=True)
            if cell not in NOTHING
        ]
        console.print(Padding(Text(", ".join(said)), (0, 0, 0, 2)))
