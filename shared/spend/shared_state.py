"""Where processes tell each other about providers: in Redis where there is one, in the tracking database otherwise."""

from urllib.parse import urlsplit

from embedmill.shared.db import flow
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.flow.state import Change, FlowState, T, Value
from embedmill.shared.settings import REDIS_SCHEMES, Settings


class DatabaseState(FlowState):
    """In the tracking database: a row a key, locked for the moment of its change."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def update(self, key: str, change: Change[T]) -> T:
        def apply(connection: Connection) -> T:
            value, now = flow.lock_value(connection, key)
            changed, result = change(value, now)
            if changed is not None:
                flow.write_value(connection, key, changed)
            return result

        return self._database.transact(apply)

    def peek(self, key: str) -> tuple[Value, float]:
        return self._database.query(lambda connection: flow.read_value(connection, key))

    def peek_all(self, prefix: str) -> tuple[dict[str, Value], float]:
        return self._database.query(lambda connection: flow.list_values(connection, prefix))


def is_in_redis(settings: Settings) -> bool:
    """Whether Redis keeps it."""
    return _url(settings).startswith(REDIS_SCHEMES)


def is_at_broker(settings: Settings) -> bool:
    """Whether the server that keeps it is the broker's, too."""
    ours, brokers = urlsplit(_url(settings)), urlsplit(settings.broker_url)
    return is_in_redis(settings) and (ours.hostname, ours.port) == (brokers.hostname, brokers.port)


def open_shared_state(settings: Settings, database: Database) -> FlowState:
    """Redis where the setting or the broker names one, the tracking database otherwise."""
    if is_in_redis(settings):
        from embedmill.shared.flow.redis_state import RedisState

        return RedisState(_url(settings))
    return DatabaseState(database)


def _url(settings: Settings) -> str:
    return settings.limits_url or settings.broker_url
