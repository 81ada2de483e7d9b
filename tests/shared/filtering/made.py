"""Metadata and conditions as hypothesis makes them: few names and values, so that they meet, and the odd ones."""

from typing import Any

from hypothesis import strategies as st

from embedmill.shared.filtering.conditions import All, AnyOf, Compare, Condition, Exists, IsOneOf, Not, Resembles
from embedmill.shared.filtering.grammar import OPERATORS
from embedmill.shared.globs import Glob

BIG = 2**53
NUMBERS = st.one_of(
    st.sampled_from(
        [0, -0.0, 1, 1.0, -1, 0.1, 2020, 2020.5, BIG, BIG + 1, float(BIG), -BIG - 1, 2**63 - 1, 1e300, 5e-324]
    ),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
WRITTEN = (
    "a b A en é e\u0301 \U0001f600 \uffff \0 a\0b \ufdd0 true False 1 -1 1.0 007 2020 2020-05 2020-05-01 "
    '2020-05-01T10:00+02:00 2019-12-31T23:59:59.9Z 1e3 %_*?[ 9007199254740993 99999999999999999999 $in em_row " \\'
).split(" ")
TEXTS = st.one_of(
    st.sampled_from([*WRITTEN, "", "9" * 21, "x" * 300, "' OR 1=1 --"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
SCALARS = st.one_of(TEXTS, NUMBERS, st.booleans())
NAMES = st.sampled_from(
    ["a", "b", "a.b", "uri", "title", "page", "é", "e\u0301", "em_row", "$and", "", "with space", "\0"]
)
HELD: st.SearchStrategy[Any] = st.recursive(
    st.one_of(SCALARS, st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=2)),
    max_leaves=4,
)
METADATA = st.dictionaries(NAMES, HELD, max_size=4)
GLOBS = st.sampled_from(["*", "a*", "*b", "?", "", "[a-c]*", "2020-*", "*0*", "é", "%*", "[!a]"]).map(Glob)
SIMPLE: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Compare, NAMES, st.sampled_from(list(OPERATORS.values())), SCALARS),
    st.builds(IsOneOf, NAMES, st.lists(SCALARS, max_size=3).map(tuple)),
    st.builds(Exists, NAMES),
    st.builds(Resembles, NAMES, GLOBS),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=4,
)
"""Names in NFC only meet: the grammar makes them so."""
