"""The statements of the pgvector store; `{table}` and `{schema}` are quoted identifiers of our own making.

BM25 is computed here, as Postgres' own ranking knows nothing of how rare a word is: k1 = 1.2, b = 0.75, and a word in
a title or heading counts more, as in the embedded store.
"""

VECTOR_INDEX_LIMIT = 2000
"""Dimensions that an HNSW index takes at full precision; twice as many at half."""

SCHEMA = "CREATE SCHEMA IF NOT EXISTS {schema}"
# Stems without stop words: which words count is decided by the query, not by the index.
STEMMER = """
CREATE TEXT SEARCH DICTIONARY {schema}.stem (TEMPLATE = snowball, LANGUAGE = english);
CREATE TEXT SEARCH CONFIGURATION {schema}.words (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION {schema}.words ALTER MAPPING FOR asciiword, word, numword WITH {schema}.stem;
"""
HAS_STEMMER = """
SELECT 1 FROM pg_ts_config JOIN pg_namespace ON pg_namespace.oid = cfgnamespace WHERE nspname = %s AND cfgname = 'words'
"""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 7166231))"

TABLE = """
CREATE TABLE IF NOT EXISTS {table} (
    id text COLLATE "C" PRIMARY KEY,
    document text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    generation bigint NOT NULL,
    ordinal integer NOT NULL,
    chunk text NOT NULL,
    uri text NOT NULL,
    title text NOT NULL,
    section text NOT NULL,
    text text NOT NULL,
    "start" bigint NOT NULL,
    "end" bigint NOT NULL,
    page integer,
    index_version text NOT NULL,
    metadata jsonb NOT NULL,
    vector vector({dimensions}) NOT NULL,
    words integer NOT NULL,
    lexemes tsvector NOT NULL
);
CREATE INDEX IF NOT EXISTS {document_index} ON {table} (document, version);
CREATE INDEX IF NOT EXISTS {lexemes_index} ON {table} USING gin (lexemes);
"""

FIELDS = (
    'id, document, version, generation, ordinal, chunk, uri, title, section, text, "start", "end", page, '
    "index_version, metadata"
)
COLUMNS = f"{FIELDS}, vector"

UPSERT = f"""
INSERT INTO {{table}} AS held ({COLUMNS}, words, lexemes)
SELECT {COLUMNS}, (SELECT coalesce(sum(cardinality(positions)), 0) FROM unnest(lexemes)), lexemes
FROM (
    SELECT *,
        setweight(to_tsvector('{{schema}}.words', title_words), 'A')
        || setweight(to_tsvector('{{schema}}.words', section_words), 'B')
        || to_tsvector('{{schema}}.words', text_words) AS lexemes
    FROM unnest(
        %s::text[], %s::text[], %s::text[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::jsonb[], %b::vector[],
        %s::text[], %s::text[], %s::text[]
    ) AS given ({COLUMNS}, title_words, section_words, text_words)
) AS prepared
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    document = excluded.document, version = excluded.version, generation = excluded.generation,
    ordinal = excluded.ordinal, chunk = excluded.chunk, uri = excluded.uri, title = excluded.title,
    section = excluded.section, text = excluded.text, "start" = excluded."start", "end" = excluded."end",
    page = excluded.page, index_version = excluded.index_version, metadata = excluded.metadata,
    vector = excluded.vector, words = excluded.words, lexemes = excluded.lexemes
"""

DELETE_STALE = """
DELETE FROM {table} AS held USING unnest(%s::text[], %s::bigint[]) AS given (document, generation)
WHERE held.document = given.document AND held.generation < given.generation
"""
DELETE_IDS = "DELETE FROM {table} WHERE id = ANY(%s::text[])"
COUNT_VERSIONS = """
SELECT given.document, count(held.id) FROM unnest(%s::text[], %s::text[]) AS given (document, version)
LEFT JOIN {table} AS held ON held.document = given.document AND held.version = given.version GROUP BY given.document
"""
COUNT_EDITIONS = """
SELECT given.document, count(held.id) FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS given
(document, version, generation) LEFT JOIN {table} AS held ON held.document = given.document
AND held.version = given.version AND held.generation = given.generation GROUP BY given.document
"""
# The generation as a row's id tells it: NULL for rows of 0.1.0, whose ids tell none.
_EDITION = """
document, version,
CASE WHEN id = document || '-' || version || '-' || generation || '.' || ordinal THEN generation END AS told
"""
EDITIONS_PAGE = f"""
SELECT {_EDITION}, count(*) FROM {{table}} WHERE document IN (
    SELECT DISTINCT document FROM {{table}} WHERE document > %s ORDER BY document LIMIT %s
) GROUP BY document, version, told ORDER BY document
"""
EDITIONS_OF = f"""
SELECT {_EDITION}, count(*) FROM {{table}} WHERE document = ANY(%s::text[])
GROUP BY document, version, told ORDER BY document
"""
NEAREST = """
SELECT id, document, version, 1 - ({distance}) AS score FROM {table} WHERE {where} ORDER BY {distance} LIMIT %(top_k)s
"""
COSINES = "SELECT id, 1 - (vector <=> %(vector)s::vector) FROM {table} WHERE id = ANY(%(ids)s::text[])"

