"""Files with long tables and many slides, by name; made by scripts, and the same on every machine."""

import io
from collections.abc import Callable
from itertools import product

import xlsxwriter
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

FIRST = ("Ingrid", "Olav", "Marta", "Jonas", "Selma", "Peder", "Astrid", "Henrik", "Ragna", "Tobias")
SURNAMES = [f"{a}{b}{c}" for a, b, c in product(("Hal", "Bjer", "Sund", "Lok", "Vest"), ("vor", "kel", "mar", "tun"), (
    "sen", "rud", "dal", "vik", "lund", "heim", "stad"))]  # fmt: skip
DEPARTMENTS = ("Hydrology", "Workshop", "Accounts", "Survey", "Harbour office")
CITIES = ("Oslo", "Bergen", "Tromsø", "Stavanger")
TOOLS = ("chisel", "mallet", "plane", "bradawl", "spokeshave", "gouge", "rasp", "clamp", "mitre saw", "marking gauge")
WOODS = ("ash", "beech", "cherry", "elm", "hornbeam", "larch", "oak", "walnut")
COUNTRIES = ("Albania", "Bolivia", "Chad", "Denmark", "Ecuador", "Fiji", "Gabon", "Haiti", "Iceland", "Jordan", "Kenya",
             "Laos", "Malta", "Nepal", "Oman", "Peru", "Qatar", "Rwanda", "Samoa", "Togo")  # fmt: skip


def staff() -> bytes:
    """140 people."""
    lines = ["person_id,full_name,department,city,salary,started"]
    for n, surname in enumerate(SURNAMES):
        name, department, city = f"{FIRST[n % 10]} {surname}", DEPARTMENTS[n % 5], CITIES[n % 4]
        lines.append(f"{1000 + n},{name},{department},{city},{41000 + 317 * n},20{10 + n % 15}-{1 + n % 12:02}-15")
    return "\n".join(lines).encode()


def prices() -> bytes:
    """80 tools, with prices and margins in the formats of their cells, and who sells the woods."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        money, share = book.add_format({"num_format": "$#,##0.00"}), book.add_format({"num_format": "0.0%"})
        sheet = book.add_worksheet("Price list")
        sheet.merge_range(0, 0, 0, 4, "Retail prices of hand tools, spring 2026")
        sheet.write_row(1, 0, ["article", "tool", "price", "margin", "in stock"])
        for n, (wood, tool) in enumerate(product(WOODS, TOOLS)):
            sheet.write_row(n + 2, 0, [f"HT-{300 + n}", f"{tool} with {wood} handle"])
            sheet.write_number(n + 2, 2, 12.5 + n * 1.75, money)
            sheet.write_number(n + 2, 3, 0.1 + n / 400, share)
            sheet.write_number(n + 2, 4, (n * 13) % 47)
        sellers = book.add_worksheet("Sellers")
        sellers.write_row(0, 0, ["wood", "sawmill", "delivery days"])
        for n, wood in enumerate(WOODS):
            sellers.write_row(n + 1, 0, [wood, f"{SURNAMES[n * 9]} sawmill", 3 + n])
    return stream.getvalue()


def torques() -> bytes:
    """60 bolts in Markdown."""
    rows = [
        f"| M{4 + n // 4} class {('4.6', '8.8', '10.9', '12.9')[n % 4]} | {3 + n * 4} Nm | {n % 7 + 1} mm |"
        for n in range(60)
    ]
    table = "\n".join(["| bolt | tightening torque | washer |", "|---|---|---|", *rows])
    return f"# Assembly handbook\n\nBolts are tightened in two passes.\n\n## Tightening torques\n\n{table}\n".encode()


def emissions() -> bytes:
    """Twenty countries over two gases, the country's cell spanning both."""
    rows = []
    for n, country in enumerate(COUNTRIES):
        for m, gas in enumerate(("methane", "nitrous oxide")):
            head = f'<td rowspan="2">{country}</td>' if m == 0 else ""
            cells = "".join(f"<td>{(n + 3) * (m + 2) * 7 + year}</td>" for year in range(4))
            rows.append(f"<tr>{head}<td>{gas}</td>{cells}</tr>")
    head = "<tr><th>country</th><th>gas</th><th>2019</th><th>2020</th><th>2021</th><th>2022</th></tr>"
    table = (
        f"<table><caption>Emissions in kilotonnes</caption><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
    )
    return f"<html><body><h1>Emissions of two gases</h1><p>Reported every year.</p>{table}</body></html>".encode()


SLIDES = (
    ("Welcome", ["Workshop on river gauges", "Two days in the valley"], "Say hello to everybody."),
    ("Where gauges stand", ["Upstream of the weir", "Below the old mill", "At the ferry landing"], ""),
    ("Reading a staff gauge", ["Read at eye level", "Note the lower edge of the meniscus"], "Show the wooden staff."),
    ("Ultrasonic sensors", ["Mounted under the bridge deck", "Blind zone of thirty centimetres"], ""),
    ("Pressure sensors", ["Corrected for barometric pressure", "Drift of two millimetres a year"], "Ask who owns one."),
    ("Maintenance", ["Remove algae every month", "Replace desiccant in autumn"], "The desiccant turns pink."),
    ("Data transfer", ["Radio every fifteen minutes", "Memory lasts ninety days"], ""),
    ("Flood alarms", ["Yellow at three metres", "Red at four metres and twenty"], "Call the night duty officer."),
    ("Budget", ["One station costs 4,200 euros", "Batteries are paid by the district"], ""),
    ("Questions", ["Write to gauges@example.org"], "Thank the ferryman."),
)  # fmt: skip


def deck() -> bytes:
    """Ten slides with notes, then one with a table and one with a chart."""
    made = Presentation()
    for title, points, notes in SLIDES:
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, "\n".join(points)
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "Stations by year"
    rows = [("year", "stations", "outages"), ("2023", "14", "6"), ("2024", "19", "4"), ("2025", "23", "9")]
    table = slide.shapes.add_table(4, 3, Inches(1), Inches(2), Inches(6), Inches(2)).table
    for (row, column), text in (((r, c), rows[r][c]) for r in range(4) for c in range(3)):
        table.cell(row, column).text = text
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "What gauges see"
    data = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["January", "April", "July"]
    data.add_series("Kingfishers seen", (4, 17, 11))  # type: ignore[no-untyped-call]
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(2), Inches(6), Inches(4), data)
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()


MADE: dict[str, Callable[[], bytes]] = {
    "staff.csv": staff, "prices.xlsx": prices, "torques.md": torques, "emissions.html": emissions, "gauges.pptx": deck,
}  # fmt: skip
