"""Files of the truth that scripts make, by name: those whose format is no text."""

from collections.abc import Callable

from tests.workers.parsing.truth import office, others, pdfs, sheets

MADE: dict[str, Callable[[], bytes]] = {**office.MADE, **others.MADE, **pdfs.MADE, **sheets.MADE}
