"""What an embedded shard's rows are asked in SQL."""

from embedmill.shared.providers.vectorstores.embedded.records import EACH_OF

DOCUMENTS_PAGE = 2_000
STALE_KEYS = """
SELECT vectors.key FROM json_each(?) AS document
JOIN vectors ON vectors.document = document.key AND vectors.generation < document.value
"""
NAMES = f"SELECT key, id, document, version FROM vectors WHERE key IN {EACH_OF}"
VECTORS = f"SELECT key, id, document, version, vector FROM vectors WHERE key IN {EACH_OF}"
VECTORS_OF = "SELECT id, vector FROM vectors"
# The generation as a row's id tells it: NULL for rows of 0.1.0, whose ids tell none.
EDITION = """
document, version,
CASE WHEN id = document || '-' || version || '-' || generation || '.' || ordinal THEN generation END AS told
"""
EDITIONS_PAGE = f"""
SELECT {EDITION}, count(*) FROM vectors WHERE document IN (
    SELECT DISTINCT document FROM vectors WHERE document > ? ORDER BY document LIMIT {DOCUMENTS_PAGE}
) GROUP BY document, version, told ORDER BY document
"""
EDITIONS_OF = f"""
SELECT {EDITION}, count(*) FROM vectors WHERE document IN (SELECT value FROM json_each(?))
GROUP BY document, version, told ORDER BY document
"""
EDITION_COUNTS = """
SELECT document.key, count(vectors.key) FROM json_each(?) AS document
LEFT JOIN vectors ON vectors.document = document.key AND vectors.version = document.value ->> 0
AND vectors.generation = document.value ->> 1 GROUP BY document.key
"""
SOME_DOCUMENTS = "SELECT DISTINCT document FROM vectors ORDER BY document LIMIT ?"
VERSION_COUNTS = """
SELECT document.key, count(vectors.key) FROM json_each(?) AS document
LEFT JOIN vectors ON vectors.document = document.key AND vectors.version = document.value GROUP BY document.key
"""
