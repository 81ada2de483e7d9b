"""Files of the truth that scripts make, by name: those whose format is no text."""

from collections.abc import Callable

from tests.workers.parsing.truth import pdfs, sheets

MADE: dict[str, Callable[[], bytes]] = {**pdfs.MADE, **sheets.MADE}
