"""How an order came about, for people: a table of the stages, and each hit's rank after each of them."""

from typing import TYPE_CHECKING

from embedmill.console.cli.output import print_line, print_table
from embedmill.console.dollars import format_usd

if TYPE_CHECKING:
    from embedmill.retrieval.explaining import Explanation, HitExplained, StageExplained

COLUMNS = ("step", "calls", "cost", "sent", "answered", "ms", "moved", "entered", "left", "note")
ABSENT = "-"


def print_explanation(told: "Explanation | None") -> None:
    """The explanation, where there is one."""
    if told is None:
        return
    print_line("")
    stages = [stage for stage in told.stages if stage.ran or stage.why]
    print_table([_row(stage) for stage in stages], COLUMNS, empty="no step ran")
    if told.hits:
        print_line("")
        names = list(told.hits[0].ranks)
        print_table([_ranks(hit) for hit in told.hits], ("hit", *names, "document"), empty="")


def _row(stage: "StageExplained") -> dict[str, object]:
    change = stage.change
    counts = ("", "", "") if change is None else (change.moved, change.entered, change.left)
    paid = (stage.calls, format_usd(stage.usd), stage.tokens_in, stage.tokens_out) if stage.calls else ("", "", "", "")
    milliseconds = f"{1000 * stage.seconds:.1f}" if stage.ran else ABSENT
    return dict(zip(COLUMNS, (stage.name, *paid, milliseconds, *counts, _note(stage)), strict=True))


def _note(stage: "StageExplained") -> str:
    """What there is to say of a step; the reason why a whole result cost nothing says so by itself."""
    kept = f"{stage.cached} kept from before" if stage.ran and stage.cached else ""
    return "; ".join(filter(None, (stage.why, kept)))


def _ranks(hit: "HitExplained") -> dict[str, object]:
    ranks = {name: ABSENT if rank is None else rank for name, rank in hit.ranks.items()}
    return {"hit": hit.rank, **ranks, "document": hit.uri}