_WEIGHTED = """
WITH terms AS MATERIALIZED (
    SELECT lexeme, format('%%L', lexeme)::tsquery AS query FROM unnest(to_tsvector('{schema}.words', %(words)s))
), size AS MATERIALIZED (
    SELECT count(*)::float8 AS rows, greatest(avg(words), 1)::float8 AS words FROM {table}
), weighed AS MATERIALIZED (
    SELECT terms.lexeme, ln(1 + (size.rows - met.rows + 0.5) / (met.rows + 0.5)) AS rarity
    FROM terms, size,
        LATERAL (SELECT count(*)::float8 AS rows FROM {table} AS held WHERE held.lexemes @@ terms.query) AS met
)
"""
_SCORED = """
FROM {table} AS held, size, LATERAL (
    SELECT sum(rarity * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * held.words / size.words)))::float8 AS score
    FROM unnest(held.lexemes) AS found (lexeme, positions, weights) JOIN weighed USING (lexeme), LATERAL (
        SELECT sum(CASE weight WHEN 'A' THEN 2.0 WHEN 'B' THEN 1.5 ELSE 1.0 END)::float8 AS often
        FROM unnest(found.weights) AS weight
    ) AS counted
) AS ranked
WHERE held.lexemes @@ (SELECT string_agg(format('%%L', lexeme), '|')::tsquery FROM terms)
"""
WORDED = f"""{_WEIGHTED} SELECT held.id, held.document, held.version, ranked.score {_SCORED} AND {{where}}
ORDER BY ranked.score DESC, held.id LIMIT %(top_k)s
"""
WORD_SCORES = f"{_WEIGHTED} SELECT held.id, ranked.score {_SCORED} AND held.id = ANY(%(ids)s::text[])"

BY_ID = "SELECT {columns} FROM {table} WHERE id = ANY(%s::text[])"
BY_DOCUMENT = "SELECT {columns} FROM {table} WHERE document = ANY(%s::text[])"
PAGE = "SELECT {columns} FROM {table} WHERE id > %s ORDER BY id LIMIT %s"
COUNT = "SELECT count(*) FROM {table}"
DESCRIBE = "SELECT count(*), count(DISTINCT document), pg_total_relation_size('{table}') FROM {table}"
OWNERS = "CREATE TABLE IF NOT EXISTS {table} (place text PRIMARY KEY, name text NOT NULL)"
READ_MARK = "SELECT name FROM {table} WHERE place = %s"
LEAVE_MARK = "INSERT INTO {table} VALUES (%s, %s) ON CONFLICT DO NOTHING"
SOME_DOCUMENTS = "SELECT DISTINCT document FROM {table} ORDER BY document LIMIT %s"
DROP = "DROP TABLE IF EXISTS {table}"

INDEX_STATE = """
SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = %s AND relname = %s
"""


def distance(dimensions: int) -> str:
    """The cosine distance as the index of so many dimensions knows it."""
    if dimensions <= VECTOR_INDEX_LIMIT:
        return "vector <=> %(vector)s::vector"
    return f"vector::halfvec({dimensions}) <=> %(vector)s::vector::halfvec({dimensions})"


def hnsw_index(dimensions: int) -> str | None:
    """What an HNSW index is built on; None for more dimensions than it takes, where every search reads all rows."""
    if dimensions <= VECTOR_INDEX_LIMIT:
        return "vector vector_cosine_ops"
    if dimensions <= 2 * VECTOR_INDEX_LIMIT:
        return f"(vector::halfvec({dimensions})) halfvec_cosine_ops"
    return None
