"""Owns what holds until a group of RTF ends, and where its text goes."""

from dataclasses import dataclass, field
from enum import Enum

from embedmill.workers.parsing.rtf.stories import Paragraph, Story


class RtfTarget(Enum):
    """Where text goes."""

    STORY = "story"
    NOWHERE = "nowhere"
    FONTS = "fonts"
    STYLES = "styles"
    TITLE = "title"
    MARKER = "marker"
    AUTHOR = "author"
    NAME = "name"
    VALUE = "value"


@dataclass(slots=True)
class RtfGroup:
    """What holds until the group ends."""

    story: Story
    target: RtfTarget = RtfTarget.STORY
    font: int = 0
    spare: int = 1
    is_hidden: bool = False
    is_deleted: bool = False
    is_markup: bool = False
    is_struck: bool = False
    mark: str = ""
    paragraph: Paragraph = field(default_factory=Paragraph)

    def inner(self) -> "RtfGroup":
        """What holds at the beginning of a group in this one."""
        outer = self.paragraph
        return RtfGroup(
            self.story,
            self.target,
            self.font,
            self.spare,
            self.is_hidden,
            self.is_deleted,
            self.is_markup,
            self.is_struck,
            self.mark,
            Paragraph(
                outer.level,
                outer.depth,
                outer.indent,
                outer.is_code,
                outer.is_caption,
                outer.in_table,
                outer.list,
                outer.nesting,
            ),
        )


TARGETS = {
    "info": RtfTarget.NOWHERE,
    "fonttbl": RtfTarget.FONTS, "stylesheet": RtfTarget.STYLES, "title": RtfTarget.TITLE, "listtext": RtfTarget.MARKER,
    "pntext": RtfTarget.MARKER, "atnauthor": RtfTarget.AUTHOR,
    "sn": RtfTarget.NAME, "sv": RtfTarget.VALUE, "sp": RtfTarget.NOWHERE,
}  # fmt: skip
