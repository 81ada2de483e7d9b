"""The words of rows in Postgres: kept as arrays, counted by the database itself, scored in its statements.

A term is a number of 32 bits without a sign, and Postgres has none such: it is kept less 2^31, in the same order.

**Counts.** Triggers put what every statement adds and takes away, term by term, into `word_deltas`, in the transaction
of the rows: whoever writes or deletes them, and however often, the sum is what the table holds. Nobody updates a row
that another writer needs, so writers never wait for each other. Now and then one of them folds the deltas into
`word_counts` and `word_totals`. Counts are kept apart for each version of the cutter.

A delta is some rows: one with the totals, in bucket -1, and one for each bucket of terms. So a statement leaves tens of
rows and not thousands, and a query reads the buckets of its own terms and not all.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.words.counts import UNITS, TermCounts
from embedmill.shared.words.weighing import LENGTH_SHARE, SATURATION, Wording

FOLD_FROM_DELTAS = 32
TELLING_SHARES = (0.6, 0.3, 0.0)
"""Of the greatest weight: what a word has to weigh to be told from the rest, in the first look and the next."""
BUCKETS = 64
"""A power of two."""
LARGEST_SIGNED = 2**31

COLUMNS = {
    "terms": "integer[] NOT NULL DEFAULT '{}'",
    "counts": "bytea NOT NULL DEFAULT ''",
    "length": "integer NOT NULL DEFAULT 0",
    "cutter": "smallint NOT NULL DEFAULT 0",
    "fields": "jsonb NOT NULL DEFAULT '{}'",
}
"""What is derived of a row: its words, the version that cut them, and its fields as filters ask for them."""

COUNTS = """
CREATE TABLE IF NOT EXISTS {schema}.word_deltas (
    place text NOT NULL, bucket smallint NOT NULL, cutter smallint NOT NULL,
    rows bigint NOT NULL DEFAULT 0, words bigint NOT NULL DEFAULT 0,
    terms integer[] NOT NULL DEFAULT '{}', holding integer[] NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS word_deltas_place ON {schema}.word_deltas (place, bucket);
CREATE TABLE IF NOT EXISTS {schema}.word_totals (
    place text NOT NULL, cutter smallint NOT NULL, rows bigint NOT NULL, words bigint NOT NULL,
    PRIMARY KEY (place, cutter)
);
CREATE TABLE IF NOT EXISTS {schema}.word_counts (
    place text NOT NULL, cutter smallint NOT NULL, term integer NOT NULL, rows bigint NOT NULL,
    PRIMARY KEY (place, cutter, term)
);
CREATE OR REPLACE FUNCTION {schema}.count_words() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    INSERT INTO {schema}.word_deltas (place, bucket, cutter, rows, words)
    SELECT TG_TABLE_NAME, -1, cutter, TG_ARGV[0]::int * count(*), TG_ARGV[0]::int * sum(length)
    FROM changed GROUP BY cutter;
    INSERT INTO {schema}.word_deltas (place, bucket, cutter, terms, holding)
    SELECT TG_TABLE_NAME, term & BUCKETS, cutter, array_agg(term), array_agg(rows) FROM (
        SELECT cutter, term, TG_ARGV[0]::int * count(*)::int AS rows FROM changed, unnest(terms) AS term
        GROUP BY cutter, term
    ) AS counted GROUP BY cutter, term & BUCKETS;
    RETURN NULL;
END $body$;
""".replace("BUCKETS", str(BUCKETS - 1))
TRIGGERS = """
CREATE TRIGGER words_came AFTER INSERT ON {table}
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {schema}.count_words('1');
CREATE TRIGGER words_changed AFTER UPDATE ON {table}
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {schema}.count_words('1');
CREATE TRIGGER words_replaced AFTER UPDATE ON {table}
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {schema}.count_words('-1');
CREATE TRIGGER words_went AFTER DELETE ON {table}
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {schema}.count_words('-1');
"""
FORGET = """
WITH deltas AS (DELETE FROM {schema}.word_deltas WHERE place = %(place)s),
totals AS (DELETE FROM {schema}.word_totals WHERE place = %(place)s)
DELETE FROM {schema}.word_counts WHERE place = %(place)s
"""
COUNT_AS_UNCUT = """
INSERT INTO {schema}.word_deltas (place, bucket, cutter, rows)
SELECT %(place)s, -1, 0, count(*) FROM {table} HAVING count(*) > 0
"""
MANY_DELTAS = "SELECT count(*) FROM {schema}.word_deltas WHERE place = %(place)s AND bucket < 0"
FOLD_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(%(place)s, 7166234))"
FOLD = """
WITH gone AS (
    DELETE FROM {schema}.word_deltas WHERE place = %(place)s RETURNING cutter, rows, words, terms, holding
), totals AS (
    INSERT INTO {schema}.word_totals AS held SELECT %(place)s, cutter, sum(rows), sum(words) FROM gone GROUP BY cutter
    ON CONFLICT (place, cutter) DO UPDATE SET rows = held.rows + excluded.rows, words = held.words + excluded.words
)
INSERT INTO {schema}.word_counts AS held
SELECT %(place)s, cutter, term, sum(many) FROM gone, unnest(terms, holding) AS found (term, many)
GROUP BY cutter, term HAVING sum(many) <> 0
ON CONFLICT (place, cutter, term) DO UPDATE SET rows = held.rows + excluded.rows
"""
TOTALS = """
SELECT place, cutter, sum(rows)::bigint, sum(words)::bigint FROM (
    SELECT place, cutter, rows, words FROM {schema}.word_totals WHERE place = ANY(%(places)s::text[])
    UNION ALL
    SELECT place, cutter, rows, words FROM {schema}.word_deltas WHERE place = ANY(%(places)s::text[]) AND bucket < 0
) AS held GROUP BY place, cutter HAVING sum(rows) <> 0
"""
HOLDING = """
SELECT term, sum(rows)::bigint FROM (
    SELECT term, rows FROM {schema}.word_counts
    WHERE place = ANY(%(places)s::text[]) AND cutter = %(cutter)s AND term = ANY(%(terms)s::int[])
    UNION ALL
    SELECT asked.term, holding[array_position(terms, asked.term)]
    FROM {schema}.word_deltas, unnest(%(terms)s::int[]) AS asked (term)
    WHERE place = ANY(%(places)s::text[]) AND cutter = %(cutter)s AND bucket = asked.term & BUCKETS
) AS held GROUP BY term HAVING sum(rows) <> 0
""".replace("BUCKETS", str(BUCKETS - 1))
# One statement, so that no fold comes between the two.
COUNTED = f"""
SELECT NULL::int AS term, held.* FROM ({TOTALS}) AS held (place, cutter, rows, words)
UNION ALL SELECT term, '', 0, rows, 0 FROM ({HOLDING}) AS held (term, rows)
"""
# In the shape of COUNTED, for one table.
COUNTED_WITHIN = """
WITH met AS (SELECT terms, length FROM {table} WHERE cutter = %(cutter)s AND {met})
SELECT NULL::int AS term, '' AS place, %(cutter)s::int AS cutter, count(*), coalesce(sum(length), 0)::bigint FROM met
UNION ALL
SELECT asked.term, '', 0, count(*), 0 FROM met, unnest(%(terms)s::int[]) AS asked (term)
WHERE met.terms @> ARRAY[asked.term] GROUP BY asked.term
"""

UNCUT = """
SELECT id, document, uri, title, section, page, metadata, text FROM {table}
WHERE id > %(after)s AND cutter <> %(cutter)s
ORDER BY id LIMIT %(some)s FOR UPDATE SKIP LOCKED
"""
CUT = """
UPDATE {table} AS held SET
    terms = given.terms::int[], counts = given.counts, length = given.length, cutter = %s, fields = given.fields
FROM unnest(%s::text[], %s::text[], %b::bytea[], %s::int[], %s::jsonb[]) AS given (id, terms, counts, length, fields)
WHERE held.id = given.id
"""


def signed(terms: Iterable[int]) -> list[int]:
    """Terms as Postgres keeps them."""
    return [term - LARGEST_SIGNED for term in terms]


def unsigned(terms: Iterable[int]) -> list[int]:
    """Terms as everybody else has them."""
    return [term + LARGEST_SIGNED for term in terms]


def array_of(terms: NDArray[np.uint32]) -> str:
    """The terms of a row as an array's literal: arrays of different lengths make no array of arrays."""
    return "{" + ",".join(map(str, signed(terms.tolist()))) + "}"


def columns_of(counted: Sequence[TermCounts]) -> tuple[list[str], list[bytes], list[int]]:
    """Terms, counts and lengths of rows, as statements take them."""
    return (
        [array_of(row.terms) for row in counted],
        [row.counts.tobytes() for row in counted],
        [row.length for row in counted],
    )


def often_of(terms: Sequence[int]) -> str:
    """How often a row has each of some terms, in quarters, as an array."""
    found = (f"coalesce(get_byte(counts, array_position(terms, {term}) - 1), 0)" for term in signed(terms))
    return f"ARRAY[{', '.join(found)}]::int[]"


def score_of(wording: Wording) -> str:
    """The BM25 of a row by its `often` and `spread`, as `weighing` has it but for the last digits: to cut by."""
    parts = (
        f"{_float(weight)} * often[{n}] / (often[{n}] + {_float(UNITS * SATURATION)} * spread)"
        for n, weight in enumerate(wording.weights.values(), 1)
    )
    return f"{_float(SATURATION + 1)} * ({' + '.join(parts)})"


def steps_of(wording: Wording) -> Iterator[tuple[list[int], float]]:
    """More and more of the words, the most telling first; with each, the most that the others can add to a score."""
    most = max(wording.weights.values())
    told = 0
    for share in TELLING_SHARES:
        telling = [term for term, weight in wording.weights.items() if weight >= share * most]
        rest = sum(weight for weight in wording.weights.values() if weight < share * most)
        if len(telling) > told:
            yield telling, (SATURATION + 1) * rest
        told = len(telling)


def spread_of(wording: Wording) -> str:
    """How much a row's length takes from its words."""
    return f"{_float(1 - LENGTH_SHARE)} + {_float(LENGTH_SHARE / wording.mean_length)} * length"


def _float(value: float) -> str:
    return f"{value!r}::float8"
