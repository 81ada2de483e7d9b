r"""Owns RTF: follows groups and control words, and hands text to the story that it belongs to.

A control word holds until its group ends. A group may be a destination: a table of fonts, a footnote, a picture. One
that begins with `\\*` is passed over unless it is known; anywhere else `\\*` means nothing.
"""

from collections.abc import Callable
from functools import partial

from embedmill.shared.errors import UnreadableDocument
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.ole import embedded
from embedmill.workers.parsing.package import read_files
from embedmill.workers.parsing.page_numbers import says_more
from embedmill.workers.parsing.rtf.fonts import ALL, RtfFonts, RtfStyle, page
from embedmill.workers.parsing.rtf.forms import shown_field
from embedmill.workers.parsing.rtf.groups import TARGETS, RtfGroup, RtfTarget
from embedmill.workers.parsing.rtf.lists import RtfLists
from embedmill.workers.parsing.rtf.math import shown_equation
from embedmill.workers.parsing.rtf.stories import Alternative, Body, Paragraph, Story
from embedmill.workers.parsing.rtf.tables import RowDefinition
from embedmill.workers.parsing.rtf.tokens import RtfToken, RtfTokenKind, RtfTokens
from embedmill.workers.parsing.scripts import STRUCK, SUB, SUPER

DEEPEST = 5000

_SIGNS = {
    "tab": "\t", "line": "\n", "softline": "\n", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
    "bullet": "•", "endash": "–", "emdash": "—", "enspace": " ", "emspace": " ", "qmspace": " ", "zwj": "\u200d",
    "zwnj": "\u200c", "~": "\xa0", "_": "\u2011", "{": "{", "}": "}", "\\": "\\",
    "\t": "\t",
}  # fmt: skip
_SKIPPED = frozenset(
    "colortbl objclass objname themedata colorschememapping datastore rsidtbl "
    "generator latentstyles datafield bkmkstart bkmkend shprslt nonshppict nonesttables xe "
    "tc atrfstart atrfend atndate atnref atntime atnicon atnid atnparent filetbl revtbl xmlnstbl userprops ftnsep "
    "ftnsepc ftncn aftnsep aftnsepc aftncn htmltag mhtmltag pnseclvl keycode blipuid wgrffmtfilter mmathPr "
    "passwordhash protusertbl fontemb falt panose pntxta pntxtb".split()
)
_HEADERS = frozenset("header headerl headerr headerf footer footerl footerr footerf".split())
_BOXES = frozenset(("shptxt", "dptxbxtext"))
_KNOWN = frozenset(
    "shpinst shppict picprop nesttableprops objdata annotation atnauthor footnote ud fldinst fldrslt shptxt dptxbxtext "
    "do moMath listtable listoverridetable".split()
)
"""Destinations that `\\*` marks as optional, and that hold text, or say what is here."""
# What a picture or a shape is called for those who do not see it.
_ALTERNATIVE = "wzDescription"
_PICTURES = "pngblip jpegblip emfblip wmetafile dibitmap wbitmap macpict pmmetafile"
_SYMBOLS = range(0xF020, 0xF100)
_MOVED = {"up": (SUPER, 4), "dn": (SUB, 2)}
"""Half points that a digit is moved by at least, to be a script."""


def read(data: bytes, draft: Draft) -> None:
    """UnreadableDocument when groups are nested too deeply; a file whose last brace is missing is read to its end."""
    if not _RtfReader(data, draft).read():
        draft.note("the file is cut short: its end is missing")


