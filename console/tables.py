"""Tables on a terminal: as wide as it is, with long cells folded; drawn by rich, which nothing else loads."""

import sys
from collections.abc import Sequence


def draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose cells are harmless already; wide characters count as two columns."""
    # A start leaves rich out (see shared.starting), and it is wanted here.
    if sys.modules.get("rich", sys) is None:
        del sys.modules["rich"]
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)
