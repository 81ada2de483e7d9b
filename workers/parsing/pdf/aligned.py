"""Owns tables without rules around their cells: lines with gaps, whose cells stand below one another."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice, pairwise, takewhile
from statistics import mean, median

from embedmill.workers.parsing.pdf.drawings import Rule
from embedmill.workers.parsing.pdf.header_above import spread_names, with_head_above
from embedmill.workers.parsing.pdf.hyphens import DocumentWords
from embedmill.workers.parsing.pdf.lines import Line, LineCell, from_place
from embedmill.workers.parsing.pdf.markers import CAPTION, CAPTION_OF_TABLE, MARKER, has_leaders
from embedmill.workers.parsing.pdf.near_cells import parted_like
from embedmill.workers.parsing.pdf.tables import PADDED, Part, PdfTable, Row, count_heads, without_wraps

FARTHEST = 3.0
"""Of a line's height: rows that are farther apart are no rows of one table."""
MOST_ROWS = 400
MOST_ATTEMPTS = 100
"""Of a page: lines with gaps that are no table may be many."""
HEAD_LINES = 3
"""Lines of a header at the most."""
APART = 1.3
"""Of the usual distance of rows."""
WORDS_OF_CELL = 8
WORDS_OF_KEY = 6
"""Words that cells, and those of the first column, have on average at the most: with more they are running text."""
SPANNING_SHARE = 0.25
"""Of a table's cells at most so many reach over two cells of another row."""
ALIGNED_SHARE = 0.7
"""Of a column's cells so many begin, end, or are centred at one place."""
SLACK = 0.6
"""Of a line's height: places that differ less are one."""
SAME_GAP = 0.1
"""Of a distance: distances that differ less are one."""
COMPARED = 40
"""Rows with which a row is compared."""
_COUNTER = re.compile(r"(?:[^\W\d_]{2,}\.? |§ ?)?\(?(?:\d{1,3}(?:\.\d{1,3})*|[a-zA-Z]|[ivxIVX]{1,5})[.):]?")
_PAGE = re.compile(r"\d{1,4}|[ivxlc]+")

Span = tuple[float, float]


def with_aligned_tables(parts: Sequence[Part], level: Sequence[Rule], words: DocumentWords) -> list[Part]:
    """The parts, with tables where lines form them."""
    found: list[Part] = []
    at = attempts = 0
    while at < len(parts):
        lines = list(_region(parts, at)) if _may_begin(parts[at]) and attempts < MOST_ATTEMPTS else []
        taken, table = 0, None
        if len(lines) > 1:
            taken, table = _table(lines, level, words, above=found)
        attempts += len(lines) > 1 and not taken
        found += [table] if table else parts[at : at + max(taken, 1)]
        at += max(taken, 1)
    return found


def _region(parts: Sequence[Part], start: int) -> Iterator[Line]:
    """Lines from here on that may be rows: with gaps, or no wider than a cell; each not far below the one before."""
    above = row = None
    for at, part in enumerate(islice(from_place(parts, start), MOST_ROWS), start):
        if not isinstance(part, Line) or part.fixed or part.alone or has_leaders(part.text) or _is_item(part):
            return
        if CAPTION.match(part.text):
            return
        line = part if above is None else parted_like(above, part)
        if above is None:
            left, right = line.left, line.right
        elif not (
            _may_follow(above, line, left, right)
            or _is_amid(above, line, parts[at + 1 : at + 2])
            or (row and _is_beside(row, line, parts[at + 1 : at + 2]))
            or (row and _is_beside(row, above, [line]))
        ):
            return
        left, right = min(left, line.left), max(right, line.right)
        yield line
        above, row = line, line if len(line.cells) > 1 else row


def _is_item(line: Line) -> bool:
    """Whether a marker stands before the line's text."""
    return len(line.cells) == 2 and MARKER.fullmatch(f"{line.cells[0].text} ") is not None


def _may_begin(part: Part) -> bool:
    return isinstance(part, Line) and len(part.cells) > 1


def _may_follow(above: Line, line: Line, left: float, right: float) -> bool:
    gap, size = above.base - line.base, max(above.size, line.size)
    if -size < gap <= 0 and line.left > above.right:
        return True
    if not 0 < gap < FARTHEST * size + above.reach + line.reach:
        return False
    if len(line.cells) > 1:
        return True
    return line.left >= left - 1 and line.right - line.left < 0.6 * (right - left) and line.right <= right + 1


