"""What a query switches on or off, of the steps that a search may take."""

from typing import TypedDict


class Switches(TypedDict, total=False):
    """Steps that are wanted or not; None, or no word of one, leaves it to the collection and the settings."""

    rank: bool | None
    expand: bool | None
    normalise: bool | None
    decompose: bool | None
    cache: bool | None
    """Whether what was answered before is used and kept, which it is unless this is false."""
    max_usd: float | None
    """The most that the query may cost in dollars; None leaves that to the collection and the settings too."""