class _RtfReader:
    def __init__(self, data: bytes, draft: Draft) -> None:
        self._tokens = RtfTokens(data, _MEANT)
        self._draft = draft
        self._body = Body(draft)
        self._fonts = RtfFonts()
        self._styles: dict[int, RtfStyle] = {}
        self._style = RtfStyle()
        self._state = RtfGroup(self._body)
        self._outer: list[RtfGroup] = []
        self._bytes = bytearray()
        self._to_skip = 0
        self._is_first = False
        self._marker = self._author = self._name = self._value = ""
        self._notes: list[Story] = []
        self._comments: list[tuple[str, Story]] = []
        self._running: list[Story] = []
        self._objects: list[bytes] = []
        self._row = RowDefinition()
        self._lists = RtfLists()

    def read(self) -> bool:
        """Whether the outermost group was closed; what stands behind it is nobody's."""
        for token in self._tokens:
            if token.kind is RtfTokenKind.BYTES:
                self._take_bytes(token.data)
                continue
            if self._bytes:
                self._flush()
            if token.kind is RtfTokenKind.OPEN:
                self._open()
            elif token.kind is RtfTokenKind.CLOSE:
                if self._close():
                    self._finish()
                    return True
            else:
                self._control(token)
        self._flush()
        while self._outer:
            self._close()
        self._finish()
        return False

    def _open(self) -> None:
        if len(self._outer) >= DEEPEST:
            raise UnreadableDocument("it is nested too deeply")
        self._outer.append(self._state)
        self._state = self._state.inner()
        self._is_first, self._to_skip = True, 0
        if self._state.target is RtfTarget.STYLES:
            self._style = RtfStyle()

    def _close(self) -> bool:
        """Whether that was the outermost group."""
        self._to_skip = 0
        self._is_first = False
        if not self._outer:
            return True
        if len(self._outer) == 1 and self._marker:
            self._end_paragraph()
        inner, self._state = self._state, self._outer.pop()
        if inner.target is RtfTarget.VALUE and self._state.target is not RtfTarget.VALUE:
            self._end_property()
        if inner.story is not self._state.story:
            inner.story.end_paragraph(Paragraph(), "")
        return not self._outer

    def _take_bytes(self, data: bytes) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        self._is_first = False
        if self._state.target is not RtfTarget.NOWHERE:
            self._bytes += data

    def _flush(self) -> None:
        text = self._fonts.decode(bytes(self._bytes), self._state.font)
        self._bytes.clear()
        self._add(text)

    def _add(self, text: str) -> None:
        state = self._state
        match state.target:
            case RtfTarget.STORY if state.is_hidden:
                self._draft.note("hidden text left out")
            case RtfTarget.STORY if not state.is_deleted and not state.is_markup:
                state.story.add(text, STRUCK * state.is_struck + state.mark, is_fixed=self._fonts.is_code(state.font))
            case RtfTarget.FONTS:
                self._fonts.defined.name += text
            case RtfTarget.STYLES:
                self._style.name += text
            case RtfTarget.TITLE:
                self._draft.title += text
            case RtfTarget.MARKER:
                self._marker += text
            case RtfTarget.AUTHOR:
                self._author += text
            case RtfTarget.NAME:
                self._name += text
            case RtfTarget.VALUE:
                self._value += text

    def _control(self, token: RtfToken) -> None:
        is_optional = token.kind is RtfTokenKind.OPTIONAL and self._is_first
        self._is_first = False
        if self._to_skip:
            self._to_skip -= 1
        elif (is_optional and token.word not in _KNOWN) or token.word in _SKIPPED:
            self._tokens.skip_group()
        elif (follow := _WORDS.get(token.word)) is not None:
            follow(self, token.word, token.number)
        elif token.word in _SIGNS:
            self._add(_SIGNS[token.word])

    def character(self, _word: str, number: int | None) -> None:
        code = number or 0
        if -0x8000 <= code < 0x110000:
            code = code % 0x10000 if code < 0 else code
            self._add(self._fonts.symbol(code, self._state.font) if code in _SYMBOLS else chr(code))
        self._to_skip = self._state.spare

    def set_spare(self, _word: str, number: int | None) -> None:
        self._state.spare = max(number or 0, 0)

    def set_page(self, word: str, number: int | None) -> None:
        self._fonts.own = ALL.get(word) or page(number or 1252)

    def default_font(self, _word: str, number: int | None) -> None:
        self._fonts.default = self._state.font = number or 0

    def use_font(self, _word: str, number: int | None) -> None:
        if self._state.target is RtfTarget.FONTS:
            self._fonts.define(number or 0)
        else:
            self._state.font = number or 0

    def describe_font(self, word: str, number: int | None) -> None:
        if self._state.target is RtfTarget.FONTS:
            self._fonts.describe(word, number or 0)

    def use_style(self, _word: str, number: int | None) -> None:
        style = self._styles.setdefault(number or 0, RtfStyle())
        if self._state.target is RtfTarget.STYLES:
            self._style = style
        else:
            paragraph = self._state.paragraph
            paragraph.level, paragraph.is_code, paragraph.is_caption = style.level, style.is_code, style.is_caption

    def outline(self, _word: str, number: int | None) -> None:
        if self._state.target is RtfTarget.STYLES:
            self._style.outline = str(number or 0)
        else:
            self._state.paragraph.level = RtfStyle(outline=str(number or 0)).level

    def plain(self, _word: str, _number: int | None) -> None:
        state = self._state
        state.font, state.mark = self._fonts.default, ""
        state.is_hidden = state.is_deleted = state.is_struck = False

    def flag(self, word: str, number: int | None) -> None:
        is_on = number != 0
        match word:
            case "v":
                self._state.is_hidden = is_on
            case "deleted":
                self._state.is_deleted = is_on
            case "strike" | "striked":
                self._state.is_struck = is_on
            case "htmlrtf":
                self._state.is_markup = is_on
            case "up" | "dn":
                mark, least = _MOVED[word]
                self._state.mark = mark if is_on and (number or 0) >= least else ""
            case _:
                self._state.mark = {"super": SUPER, "sub": SUB}.get(word, "") if is_on else ""

    def paragraph(self, word: str, number: int | None) -> None:
        match word:
            case "pard":
                self._state.paragraph = Paragraph()
            case "intbl":
                self._state.paragraph.in_table = True
            case "ilvl":
                self._state.paragraph.depth = number or 0
            case "li":
                self._state.paragraph.indent = number or 0
            case "ls":
                self._state.paragraph.list = number or 0
            case "itap":
                self._state.paragraph.nesting = number or 0

    def target(self, word: str, _number: int | None) -> None:
        target = TARGETS[word]
        if target is RtfTarget.MARKER:
            self._marker = ""
        if target is RtfTarget.AUTHOR:
            self._author = ""
        if target is RtfTarget.NAME:
            self._name = ""
        if target is RtfTarget.VALUE:
            self._value = ""
        self._state.target = target

    def end(self, word: str, _number: int | None) -> None:
        if self._state.target is not RtfTarget.STORY:
            return
        match word:
            case "cell":
                self._end_cell()
            case "row":
                self._state.story.end_row()
            case "nestcell":
                self._state.story.end_nested_cell()
            case "nestrow" | "nesttableprops":
                self._state.story.end_nested_row()
                if word == "nesttableprops":
                    self._tokens.skip_group()
            case _:
                self._end_paragraph()

    def _end_cell(self) -> None:
        if self._marker or self._state.paragraph.list:
            self._end_paragraph()
        self._state.story.end_cell()

    def _end_paragraph(self) -> None:
        marker, self._marker = " ".join(self._marker.split()), ""
        if marker and not any(map(str.isalnum, marker)):
            marker = "-"
        paragraph = self._state.paragraph
        if paragraph.list:
            counted = self._lists.next(paragraph.list, paragraph.depth)
            marker = marker or counted
        self._state.story.end_paragraph(paragraph, marker)

    def define_row(self, word: str, number: int | None) -> None:
        match word:
            case "trowd":
                self._row = self._state.story.define_row()
            case "cellx":
                self._row.end_cell(number or 0)
            case _:
                self._row.flag(word)

    def begin_story(self, word: str, _number: int | None) -> None:
        """A footnote's mark stands where the footnote does; of a text box, where its paragraph ends."""
        if self._state.target is not RtfTarget.STORY:
            return
        story = Story()
        if word == "footnote":
            self._notes.append(story)
            self._add(f"[{len(self._notes)}]")
        elif word == "annotation":
            self._comments.append((self._author.strip(), story))
        elif word in _HEADERS:
            self._running.append(story)
        else:
            self._body.beside.append(story)
        self._state.story, self._state.paragraph, self._state.mark, self._state.is_struck = (
            story,
            Paragraph(),
            "",
            False,
        )

    def object(self, word: str, _number: int | None) -> None:
        if word == "objdata":
            self._objects.append(self._tokens.take_group())
        else:
            self._draft.note("a linked object was left out")

    def field(self, _word: str, _number: int | None) -> None:
        """What a form's field shows; the results of others stand beside them."""
        self._add(shown_field(self._tokens.take_group(), lambda text: self._fonts.decode(text, self._state.font)))

    def lists(self, word: str, _number: int | None) -> None:
        group = self._tokens.take_group()
        if word == "listtable":
            self._lists.define(group)
        else:
            self._lists.assign(group)

    def equation(self, _word: str, _number: int | None) -> None:
        """In a line; the picture of it beside it says nothing more."""
        self._add(shown_equation(self._tokens.take_group(), lambda text: self._fonts.decode(text, self._state.font)))

    def picture(self, word: str, _number: int | None) -> None:
        """What its maker says of it is read, and its bytes are not."""
        if word == "pict":
            self._state.target = RtfTarget.NOWHERE
        elif self._state.target is RtfTarget.NOWHERE:
            self._tokens.skip_group()

    def _end_property(self) -> None:
        if self._name.strip() == _ALTERNATIVE and (said := self._value.strip()):
            self._body.beside.append(Alternative(said))

    def begin_unicode(self, _word: str, _number: int | None) -> None:
        r"""`\\upr` has the text twice: in bytes, and in Unicode behind `\\ud`."""
        self._state.target = self._outer[-2].target if _word == "ud" and len(self._outer) > 1 else RtfTarget.NOWHERE

    def _finish(self) -> None:
        """Foot- and endnotes, comments, headers and footers stand behind the body, each once."""
        self._body.finish()
        for number, note in enumerate(self._notes, start=1):
            self._draft.paragraph(f"[{number}] {note.text}")
        for author, comment in self._comments:
            self._draft.paragraph(f"Comment by {author}: {comment.text}" if author else f"Comment: {comment.text}")
        for text in dict.fromkeys(story.text for story in self._running):
            if says_more(text):
                self._draft.paragraph(text)
        files = ((f"object {number}", partial(_embedded, data)) for number, data in enumerate(self._objects, start=1))
        read_files(files, self._draft)