def _is_amid(above: Line, line: Line, below: Sequence[Part]) -> bool:
    """Whether a line of one cell, however long, stands in the middle between rows of the same columns."""
    following = below[0] if below else None
    if len(line.cells) > 1 or not isinstance(following, Line) or len(following.cells) < 2:
        return False
    gap, slack = above.base - line.base, SLACK * line.size
    met = [(one, cell) for one in above.cells for cell in following.cells if _overlap((one.left, one.right), cell) > 0]
    is_shared = 1 < len(met) == len({id(one) for one, _ in met}) == len({id(cell) for _, cell in met})
    is_shared = is_shared and all(_stands_like(one, cell, slack) for one, cell in met)
    is_level = 0 < gap < FARTHEST * line.size and abs(gap - (line.base - following.base)) < SAME_GAP * gap
    is_centred = abs(line.left + line.right - above.left - above.right) <= 2 * slack
    return is_level and is_shared and (abs(line.left - above.left) <= slack or is_centred)


def _stands_like(cell: LineCell, other: LineCell, slack: float) -> bool:
    """Whether two cells begin, end, or are centred at one place."""
    left, right = cell.left - other.left, cell.right - other.right
    return min(abs(left), abs(right), abs(left + right) / 2) <= slack


def _is_beside(row: Line, key: Line, below: Sequence[Part]) -> bool:
    """Whether a line of one cell stands beside several rows, of which the first, right below `row`, comes next."""
    first = below[0] if below else None
    if len(key.cells) > 1 or not isinstance(first, Line) or not key.base <= first.base < row.base:
        return False
    return first.left > key.right and row.base - first.base < FARTHEST * first.size


def _is_named(above: Sequence[Part]) -> bool:
    """Whether a caption stands above."""
    last = above[-1] if above else None
    return isinstance(last, Line) and CAPTION_OF_TABLE.match(last.text) is not None and bool(CAPTION.match(last.text))


def _table(
    lines: list[Line], level: Sequence[Rule], words: DocumentWords, *, above: list[Part]
) -> tuple[int, PdfTable | None]:
    """How many of the lines are a table, and it; or how many are something else with gaps, and None.

    What of its header is drawn before is taken from the parts `above`.
    """
    lines = _as_far_as_one_table(lines)
    if _is_counted(lines):
        return len(lines), None
    while len(lines[-1].cells) < 2 and not _is_rest(lines) and not _is_key(lines):
        lines.pop()
    columns = _columns([line for line in lines if len(line.cells) > 1])
    rules = [rule.at for rule in level if rule.start < lines[0].right and rule.end > lines[0].left]
    lines = _before_what_crosses(lines, columns)
    placed = [_row(line, columns) for line in lines] if len(columns) > 1 else []
    if placed and (_is_list(placed) or _is_contents(placed)):
        for line in lines:
            line.alone = _is_contents(placed)
            if line.cells[0].text.isdecimal():
                line.cells[0].text += "."
        return len(lines), None
    is_shown = _is_named(above) or (len(placed) > 1 and _has_head(placed, rules))
    if not placed or not _is_tabular(placed, shown=is_shown):
        return 0, None
    placed = [_row(line.part([part for cell in line.cells for part in _cut(cell, columns)]), columns) for line in lines]
    rows = without_wraps(placed, rules)
    if len(rows) < 2:
        return 0, None
    rows = with_head_above(rows, above, columns, level)
    told = [row.texts(words) for row in rows]
    if any(line.backward for line in lines):
        told = [row[::-1] for row in told]
    heads = _ruled_heads(rows, rules) or count_heads(told, [row.bold for row in rows])
    spread_names(told[:heads])
    return len(lines), PdfTable(told, heads, columns)


def _is_counted(lines: Sequence[Line]) -> bool:
    """Whether these are items with the numbers of several levels: `Article 2.`, and `2.1` below it."""
    if any(len(line.cells) != 2 for line in lines):
        return False
    keys = [line.cells[0].text for line in lines]
    return all(map(_COUNTER.fullmatch, keys)) and any(key[-1] in ".)" for key in keys)


def _as_far_as_one_table(lines: list[Line]) -> list[Line]:
    """A line without gaps that stands apart, as between two tables, ends the first of them."""
    gaps = [above.base - line.base for above, line in pairwise(lines) if len(line.cells) > 1 and above.base > line.base]
    usual = median(gaps) if gaps else 0.0
    for number, (above, line) in enumerate(pairwise(lines), start=1):
        is_apart = len(line.cells) == 1 and usual and above.base - line.base > APART * usual
        if is_apart and not _is_beside(above, line, lines[number + 1 : number + 2]):
            return lines[:number]
    return lines


def _before_what_crosses(lines: list[Line], columns: Sequence[Span]) -> list[Line]:
    """Only names of columns reach over several: a later line that does is no row, and ends the table."""
    for number, line in enumerate(lines[HEAD_LINES:], start=HEAD_LINES):
        crosses = any(sum(_overlap(span, cell) > 1 for span in columns) > 1 for cell in line.cells)
        if crosses and not _is_amid(lines[number - 1], line, lines[number + 1 : number + 2]):
            return lines[:number]
    return lines


