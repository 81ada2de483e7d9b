"""`embedmill version`."""

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_json, print_line
from embedmill.shared import VERSION


def version(as_json: AsJson = False) -> None:
    """Print the version."""
    if as_json:
        print_json({"version": VERSION})
    else:
        print_line(f"embedmill {VERSION}")
