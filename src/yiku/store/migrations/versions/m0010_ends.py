"""What came of callbacks; organizations that are deleted; the usage of a day in several rows."""

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
    op.add_column("organization", sa.Column("deleted_at", MOMENT, nullable=True))
    several_rows_a_day()


def several_rows_a_day() -> None:
    """A key is changed by making the table anew, on both databases alike."""
    op.execute("CREATE TABLE daily_usage_before AS SELECT * FROM daily_usage")
    op.drop_table("daily_usage")
    op.create_table(
        "daily_usage",
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("shard", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_daily_usage_organization_id")
        ),
        sa.PrimaryKeyConstraint("organization_id", "day", "shard", name=op.f("pk_daily_usage")),
    )
    op.execute(
        "INSERT INTO daily_usage (organization_id, day, messages, tokens, shard)"
        " SELECT organization_id, day, messages, tokens, 0 FROM daily_usage_before"
    )
    op.drop_table("daily_usage_before")
