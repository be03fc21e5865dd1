"""Folders and files."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"

MOMENT = sa.BigInteger()
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def where(condition: str) -> dict[str, Any]:
    """An index of some rows only."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:

    op.create_table(
        "folder",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("instructions", sa.Text(), nullable=True),
        sa.Column("embedding", sa.Text(), nullable=True),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("updated_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["archive_id"], ["archive.id"], name=op.f("fk_folder_archive_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_folder_organization_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_folder")),
        sa.UniqueConstraint("id", name=op.f("uq_folder_id")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_folder_organization_id_name")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("folder", schema=None) as batch_op:
        batch_op.create_index("ix_folder_archive_id", ["archive_id"], unique=False)

    op.create_table(
        "agent_folder",
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("folder_id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_agent_folder_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["folder.id"], name=op.f("fk_agent_folder_folder_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_agent_folder_organization_id")
        ),
        sa.PrimaryKeyConstraint("agent_id", "folder_id", name=op.f("pk_agent_folder")),
    )
    with op.batch_alter_table("agent_folder", schema=None) as batch_op:
        batch_op.create_index("ix_agent_folder_folder_id", ["folder_id"], unique=False)

    op.create_table(
        "file",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("folder_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("original_name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("line_count", sa.BigInteger(), nullable=False),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.Column("embedded_count", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["folder.id"], name=op.f("fk_file_folder_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_file_organization_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_file")),
        sa.UniqueConstraint("folder_id", "name", name=op.f("uq_file_folder_id_name")),
        sa.UniqueConstraint("id", name=op.f("uq_file_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "agent_file",
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("file_id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("first_line", sa.BigInteger(), nullable=True),
        sa.Column("last_line", sa.BigInteger(), nullable=True),
        sa.Column("accessed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_agent_file_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file.id"], name=op.f("fk_agent_file_file_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_agent_file_organization_id")
        ),
        sa.PrimaryKeyConstraint("agent_id", "file_id", name=op.f("pk_agent_file")),
        sa.UniqueConstraint("id", name=op.f("uq_agent_file_id")),
    )
    with op.batch_alter_table("agent_file", schema=None) as batch_op:
        batch_op.create_index("ix_agent_file_file_id", ["file_id"], unique=False)
        batch_op.create_index(
            "ix_agent_file_open", ["agent_id", "accessed_at"], unique=False, **where("is_open")
        )

    op.create_table(
        "file_chunk",
        sa.Column("passage_seq", SEQ, nullable=False),
        sa.Column("file_id", sa.String(length=64), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("first_line", sa.BigInteger(), nullable=False),
        sa.Column("last_line", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file.id"], name=op.f("fk_file_chunk_file_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["passage_seq"],
            ["passage.seq"],
            name=op.f("fk_file_chunk_passage_seq"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("passage_seq", name=op.f("pk_file_chunk")),
        sa.UniqueConstraint("file_id", "n", name=op.f("uq_file_chunk_file_id_n")),
    )
    op.create_table(
        "file_piece",
        sa.Column("file_id", sa.String(length=64), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file.id"], name=op.f("fk_file_piece_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", "n", name=op.f("pk_file_piece")),
    )
    op.create_table(
        "file_text",
        sa.Column("file_id", sa.String(length=64), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_line", sa.BigInteger(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file.id"], name=op.f("fk_file_text_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", "n", name=op.f("pk_file_text")),
    )
    with op.batch_alter_table("file_text", schema=None) as batch_op:
        batch_op.create_index(
            "ix_file_text_file_id_first_line", ["file_id", "first_line"], unique=False
        )
