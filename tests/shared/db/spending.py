"""A process that spends and fails at random."""

import random
from typing import Any

from embedmill.shared.db import ledger
from embedmill.shared.db.ledger import Reserved
from embedmill.shared.db.opening import open_database
from embedmill.shared.ledger import Entry, Tokens, Usage


def entry(*, microusd: int, tokens: int, provider: str = "openai", **whom: Any) -> Entry:
    """A paid call."""
    return Entry(Usage(provider, "model", "embed", Tokens(into=tokens), **whom), "a price", microusd)


def spend(url: str, seed: int, calls: int) -> None:
    """Calls of random size that end in a random way."""
    chance = random.Random(seed)
    database = open_database(url)
    for _ in range(calls):
        most = chance.randint(1, 400)
        with database.write() as connection:
            reserved = ledger.reserve(connection, entry(microusd=most, tokens=most))
        if not isinstance(reserved, Reserved):
            continue
        match chance.choice(("settle", "settle", "release", "unsettled", "die")):
            case "settle":
                used = chance.randint(0, most)
                with database.write() as connection:
                    ledger.settle(connection, reserved.id, entry(microusd=used, tokens=used))
            case "release":
                with database.write() as connection:
                    ledger.release(connection, reserved.id)
            case "unsettled":
                with database.write() as connection:
                    ledger.leave_unsettled(connection, reserved.id)
    database.close()
