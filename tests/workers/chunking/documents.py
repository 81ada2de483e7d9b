"""Documents to chunk: short forms for blocks, hostile texts, and a strategy that makes any document."""

from collections.abc import Sequence

from hypothesis import strategies as st

from embedmill.workers.chunking import Chunk, ChunkSettings, NormalisedDocument, chunk, normalise
from embedmill.workers.parsing.document import Block, BlockKind, ParsedDocument


def heading(text: str, level: int = 1, *, part: int = 0) -> Block:
    return Block(BlockKind.HEADING, text, level, part=part)


def paragraph(text: str, page: int | None = None, *, part: int = 0) -> Block:
    return Block(BlockKind.PARAGRAPH, text, page=page, part=part)


def code(text: str) -> Block:
    return Block(BlockKind.CODE, text)


def row(text: str) -> Block:
    return Block(BlockKind.TABLE_ROW, text)


def item(text: str) -> Block:
    return Block(BlockKind.LIST_ITEM, text)


def document(*blocks: Block) -> NormalisedDocument:
    return normalise(ParsedDocument("text/plain", blocks))


def prose(sentences: int, subject: str = "station") -> str:
    """Sentences of some eleven tokens that all differ."""
    return " ".join(f"The {subject} number {i} sent its report before noon." for i in range(sentences))


def cut(settings: ChunkSettings, *blocks: Block) -> tuple[str, list[Chunk]]:
    whole = document(*blocks)
    return whole.text, chunk(whole, settings, title="A title")


HOSTILE = {
    "cjk without sentences": "漢字仮名交じり文" * 3_000,
    "cjk sentences": "これは文です。漢字を分割する。" * 2_000,
    "no spaces": "a" * 250_000,
    "one line of words": "word " * 10_000,
    "full stops": "." * 250_000,
    "bracketed exclamations": "!)" * 50_000,
    "white space": "a" + " " * 250_000 + "b",
    "blank lines": "a" + "\n \n" * 75_000 + "b",
    "stops then spaces": ("." + " " * 1000) * 150,
    "zalgo": ("e" + "\u0301\u0315\u0336" * 5) * 2_000,
    "one zalgo cluster": "e" + "\u0301" * 50_000,
    "families": "👨‍👩‍👧‍👦" * 10_000,
    "special tokens": "<|endoftext|>" * 10_000,
    "numbers": "0123456789" * 8_000,
}

blocks = st.builds(
    Block,
    kind=st.sampled_from(BlockKind),
    text=st.one_of(
        st.text(max_size=200),
        st.text(alphabet="ab. \n!?é漢。\u0301👍", max_size=400),
        st.integers(0, 60).map(prose),
        st.sampled_from(
            ["x" * 900, "漢" * 300, "e" + "\u0301" * 200, "<|endoftext|> " * 40, "\ud800\x00lone", "a\r\nb\rc"]
        ),
    ),
    level=st.integers(0, 6),
    page=st.none() | st.integers(1, 9),
)


def table(*heads: str, rows: Sequence[str], after: int = 0, caption: str = "", part: int = 0) -> list[Block]:
    """A table that begins behind so many other blocks."""
    span = (after, after + len(heads) + bool(caption))
    kinds = [(BlockKind.CAPTION, caption)] if caption else []
    kinds += [(BlockKind.TABLE_ROW, text) for text in (*heads, *rows)]
    return [Block(kind, text, part=part, head=span) for kind, text in kinds]


@st.composite
def _documents(draw: st.DrawFn) -> ParsedDocument:
    """Blocks of all kinds and tables, in up to some parts; a table's rows may go on after something else."""
    found: list[Block] = []
    part = 0
    for _ in range(draw(st.integers(0, 12))):
        part += draw(st.sampled_from([0, 0, 0, 1]))
        made = [draw(blocks).in_part(part)]
        if draw(st.booleans()):
            heads = draw(st.lists(st.sampled_from(["id | name", "k", "x | " * 40, "\ud800", "long " * 90]), max_size=3))
            rows = draw(st.lists(st.sampled_from(["1 | Ann", "2 | ", "cell | " * 30, "word " * 300, ""]), max_size=9))
            made = table(*heads, rows=rows, after=len(found), caption=draw(st.sampled_from(["", "Table 1"])), part=part)
        found += made
        tables: set[tuple[int, int]] = {block.head for block in found if block.head and block.head[1] < len(found)}
        if draw(st.booleans()) and tables:
            found.append(
                Block(BlockKind.TABLE_ROW, "9 | goes on", part=part, head=draw(st.sampled_from(sorted(tables))))
            )
    return ParsedDocument("text/plain", tuple(found))


documents = _documents()


@st.composite
def settings(draw: st.DrawFn) -> ChunkSettings:
    target = draw(st.integers(8, 400))
    minimum = draw(st.integers(1, target))
    overlap = draw(st.integers(0, target - minimum))
    return ChunkSettings(target, minimum, draw(st.integers(target, target * 4)), overlap)
