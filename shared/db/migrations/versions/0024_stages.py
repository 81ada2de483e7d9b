"""Which stages there are is the code's to say: no constraint and no index names one, and their names may be longer."""

import sqlalchemy as sa
from alembic import op

from embedmill.shared.db.migrations.rewording import add_check, drop_check, resize

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

STAGES = "IN ('chunk', 'validate', 'embed', 'index')"
COLUMNS = (("work", "stage"), ("attempt", "stage"), ("dead_letter", "stage"), ("tally", "stage"), ("pool", "queue"))
UNSURE = sa.text("outcome <> 'ok'")
OF_INDEX = sa.text("stage = 'index' AND outcome <> 'ok'")


def upgrade() -> None:
    """Drop them, widen the columns, and index attempts of every stage that did not succeed."""
    drop_check("work", "ck_work_stage", f"stage {STAGES}")
    drop_check("pool", "ck_pool_queue", f"queue {STAGES}")
    for table, column in COLUMNS:
        resize(table, column, 8, 32)
    op.drop_index("ix_attempt_unsure", "attempt")
    op.create_index("ix_attempt_unsure", "attempt", ["stage", "ended_at"], sqlite_where=UNSURE, postgresql_where=UNSURE)


def downgrade() -> None:
    """Bring them back; work in a stage that an older release does not know begins anew."""
    op.drop_index("ix_attempt_unsure", "attempt")
    op.create_index("ix_attempt_unsure", "attempt", ["ended_at"], sqlite_where=OF_INDEX, postgresql_where=OF_INDEX)
    op.execute(f"UPDATE work SET stage = 'chunk' WHERE NOT stage {STAGES}")
    op.execute(f"DELETE FROM pool WHERE NOT queue {STAGES}")
    for table, column in COLUMNS:
        resize(table, column, 32, 8)
    add_check("work", "ck_work_stage", f"stage {STAGES}")
    add_check("pool", "ck_pool_queue", f"queue {STAGES}")