def _embedded(digits: bytes) -> tuple[bytes, str]:
    """An object that is written in hexadecimal digits."""
    try:
        return embedded(bytes.fromhex(digits.decode("ascii")))
    except ValueError:
        raise UnreadableDocument("the object is damaged or cut short") from None


_Follow = Callable[[_RtfReader, str, int | None], None]
_FOLLOWED: dict[_Follow, str] = {
    _RtfReader.character: "u",
    _RtfReader.set_spare: "uc",
    _RtfReader.set_page: "ansicpg ansi mac pc pca",
    _RtfReader.default_font: "deff",
    _RtfReader.use_font: "f",
    _RtfReader.describe_font: "fcharset cpg fmodern",
    _RtfReader.use_style: "s",
    _RtfReader.outline: "outlinelevel",
    _RtfReader.plain: "plain",
    _RtfReader.flag: "v deleted strike striked htmlrtf super sub nosupersub up dn",
    _RtfReader.paragraph: "pard intbl ilvl li ls itap",
    _RtfReader.target: " ".join(TARGETS),
    _RtfReader.end: "par \r \n sect page column cell row nestcell nestrow nesttableprops",
    _RtfReader.define_row: "trowd cellx clmrg clvmrg trhdr",
    _RtfReader.begin_story: " ".join(("footnote", "annotation", *_HEADERS, *_BOXES)),
    _RtfReader.object: "objdata objautlink objlink",
    _RtfReader.field: "fldinst",
    _RtfReader.equation: "moMath",
    _RtfReader.lists: "listtable listoverridetable",
    _RtfReader.picture: f"pict {_PICTURES}",
    _RtfReader.begin_unicode: "upr ud",
}
_WORDS: dict[str, _Follow] = {word: follow for follow, words in _FOLLOWED.items() for word in words.split(" ")}
_MEANT = frozenset(_WORDS) | _SIGNS.keys() | _SKIPPED
