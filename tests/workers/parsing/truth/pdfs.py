"""PDF files of the truth, drawn from text at places; those of other programs are kept as they made them."""

from collections.abc import Callable

from tests.workers.parsing.pdf.drawing import Page, draw

BODY = (
    "The pump has two valves, of which one is always",
    "open while the other is shut. Both are tested in",
    "the spring, before water flows through the docu-",
    "mented path for the first time in the year.",
)


def form() -> bytes:
    page = Page().text(72, 700, "Order form", size=18).text(72, 660, "Name:").text(72, 630, "Colour:")
    page.fill_in("Tx", "/T(a)/V(Marguerite)", (120, 655, 300, 672))
    page.fill_in("Ch", "/Ff 131072/T(b)/Opt[[(r)(Red)][(g)(Green)]]/V(g)", (120, 625, 300, 642))
    page.fill_in("Btn", "/T(c)/V/Yes/AS/Yes/AP<</N<</Yes null/Off null>>>>", (72, 598, 84, 610)).text(
        90, 600, "By post"
    )
    page.fill_in("Tx", "/T(d)/TU(Remarks)/V(Ring twice.)", (72, 520, 300, 580))
    return draw(page.comment("/Contents(Called back on Monday)/T(Ann)"))


def columns() -> bytes:
    """Two columns below a title, drawn line by line, and a table across both."""
    page = Page().text(72, 740, "Two columns", size=18)
    for number in range(8):
        page.text(72, 700 - 14 * number, BODY[number % 4], size=9).text(
            320, 700 - 14 * number, BODY[number % 4], size=9
        )
    page.text(72, 560, "Table 1: Tests", size=9)
    for number, row in enumerate((("Valve", "Bar", "Result"), ("A", "1.5", "tight"), ("B", "", "leaks"))):
        for place, text in zip((72, 240, 400), row, strict=True):
            page.text(place, 540 - 16 * number, text, size=9)
    return draw(page)


def book() -> bytes:
    """Chapters with a running head, page numbers, a page without text and a list."""
    pages = []
    for number, name in enumerate(("Valves", "Valves", "Tests", "Tests"), start=1):
        page = Page().text(72, 770, f"Pump manual: {name}", size=9).text(300, 30, str(number), size=9)
        if number in {1, 3}:
            page.text(72, 720, f"{1 + number // 3} {name}", size=18)
        pages.append(page.lines(72, 690, *BODY))
    pages[1].text(72, 600, "1. Open A.").text(72, 586, "2. Open B:").text(90, 572, "\x95 slowly,").text(
        90, 558, "\x95 twice."
    )
    return draw(*pages[:3], Page(), pages[3])


MADE: dict[str, Callable[[], bytes]] = {"book.pdf": book, "columns.pdf": columns, "form.pdf": form}