def _is_rest(lines: Sequence[Line]) -> bool:
    """Whether the last line is nearer to the one above than rows are, as the rest of a cell is."""
    gaps = [above.base - line.base for above, line in pairwise(lines) if len(line.cells) > 1]
    return bool(gaps) and lines[-2].base - lines[-1].base < 0.85 * median(gaps)


def _is_key(lines: Sequence[Line]) -> bool:
    """Whether the last line is a row whose other cells are empty: as far from the one above as padded rows are."""
    last, others = lines[-1], [line for line in lines if len(line.cells) > 1]
    gaps = [above.base - line.base for above, line in pairwise(lines) if len(line.cells) > 1]
    gap, usual = lines[-2].base - last.base, median(gaps) if gaps else 0.0
    if not gaps or gap < PADDED * last.size or not 0.9 * usual <= gap <= 1.1 * usual:
        return False
    begins_there = abs(last.left - others[-1].left) <= SLACK * last.size
    return begins_there and last.right < min(line.cells[1].left for line in others)


def _columns(lines: Sequence[Line]) -> list[Span]:
    """Where columns begin and end: the cells of all lines, put on one another; none where too many cross others."""
    cells = [(cell, number) for number, line in enumerate(lines) for cell in line.cells]
    own = [cell for cell, number in cells if not _crosses(cell, lines[max(number - COMPARED, 0) : number + COMPARED])]
    if len(cells) - len(own) > SPANNING_SHARE * len(cells):
        return []
    columns: list[Span] = []
    for cell in sorted(own, key=lambda cell: cell.left):
        if columns and cell.left < columns[-1][1] - 1:
            columns[-1] = columns[-1][0], max(columns[-1][1], cell.right)
        else:
            columns.append((cell.left, cell.right))
    return _with_names(columns, lines)


def _with_names(columns: Sequence[Span], lines: Sequence[Line]) -> list[Span]:
    """Columns, each with its name, though that stands beside what is set flush right below it."""
    if len(columns) <= max(len(line.cells) for line in lines):
        return list(columns)
    filled = [{number for number, line in enumerate(lines) if _stands_in(line, span)} for span in columns]
    joined: list[Span] = []
    rows: list[set[int]] = []
    for span, own in zip(columns, filled, strict=True):
        names, others = sorted((own, rows[-1]), key=max) if joined and own and rows[-1] else (own, own)
        if len(names) < len(others) and max(names) < min(HEAD_LINES, *others):
            joined[-1] = joined[-1][0], span[1]
            rows[-1] |= own
        else:
            joined.append(span)
            rows.append(own)
    return joined


def _stands_in(line: Line, span: Span) -> bool:
    return any(_overlap(span, cell) > 1 for cell in line.cells)


def _crosses(cell: LineCell, lines: Sequence[Line]) -> bool:
    """Whether a cell reaches over two cells of another line."""
    left, right = cell.left, cell.right
    for line in lines:
        met = [other for other in line.cells if other.right > left and other.left < right]
        if len(met) > 1 and sum(_overlap((left, right), other) > 1 for other in met) > 1:
            return True
    return False


def _overlap(span: Span, cell: LineCell) -> float:
    return min(span[1], cell.right) - max(span[0], cell.left)


def _row(line: Line, columns: Sequence[Span]) -> Row:
    cells: list[list[LineCell]] = [[] for _ in columns]
    for cell in line.cells:
        covered = [number for number, span in enumerate(columns) if _overlap(span, cell) > 1]
        nearest = max(range(len(columns)), key=lambda number: _overlap(columns[number], cell))
        if len(covered) > 1 and len(line.cells) == 1 and _overlap(columns[nearest], cell) < cell.right - cell.left - 1:
            covered = covered[:1]
        for number in covered if len(covered) > 1 else covered or [nearest]:
            cells[number].append(cell)
    return Row(line.base, line.size, cells, line.bold, line.reach)


def _cut(cell: LineCell, columns: Sequence[Span]) -> Iterator[LineCell]:
    """The parts of a cell that reaches over several columns, where it has gaps between them."""
    for column, following in pairwise(columns):
        found = [
            gap
            for gap in cell.breaks
            if gap.right > column[1] - 1 and gap.left < following[0] + 1 and cell.text[gap.at : gap.at + 1] == " "
        ]
        if found and cell.left < column[1] and cell.right > following[0]:
            before, cell = cell.parts(found[0])
            yield before
    yield cell


