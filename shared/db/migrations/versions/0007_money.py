"""Money: the ledger knows states, lanes and prices; budgets; what processes tell each other about providers."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Rows of the old ledger were calls of local models: settled and free."""
    with op.batch_alter_table("usage") as table:
        table.add_column(sa.Column("collection_id", ID, nullable=True))
        table.add_column(sa.Column("documents", sa.JSON(), nullable=True))
        table.add_column(sa.Column("lane", sa.String(length=4), server_default="live", nullable=False))
        table.add_column(sa.Column("state", sa.String(length=10), server_default="settled", nullable=False))
        for name in ("cache_read", "cache_write", "cache_saved_microusd", "lane_saved_microusd"):
            table.add_column(sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
        table.add_column(sa.Column("price", sa.Text(), server_default="free", nullable=False))
        table.add_column(sa.Column("request_id", sa.Text(), nullable=True))
        table.add_column(sa.Column("owner", sa.Text(), nullable=True))
        table.add_column(sa.Column("settled_at", sa.Double(), nullable=True))
        table.alter_column("cost_microusd", existing_type=sa.BigInteger(), nullable=True)
    op.execute("UPDATE usage SET settled_at = created_at")
    op.execute("UPDATE usage SET collection_id = (SELECT collection_id FROM job WHERE job.id = usage.job_id)")
    with op.batch_alter_table("usage") as table:
        table.create_foreign_key("fk_usage_collection_id", "collection", ["collection_id"], ["id"], ondelete="SET NULL")
        table.create_check_constraint(op.f("ck_usage_lane"), "lane IN ('live', 'bulk')")
        table.create_check_constraint(
            op.f("ck_usage_state"), "state IN ('reserved', 'settled', 'released', 'unsettled')"
        )
        table.create_check_constraint(op.f("ck_usage_settled"), "(state = 'reserved') = (settled_at IS NULL)")
        table.create_check_constraint(op.f("ck_usage_priced"), "(price = 'unpriced') = (cost_microusd IS NULL)")
    op.create_index("ix_usage_created_at", "usage", ["created_at"], unique=False)
    op.create_index(
        "ix_usage_reserved",
        "usage",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'reserved'"),
        postgresql_where=sa.text("state = 'reserved'"),
    )
    op.create_table(
        "budget",
        sa.Column("id", ID, nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("limit_microusd", sa.BigInteger(), nullable=True),
        sa.Column("limit_tokens", sa.BigInteger(), nullable=True),
        sa.Column("used_microusd", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("used_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("day", sa.String(length=10), server_default="", nullable=False),
        sa.Column("refused_microusd", sa.BigInteger(), nullable=True),
        sa.Column("refused_tokens", sa.BigInteger(), nullable=True),
        sa.Column("refused_at", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("scope IN ('day', 'job', 'collection', 'provider', 'total')", name=op.f("ck_budget_scope")),
        sa.CheckConstraint("limit_microusd IS NOT NULL OR limit_tokens IS NOT NULL", name=op.f("ck_budget_limited")),
        sa.CheckConstraint("(refused_at IS NULL) = (refused_microusd IS NULL)", name=op.f("ck_budget_refused")),
        sa.PrimaryKeyConstraint("id", name="pk_budget"),
        sa.UniqueConstraint("scope", "name", name="uq_budget_scope_name"),
    )
    op.create_table(
        "budget_alert",
        sa.Column("id", ID, nullable=False),
        sa.Column("budget_id", ID, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["budget_id"], ["budget.id"], name="fk_budget_alert_budget_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_budget_alert"),
        sa.UniqueConstraint("budget_id", "day", "percent", name="uq_budget_alert_budget_id_day_percent"),
    )
    op.create_table(
        "flow_state",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_flow_state"),
    )


def downgrade() -> None:
    """Forget budgets and what is not settled."""
    op.drop_table("flow_state")
    op.drop_table("budget_alert")
    op.drop_table("budget")
    op.drop_index("ix_usage_reserved", table_name="usage")
    op.drop_index("ix_usage_created_at", table_name="usage")
    op.execute("UPDATE usage SET cost_microusd = 0 WHERE cost_microusd IS NULL")
    with op.batch_alter_table("usage") as table:
        for name in ("priced", "settled", "state", "lane"):
            table.drop_constraint(op.f(f"ck_usage_{name}"), type_="check")
        table.drop_constraint("fk_usage_collection_id", type_="foreignkey")
        for name in ("collection_id", "documents", "lane", "state", "cache_read", "cache_write", "price"):
            table.drop_column(name)
        for name in ("cache_saved_microusd", "lane_saved_microusd", "request_id", "owner", "settled_at"):
            table.drop_column(name)
        table.alter_column("cost_microusd", existing_type=sa.BigInteger(), nullable=False)
