"""Both engines, for tests that read sources into them."""

from tests.shared.db.conftest import database, database_url, postgres_server, postgres_url

__all__ = ["database", "database_url", "postgres_server", "postgres_url"]
