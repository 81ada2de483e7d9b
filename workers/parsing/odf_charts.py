"""Owns the charts of OpenDocument: the table that a chart keeps of its own values, as the rows that it draws."""

import re
from collections.abc import Mapping, Sequence

from embedmill.workers.parsing.charts import Chart, told_rows, told_value
from embedmill.workers.parsing.odt_tables import cells_of, rows_of
from embedmill.workers.parsing.xml import Element, all_text, attribute, local_name

_RANGE = re.compile(r".*\$?\b([A-Z]{1,3})\$?\d+(?::.*\$?\b([A-Z]{1,3})\$?\d+)?")
_NOT_A_NUMBER = frozenset({"NaN", "1.#NAN", "#N/A"})
_DATE = "yyyy-mm-dd"
_MOST_DIGITS = 9


def read_odf_chart(chart: Element, root: Element) -> Chart:
    """A chart and the titles of its axes; `root` is the document that it stands in, which has its styles."""
    axes = {attribute(axis, "dimension"): axis for axis in chart.iterfind("{*}plot-area/{*}axis")}
    titles = {name: _words(axis.find("{*}title")) for name, axis in axes.items()}
    rows = [list(cells_of(row)) for table in chart.iterfind("{*}table") for row, _ in rows_of(table)]
    up = titles.get("y", "")
    title = " ".join(filter(None, (_words(chart.find("{*}title")), f"({up})" if up else "")))
    if not rows:
        return Chart(title, [], [])
    codes = _codes(root)
    across, along = _code(axes.get("x"), codes), _code(axes.get("y"), codes)
    names = [_words(cell) for cell in rows[0]]
    drawn = list(chart.iterfind("{*}plot-area/{*}series"))
    places = _places(drawn, len(names))
    if not places:
        table = [_told(row[0:1], across) + _told(row[1:], along) for row in rows[1:]]
        return Chart(title, [titles.get("x", ""), *names[1:]], table)
    series = [(_column(rows, x, across), _column(rows, value, along)) for x, value in places]
    return Chart(title, [titles.get("x", ""), *(names[value] for _, value in places)], told_rows(series))


def _places(drawn: Sequence[Element], columns: int) -> list[tuple[int, int]]:
    """Columns of the places across and of the values, series by series, where each series says its places."""
    places: list[tuple[int, int]] = []
    shared: int | None = None
    for one in drawn:
        domains = one.findall("{*}domain")
        value = _column_of(attribute(one, "values-cell-range-address"))
        x = _column_of(attribute(domains[0], "cell-range-address")) if domains else shared
        if len(domains) > 1 or value is None or x is None or max(value, x) >= columns:
            return []
        shared = x
        places.append((x, value))
    return places


def _column_of(address: str) -> int | None:
    """Of a range of one column, as `local-table.$B$2:.$B$4`."""
    found = _RANGE.fullmatch(address)
    if not found or (found[2] and found[2] != found[1]):
        return None
    number = 0
    for letter in found[1]:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _column(rows: Sequence[Sequence[Element]], at: int, code: str) -> dict[int, str]:
    return {number: _told([row[at]], code)[0] for number, row in enumerate(rows[1:]) if at < len(row)}


def _told(cells: Sequence[Element], code: str) -> list[str]:
    """A gap in the values is none of them."""
    found: list[str] = []
    for cell in cells:
        text, number = _words(cell), attribute(cell, "value")
        is_number = attribute(cell, "value-type") == "float"
        found.append("" if text in _NOT_A_NUMBER else told_value(number, code) if is_number and code else text)
    return found


def _code(axis: Element | None, codes: Mapping[str, str]) -> str:
    """How the numbers of an axis are shown, where that is not as they stand in the table."""
    if axis is None:
        return ""
    return _DATE if attribute(axis, "axis-type") == "date" else codes.get(attribute(axis, "style-name"), "")


def _codes(root: Element) -> dict[str, str]:
    """The format of each style that shows dates or percent, as sheets write formats."""
    formats: dict[str, str] = {}
    styles: dict[str, str] = {}
    for style in root.iterfind("{*}automatic-styles/*"):
        match local_name(style):
            case "date-style":
                formats[attribute(style, "name")] = _DATE
            case "percentage-style":
                zeros = "".join(["0" * _digits(number) for number in style.iterfind("{*}number")])
                formats[attribute(style, "name")] = f"0.{zeros}%" if zeros else "0%"
            case "style":
                styles[attribute(style, "name")] = attribute(style, "data-style-name")
    return {name: formats[used] for name, used in styles.items() if used in formats}


def _digits(number: Element) -> int:
    places = attribute(number, "decimal-places")
    return min(int(places), _MOST_DIGITS) if places.isdecimal() and len(places) < _MOST_DIGITS else 0


def _words(element: Element | None) -> str:
    if element is None:
        return ""
    return " ".join(all_text(part) for part in element.iterfind("{*}p")).strip()
