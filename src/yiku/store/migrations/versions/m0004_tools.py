"""Tools."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"

MOMENT = sa.BigInteger()
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "tool",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("tool_type", sa.String(length=32), nullable=False),
        sa.Column("source_type", sa.String(length=16), nullable=False),
        sa.Column("source_code", sa.Text(), nullable=True),
        sa.Column("json_schema", DOCUMENT, nullable=False),
        sa.Column("args_json_schema", DOCUMENT, nullable=True),
        sa.Column("tags", DOCUMENT, nullable=False),
        sa.Column("pip_requirements", DOCUMENT, nullable=False),
        sa.Column("npm_requirements", DOCUMENT, nullable=False),
        sa.Column("return_char_limit", sa.Integer(), nullable=False),
        sa.Column("enable_parallel_execution", sa.Boolean(), nullable=False),
        sa.Column("default_requires_approval", sa.Boolean(), nullable=True),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("updated_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_tool_organization_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_tool")),
        sa.UniqueConstraint("id", name=op.f("uq_tool_id")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_tool_organization_id_name")),
        sqlite_autoincrement=True,
    )
