"""What people see while a job goes on."""

from embedmill.console.cli.progress import format_progress
from embedmill.console.services.progress import scanning


def test_while_sources_are_read_it_says_what_was_met_and_about_how_much_is_left() -> None:
    assert format_progress(scanning(1, 40)) == "scanning: 40 documents"
    assert format_progress(scanning(1, 40, 100)) == "scanning: 40 documents, about 60 left"
    assert format_progress(scanning(1, 120, 100)) == "scanning: 120 documents"
