"""What people read of an ingest that was only tried."""

from typing import TYPE_CHECKING

from embedmill.console.cli.output import print_line, print_warning
from embedmill.console.cli.passed_over import name_place, print_passed_over
from embedmill.console.rendering import documents_of

if TYPE_CHECKING:
    from embedmill.console.services.previewing import Preview

SHOWN = 20


def print_preview(report: "Preview") -> None:
    """What would be done, for people."""
    counts = report.documents
    print_line(
        f"{documents_of(counts.total)}: {counts.new} new, {counts.changed} changed, {counts.unchanged} unchanged; "
        f"{counts.deleted} would leave; nothing was done"
    )
    for change in report.changes[:SHOWN]:
        print_line(f"  {change.change}: {name_place(change.uri, report.sources)}")
    more = counts.new + counts.changed + counts.deleted + counts.held - SHOWN
    if more > 0:
        print_line(f"  and {more} more; --json has {len(report.changes)} of them")
    if counts.held:
        print_warning(f"{counts.held} are gone, more than a fifth, and would only leave with --allow-deletes")
    print_passed_over(report)
