"""Whatever is quoted of a text with a table's head stands in the document where its offsets say."""

from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.headed import body_at, place_of, within_one

DOCUMENT = "A table\n\nk | name\n1 | Ann\n2 | Bo\n3 | Cy\n\nThe end."
HEAD = (9, 17)
BEGIN = DOCUMENT.index("2 | Bo")
TEXT = f"{DOCUMENT[slice(*HEAD)]}\n{DOCUMENT[BEGIN : BEGIN + 13]}"


@given(st.integers(0, len(TEXT) - 1), st.integers(1, len(TEXT)))
def test_a_span_of_head_or_body_stands_in_the_document(start: int, length: int) -> None:
    span = within_one(start, min(start + length, len(TEXT)), HEAD)
    place = place_of(*span, head=HEAD, begin=BEGIN)
    quoted = TEXT[slice(*span)]
    assert DOCUMENT[slice(*place)] == (quoted.removesuffix("\n") if span[1] == body_at(HEAD) else quoted)
    assert place[1] <= HEAD[1] or place[0] >= BEGIN


def test_a_quote_of_the_header_has_the_header_s_offsets() -> None:
    start = TEXT.index("name")
    assert place_of(start, start + 4, head=HEAD, begin=BEGIN) == (13, 17)
    assert within_one(4, len(TEXT), HEAD) == (body_at(HEAD), len(TEXT))
    assert place_of(3, 5, head=None, begin=100) == (103, 105)