def _has_head(rows: Sequence[Row], rules: Sequence[float]) -> bool:
    """Whether the first row shows that it names columns: it is bold and no other is, or a rule stands below it."""
    others = rows[1:]
    return (rows[0].bold and not any(row.bold for row in others)) or _lies(rules, rows[0].base, others[0].base)


def _is_tabular(rows: Sequence[Row], *, shown: bool) -> bool:
    """Whether these are rows of a table, and no prose with wide gaps; two rows of two cells are where it is `shown`."""
    several = sum(len({id(cell) for held in row.cells for cell in held}) > 1 for row in rows)
    is_doubtful = several == 2 and not shown and (len(rows[0].cells) < 3 or any(map(_spans, rows)))
    if several < 2 or is_doubtful or not _is_brief(rows):
        return False
    columns = zip(*(row.cells for row in rows), strict=True)
    return all(_is_aligned(column, rows[0].size) or _is_aligned_below(column, rows[0].size) for column in columns)


def _spans(row: Row) -> bool:
    """Whether a cell stands in several columns."""
    return len({id(cell) for held in row.cells for cell in held}) < sum(row.is_filled)


def _is_list(rows: Sequence[Row]) -> bool:
    keys = [row.cells[0][0].text for row in rows if row.cells[0]]
    if not keys or len(rows[0].cells) != 2:
        return False
    return keys == [str(number) for number in range(1, len(keys) + 1)] or all(
        MARKER.fullmatch(f"{key} ") for key in keys
    )


def _is_contents(rows: Sequence[Row]) -> bool:
    """Titles, and behind them the pages where they stand, which never go back."""
    pages = [row.cells[-1][0].text for row in rows if row.cells[-1]]
    if len(pages) < 4 or not all(map(_PAGE.fullmatch, pages)):
        return False
    numbers = [int(page) for page in pages if page.isdecimal()]
    titles = [row.cells[-2][0].text for row in rows if row.cells[-2]]
    return len(rows[0].cells) <= 3 and numbers == sorted(numbers) and sum(map(_has_words, titles)) > 0.8 * len(pages)


def _has_words(text: str) -> bool:
    return re.search(r"[^\W\d_]{2}", text) is not None


def _is_brief(rows: Sequence[Row]) -> bool:
    counts = [[len(cell.text.split()) for cell in cells] for row in rows for cells in row.cells]
    keys = [len(cell.text.split()) for row in rows for cell in row.cells[0]]
    return mean(n for cell in counts for n in cell) <= WORDS_OF_CELL and mean(keys or [0]) <= WORDS_OF_KEY


def _is_aligned(column: Sequence[Sequence[LineCell]], size: float) -> bool:
    cells = [cell for held in column for cell in held]
    places = ([cell.left for cell in cells], [cell.right for cell in cells], [cell.left + cell.right for cell in cells])
    return any(_agree(place, SLACK * size) for place in places)


def _is_aligned_below(column: Sequence[Sequence[LineCell]], size: float) -> bool:
    """Whether the cells below the names do, which may be set otherwise."""
    below = column[HEAD_LINES - 1 :]
    return sum(bool(held) for held in below) >= HEAD_LINES and _is_aligned(below, size)


def _agree(places: Sequence[float], slack: float) -> bool:
    middle = median(places)
    return sum(abs(place - middle) <= slack for place in places) >= ALIGNED_SHARE * len(places)


def _ruled_heads(rows: Sequence[Row], rules: Sequence[float]) -> int:
    """Rows above the only rule between rows, as tables have it that are set with few rules."""
    parted = [number for number, (above, row) in enumerate(pairwise(rows), 1) if _lies(rules, above.base, row.base)]
    return parted[0] if len(parted) == 1 and parted[0] < min(4, len(rows)) else 0


def _lies(rules: Sequence[float], above: float, below: float) -> bool:
    return any(below < rule < above for rule in rules)


def carry_over(pages: Sequence[list[Part]], words: DocumentWords) -> None:
    """The first lines of a page are rows, where the page before ends with a table into whose columns they fit."""
    for before, page in pairwise(pages):
        table = before[-1] if before else None
        if isinstance(table, PdfTable) and table.columns:
            lines = list(takewhile(partial(_fits, table.columns), page))
            rows = [_row(line, table.columns).texts(words) for line in lines if isinstance(line, Line)]
            if rows:
                page[: len(rows)] = [PdfTable(rows, 0, table.columns)]


def _fits(columns: Sequence[Span], part: Part) -> bool:
    """Whether a line has cells in several columns, each in one of its own."""
    if not isinstance(part, Line) or len(part.cells) < 2:
        return False
    own = [[number for number, span in enumerate(columns) if _overlap(span, cell) > 0] for cell in part.cells]
    return all(len(covered) == 1 for covered in own) and len({covered[0] for covered in own}) == len(own)
