"""Owns the charts of office files: the title, the axes, and the numbers as the table that a chart draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.number_formats import shown
from embedmill.workers.parsing.xml import Element, local_name

_FIRST_DAY, _LAST_DAY = datetime(1899, 12, 30), 2_958_465  # noqa: DTZ001 - a sheet's days have no zone
POINTS = 10_000
"""Most categories that are read of one chart."""


Series = tuple[dict[int, str], dict[int, str]]
"""Labels and values by their index."""


@dataclass(frozen=True, slots=True)
class Chart:
    """`head` is the category axis' title and the names of the series; a row is a category with its values."""

    title: str
    head: list[str]
    rows: list[list[str]]


def read_chart(root: Element) -> Chart:
    """A chart part (`c:chartSpace`), or one of the newer kinds (`cx:chartSpace`), from the values stored in it."""
    series = [found for found in root.iter("{*}ser", "{*}data") if local_name(found) == "ser" or found.get("id")]
    read = [_read_series(found) for found in series]
    names = [_series_name(found) for found in root.iter("{*}ser", "{*}series")]
    rows = told_rows(read)
    across, up = _axis_titles(root)
    title = " ".join(filter(None, (_title(root), f"({up})" if up else "")))
    return Chart(title, [across, *names], rows)


def told_rows(series: Sequence[Series]) -> list[list[str]]:
    """A row a category, with the value of each series; where series have categories of their own, each has its rows."""
    categories: dict[int, str] = {}
    for labels, _ in series:
        for index, label in labels.items():
            categories.setdefault(index, label)
    indexes = sorted({*categories, *(index for _, values in series for index in values)})[:POINTS]
    if all(categories[index] == label for labels, _ in series for index, label in labels.items()):
        return [[categories.get(index, ""), *(values.get(index, "") for _, values in series)] for index in indexes]
    rows: list[list[str]] = []
    for number, (labels, values) in enumerate(series):
        for index in sorted({*labels, *values})[: POINTS - len(rows)]:
            rows.append([labels.get(index, ""), *[""] * len(series)])
            rows[-1][1 + number] = values.get(index, "")
    return rows


def _title(root: Element) -> str:
    found = root.find("{*}chart/{*}title")
    return "" if found is None else drawn_text(found)


def drawn_text(element: Element) -> str:
    """The words of a drawing's text, one blank between its paragraphs."""
    paragraphs = list(element.iter("{*}p"))
    if not paragraphs:
        return " ".join(found.text or "" for found in element.iter("{*}v"))
    return " ".join("".join(text.text or "" for text in paragraph.iter("{*}t")) for paragraph in paragraphs).strip()


def _axis_titles(root: Element) -> tuple[str, str]:
    """Of the category axis, and of all others."""
    across: list[str] = []
    up: list[str] = []
    for axis in root.iter("{*}catAx", "{*}dateAx", "{*}valAx", "{*}serAx"):
        if (title := axis.find("{*}title")) is not None and (text := drawn_text(title)):
            (across if local_name(axis) in {"catAx", "dateAx"} else up).append(text)
    return ", ".join(across), ", ".join(up)


def _series_name(series: Element) -> str:
    found = series.find("{*}tx")
    return "" if found is None else drawn_text(found)


def _read_series(series: Element) -> Series:
    """Labels and values by their index; several levels of labels are joined, the outermost first."""
    labels: dict[int, str] = {}
    values: dict[int, str] = {}
    for part in series:
        match local_name(part):
            case "cat" | "xVal" | "strDim":
                labels = _labels(part)
            case "val" | "yVal" | "numDim":
                values = _points(part)
            case "bubbleSize":
                sizes = _points(part)
                values = {
                    index: f"{value} ({sizes[index]})" if index in sizes else value for index, value in values.items()
                }
    return labels, values


def _labels(part: Element) -> dict[int, str]:
    levels = list(part.iter("{*}lvl"))
    if not levels:
        return _points(part)
    last = max((index for level in levels for index in _points(level)), default=-1)
    joined = [_filled(_points(level), min(last, POINTS)) for level in reversed(levels)]
    return {index: " ".join(filter(None, texts)) for index, texts in enumerate(zip(*joined, strict=True))}


def _filled(points: dict[int, str], last: int) -> list[str]:
    """An outer label stands at its first point and holds until the next one."""
    found: list[str] = []
    for index in range(last + 1):
        found.append(points.get(index, found[-1] if found else ""))
    return found


def _points(part: Element) -> dict[int, str]:
    points: dict[int, str] = {}
    code = next((found.text or "" for found in part.iter("{*}formatCode")), "") or next(
        (found.get("formatCode", "") for found in part.iter("{*}lvl")), ""
    )
    for point in part.iter("{*}pt"):
        if len(points) >= POINTS:
            break
        index = point.get("idx", "")
        text = point.findtext("{*}v") or point.text or ""
        points[int(index) if index.isdecimal() else len(points)] = told_value(
            text.strip(), point.get("formatCode") or code
        )
    return points


def told_value(value: str, code: str) -> str:
    """A value in its format; else without the noise of binary fractions: `4.3` for `4.2999999999999998`."""
    try:
        number = float(value)
    except ValueError:
        return value
    if code and code.lower() != "general" and (text := _formatted(number, code)) is not None:
        return text
    if "." not in value or len(value) < 15 or number in {float("inf"), float("-inf")}:
        return value
    return f"{number:.12g}"


def _formatted(number: float, code: str) -> str | None:
    """A date is a number of days, as sheets count them."""
    if (text := shown(number, code)) is not None or not 0 < number < _LAST_DAY:
        return text
    return shown(_FIRST_DAY + timedelta(days=number), code)


def add_chart(chart: Chart, draft: Draft, *, page: int | None = None) -> None:
    """As the table that the chart draws; one without values leaves its title."""
    if not chart.rows:
        draft.caption(chart.title, page=page)
        return
    table = draft.table(chart.title, page=page)
    table.head(chart.head)
    for row in chart.rows:
        table.row(row)
