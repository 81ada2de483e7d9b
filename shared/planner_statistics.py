"""What a Postgres planner knows of tables: ANALYZE replaces it, and the rows of before stay in the catalogue."""

MAY_REWRITE = "SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()"
"""Whether this role may: a database's owner writes its catalogues anew."""
REWRITE = "VACUUM (FULL) pg_catalog.pg_statistic"
"""Leaves what is known now, and nothing of before. Whoever plans a query waits meanwhile."""
UNTIL_REWRITTEN = (
    "former statistics of the planner, which hold values of tables, until the database's owner runs "
    "VACUUM FULL pg_statistic"
)
