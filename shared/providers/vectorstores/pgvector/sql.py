"""The statements of the pgvector store about rows; `{table}` and `{schema}` are quoted identifiers of our making."""

from embedmill.shared.providers.vectorstores.pgvector import words

VECTOR_INDEX_LIMIT = 2000
"""Dimensions that an HNSW index takes at full precision; twice as many at half."""

SCHEMA = "CREATE SCHEMA IF NOT EXISTS {schema}"
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
    vector vector({dimensions}) NOT NULL
);
CREATE INDEX IF NOT EXISTS {document_index} ON {table} (document, version);
"""
# Of a table that has none yet, a new one or one of a version that kept Postgres' own words.
WORDS = f"""
ALTER TABLE {{table}} {", ".join(f"ADD COLUMN {name} {kind}" for name, kind in words.COLUMNS.items())},
DROP COLUMN IF EXISTS words, DROP COLUMN IF EXISTS lexemes;
ALTER TABLE {{table}} ALTER COLUMN terms SET STORAGE MAIN, ALTER COLUMN counts SET STORAGE MAIN;
CREATE INDEX {{terms_index}} ON {{table}} USING gin (terms);
CREATE INDEX {{fields_index}} ON {{table}} USING gin (fields jsonb_path_ops);
{words.TRIGGERS}
"""
STATES = """
SELECT relname, EXISTS (
    SELECT 1 FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'cutter' AND NOT attisdropped
), EXISTS (
    SELECT 1 FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
    WHERE indrelid = pg_class.oid AND indisvalid AND index.relname = pg_class.relname || '-hnsw'
) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = %s AND relkind IN ('r', 'p') AND relname = ANY(%s::text[])
"""

FIELDS = (
    'id, document, version, generation, ordinal, chunk, uri, title, section, text, "start", "end", page, '
    "index_version, metadata"
)
COLUMNS = f"{FIELDS}, vector"

_WRITTEN = f"{COLUMNS}, {', '.join(words.COLUMNS)}"
UPSERT = f"""
INSERT INTO {{table}} AS held ({_WRITTEN})
SELECT {COLUMNS}, terms::int[], counts, length, cutter, fields FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::text[], %s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::jsonb[], %b::vector[],
    %s::text[], %b::bytea[], %s::int[], %s::smallint[], %s::jsonb[]
) AS given ({_WRITTEN})
ORDER BY id
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _WRITTEN.split(", ")[1:])}
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
WORDS_OF = "SELECT id, length, {often} FROM {table} WHERE id = ANY(%s::text[])"
BY_ID = "SELECT {columns} FROM {table} WHERE id = ANY(%s::text[])"
BY_DOCUMENT = "SELECT {columns} FROM {table} WHERE document = ANY(%s::text[])"
PAGE = "SELECT {columns} FROM {table} WHERE id > %(after)s AND {where} ORDER BY id LIMIT %(page)s"
COUNT = "SELECT count(*) FROM {table}"
DESCRIBE = "SELECT count(*), count(DISTINCT document), pg_total_relation_size('{table}') FROM {table}"
OWNERS = "CREATE TABLE IF NOT EXISTS {table} (place text PRIMARY KEY, name text NOT NULL)"
READ_MARK = "SELECT name FROM {table} WHERE place = %s"
LEAVE_MARK = "INSERT INTO {table} VALUES (%s, %s) ON CONFLICT DO NOTHING"
SOME_DOCUMENTS = "SELECT DISTINCT document FROM {table} ORDER BY document LIMIT %s"
DROP = "DROP TABLE IF EXISTS {table}"

EXACT_DISTANCE = "coalesce(nullif(vector <=> %(vector)s::vector, 'NaN'::float8), 1)"
"""As `exact.cosine` has it, where a zero vector is near to nothing; no index is made for it."""


def indexed_distance(dimensions: int) -> str:
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


SIZE = "SELECT pg_total_relation_size('{table}'::regclass)"
