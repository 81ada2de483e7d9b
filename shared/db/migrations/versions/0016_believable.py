"""No row of the ledger may be negative; those that a provider's nonsense made so count as nothing."""

from alembic import op

from embedmill.shared.db.migrations.rewording import add_check, drop_check

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

NAMES = ("inputs", "cached", "cached_tokens", "tokens_in", "tokens_out", "cache_read", "cache_write", "milliunits")
CONDITION = " AND ".join(f"{name} >= 0" for name in NAMES) + " AND coalesce(cost_microusd, 0) >= 0"
TOKENS = "tokens_in + tokens_out + cache_read + cache_write"
MIDNIGHT = {
    "sqlite": "coalesce((julianday(nullif(budget.day, '')) - 2440587.5) * 86400, 0)",
    "postgresql": "coalesce(extract(epoch FROM CAST(nullif(budget.day, '') || 'T00:00:00Z' AS timestamptz)), 0)",
}
"""When the day of a budget began, in seconds since 1970."""
SCOPES = {
    "day": "created_at >= {midnight}",
    "job": "CAST(job_id AS TEXT) = budget.name",
    "collection": "collection_id IN (SELECT id FROM collection WHERE collection.name = budget.name)",
    "provider": "provider = budget.name",
    "total": "1 = 1",
}


def upgrade() -> None:
    """Nobody knows what such calls did cost any more: they are marked as not settled, and budgets are summed anew."""
    wrong = op.get_bind().exec_driver_sql(f"SELECT count(*) FROM usage WHERE NOT ({CONDITION})").scalar_one()
    if wrong:
        clamped = ", ".join(
            f"{name} = CASE WHEN {name} < 0 THEN 0 ELSE {name} END" for name in (*NAMES, "cost_microusd")
        )
        op.execute(f"UPDATE usage SET {clamped}, state = 'unsettled' WHERE NOT ({CONDITION}) AND state <> 'reserved'")
        op.execute(f"UPDATE usage SET {clamped} WHERE NOT ({CONDITION})")
        for scope, condition in SCOPES.items():
            _sum_anew(scope, condition)
    add_check("usage", "ck_usage_amounts", CONDITION)


def _sum_anew(scope: str, condition: str) -> None:
    condition = condition.replace("{midnight}", MIDNIGHT[op.get_bind().dialect.name])
    for column, amount in (("used_microusd", "cost_microusd"), ("used_tokens", TOKENS)):
        op.execute(
            f"UPDATE budget SET {column} = coalesce((SELECT sum({amount}) FROM usage WHERE price <> 'free' "
            f"AND state <> 'released' AND ({condition})), 0) WHERE scope = '{scope}'"
        )


def downgrade() -> None:
    """Remove the constraint."""
    drop_check("usage", "ck_usage_amounts", CONDITION)
