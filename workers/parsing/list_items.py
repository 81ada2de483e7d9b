"""Owns the item of a list that is open while its blocks are read, and what marks one that has no number."""

from dataclasses import dataclass

BULLET = "-"


@dataclass(slots=True)
class Item:
    """An item that is open. Its first block has its marker; what follows stands one level deeper."""

    marker: str
    depth: int
    deeper: int
    is_begun: bool = False

    def take(self) -> tuple[str, int]:
        """Marker and depth of the item's next block."""
        if self.is_begun:
            return "", self.deeper
        self.is_begun = True
        return self.marker, self.depth
