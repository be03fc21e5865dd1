"""What came of callbacks."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

MOMENT = sa.BigInteger()


def upgrade() -> None:
    for table in ("run", "batch"):
        op.add_column(table, sa.Column("callback_sent_at", MOMENT, nullable=True))
        op.add_column(table, sa.Column("callback_status_code", sa.Integer(), nullable=True))
        op.add_column(table, sa.Column("callback_error", sa.Text(), nullable=True))
