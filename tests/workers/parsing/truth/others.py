"""Books, archives and texts in legacy encodings, made for the truth."""

from collections.abc import Callable
from email.message import EmailMessage

from tests.shared.containers.making import taped, zipped
from tests.workers.parsing.outlook_files import outlook_message, winmail

CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">
<metadata><dc:title>Pumps</dc:title></metadata><manifest>
<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>
<item id="b" href="b%20c.xhtml" media-type="application/xhtml+xml"/>
<item id="p" href="p.svg" media-type="image/svg+xml"/></manifest>
<spine><itemref idref="b"/><itemref idref="a"/><itemref idref="p"/><itemref idref="gone"/></spine></package>"""


def book() -> bytes:
    first = "<h1>First</h1><ol><li>Open.</li><li>Wait.</li></ol><img alt='a pump'/>"
    chapters = {
        "OPS/a.xhtml": "<html><head><title>x</title></head><body><h1>Second</h1><p>Valve B.</p></body></html>",
        "OPS/b c.xhtml": f"<html><body>{first}</body></html>",
    }
    return zipped(
        {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "OPS/book.opf": PACKAGE, **chapters}
    )


def carrier() -> bytes:
    """A mail with an archive in which a tape lies."""
    made = EmailMessage()
    made["Subject"], made["From"] = "All of it", "ada@example.com"
    made.set_content("As promised.")
    tape = taped({"deep.csv": "pump,bar\nnorth,4\n"}, mode="w:gz")
    data = zipped({"../notes.md": "# Notes\n\nA *walrus*.", "in/tape.tgz": tape, "p.png": b"\x89PNG\r\n\x1a\n"})
    made.add_attachment(data, maintype="application", subtype="zip", filename="all.zip")
    return made.as_bytes()


def winmail_carrier() -> bytes:
    """A mail whose files Outlook packed."""
    made = EmailMessage()
    made["Subject"], made["From"] = "Yields", "ada@example.com"
    made.set_content("Said twice.")
    files = [("Preise März.csv", b"Korn;Preis\nRoggen;1,20\nWeizen;1,50\n"), ("notes.txt", b"A walrus.")]
    made.add_attachment(winmail(files), maintype="application", subtype="ms-tnef", filename="winmail.dat")
    return made.as_bytes()


MADE: dict[str, Callable[[], bytes]] = {
    "upper-mill.msg": outlook_message,
    "winmail.eml": winmail_carrier,
    "book.epub": book,
    "carrier.eml": carrier,
    "latin.txt": lambda: "El niño comerá piñas.\n\n¿Qué más?".encode("cp1252"),
    "polish.txt": lambda: "Nie można otworzyć pliku. Sprawdź, czy ścieżka jest prawidłowa.".encode("iso8859_2"),
    "twice.txt": lambda: "Größe".encode().decode("cp1252").encode() + "\n\nStraße".encode(),
    "wide.txt": lambda: "Привет, мир.".encode("utf-16-le"),
}
