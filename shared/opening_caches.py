"""Which cache of vectors an installation has, by its settings."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from embedmill.shared.caches.file import FileCache
from embedmill.shared.db.cache import ServerCache
from embedmill.shared.db.connecting import is_server
from embedmill.shared.db.engine import Database
from embedmill.shared.errors import SettingsError
from embedmill.shared.settings import Settings

if TYPE_CHECKING:
    from embedmill.shared.caches.embeddings import EmbeddingCache
    from embedmill.shared.db.postgres import Sizing


def open_cache(
    settings: Settings, home: Path, *, database: Callable[[], Database], sizing: "Sizing"
) -> "EmbeddingCache":
    """The cache that the settings name, that of the tracking database, or a file of the home; raises SettingsError.

    One that is not in the tracking database is waited for, while it is away, for the outage of `sizing`.
    """
    url = settings.cache_url or settings.database
    match urlsplit(url).scheme:
        case "":
            raise SettingsError("EMBEDMILL_CACHE_URL is no file://, postgresql:// or redis:// URL")
        case "redis" | "rediss" | "unix":
            from embedmill.shared.caches.redis import RedisCache

            return RedisCache(url, keep_seconds=settings.cache_keep_seconds, patience_seconds=sizing.outage_seconds)
        case "file":
            return FileCache(Path(unquote(urlsplit(url).path)))
    if not is_server(url):
        return FileCache(home / "cache.db")
    if url == settings.database:
        return ServerCache(database())
    return ServerCache(Database(url, sizing=sizing), owns_database=True)
