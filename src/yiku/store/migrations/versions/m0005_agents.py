"""Agents: what is attached to them, their messages, runs and steps."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

MOMENT = sa.BigInteger()
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def where(condition: str) -> dict[str, Any]:
    """An index of some rows only."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "agent",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("template_id", sa.Text(), nullable=True),
        sa.Column("base_template_id", sa.Text(), nullable=True),
        sa.Column("config", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("updated_by", sa.String(length=64), nullable=False),
        sa.Column("last_stop_reason", sa.String(length=64), nullable=True),
        sa.Column("last_run_completed_at", MOMENT, nullable=True),
        sa.Column("last_run_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_agent_organization_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_agent")),
        sa.UniqueConstraint("id", name=op.f("uq_agent_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("agent", schema=None) as batch_op:
        batch_op.create_index(
            "ix_agent_organization_id_created_at_seq",
            ["organization_id", "created_at", "seq"],
            unique=False,
        )
        batch_op.create_index(
            "ix_agent_organization_id_name", ["organization_id", "name"], unique=False
        )

    op.create_table(
        "agent_archive",
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("owned", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_agent_archive_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["archive_id"],
            ["archive.id"],
            name=op.f("fk_agent_archive_archive_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_agent_archive_organization_id")
        ),
        sa.PrimaryKeyConstraint("agent_id", "archive_id", name=op.f("pk_agent_archive")),
    )
    with op.batch_alter_table("agent_archive", schema=None) as batch_op:
        batch_op.create_index("ix_agent_archive_archive_id", ["archive_id"], unique=False)

    op.create_table(
        "agent_block",
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("block_id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("owned", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_agent_block_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["block_id"], ["block.id"], name=op.f("fk_agent_block_block_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_agent_block_organization_id")
        ),
        sa.PrimaryKeyConstraint("agent_id", "block_id", name=op.f("pk_agent_block")),
        sa.UniqueConstraint("agent_id", "label", name=op.f("uq_agent_block_agent_id_label")),
    )
    with op.batch_alter_table("agent_block", schema=None) as batch_op:
        batch_op.create_index("ix_agent_block_block_id", ["block_id"], unique=False)

    op.create_table(
        "agent_tag",
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_agent_tag_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_agent_tag_organization_id")
        ),
        sa.PrimaryKeyConstraint("agent_id", "tag", name=op.f("pk_agent_tag")),
    )
    with op.batch_alter_table("agent_tag", schema=None) as batch_op:
        batch_op.create_index(
            "ix_agent_tag_organization_id_tag", ["organization_id", "tag"], unique=False
        )

    op.create_table(
        "agent_tool",
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("tool_id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_agent_tool_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_agent_tool_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["tool_id"], ["tool.id"], name=op.f("fk_agent_tool_tool_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agent_id", "tool_id", name=op.f("pk_agent_tool")),
    )
    with op.batch_alter_table("agent_tool", schema=None) as batch_op:
        batch_op.create_index("ix_agent_tool_tool_id", ["tool_id"], unique=False)

    op.create_table(
        "lease",
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_lease_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_lease_organization_id")
        ),
        sa.PrimaryKeyConstraint("agent_id", "conversation_id", name=op.f("pk_lease")),
    )
    op.create_table(
        "message",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("parts", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("step_id", sa.String(length=64), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("otid", sa.Text(), nullable=True),
        sa.Column("sender_id", sa.Text(), nullable=True),
        sa.Column("group_id", sa.Text(), nullable=True),
        sa.Column("is_archived", sa.Boolean(), nullable=False),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_message_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_message_organization_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_message")),
        sa.UniqueConstraint("id", name=op.f("uq_message_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index(
            "ix_message_agent_id_conversation_id_seq",
            ["agent_id", "conversation_id", "seq"],
            unique=False,
        )
        batch_op.create_index("ix_message_agent_id_seq", ["agent_id", "seq"], unique=False)
        batch_op.create_index(
            "ix_message_in_context",
            ["agent_id", "conversation_id", "seq"],
            unique=False,
            **where("NOT is_archived"),
        )
        batch_op.create_index(
            "ix_message_otid", ["agent_id", "otid"], unique=True, **where("otid IS NOT NULL")
        )
        batch_op.create_index(
            "ix_message_run_id", ["run_id", "seq"], unique=False, **where("run_id IS NOT NULL")
        )
        batch_op.create_index(
            "ix_message_step_id", ["step_id", "seq"], unique=False, **where("step_id IS NOT NULL")
        )
        batch_op.create_index(
            "ix_message_waiting",
            ["agent_id", "conversation_id", "seq"],
            unique=False,
            **where("waits"),
        )

    op.create_table(
        "run",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("stop_reason", sa.String(length=64), nullable=True),
        sa.Column("failure", DOCUMENT, nullable=True),
        sa.Column("request", DOCUMENT, nullable=False),
        sa.Column("background", sa.Boolean(), nullable=False),
        sa.Column("usage", DOCUMENT, nullable=False),
        sa.Column("context_tokens", sa.BigInteger(), nullable=True),
        sa.Column("step_count", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("completed_at", MOMENT, nullable=True),
        sa.Column("ttft_ns", sa.BigInteger(), nullable=True),
        sa.Column("duration_ns", sa.BigInteger(), nullable=True),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("resumptions", sa.Integer(), nullable=False),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_run_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_run_organization_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_run")),
        sa.UniqueConstraint("id", name=op.f("uq_run_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index("ix_run_agent_id_seq", ["agent_id", "seq"], unique=False)
        batch_op.create_index(
            "ix_run_organization_id_seq", ["organization_id", "seq"], unique=False
        )
        batch_op.create_index(
            "ix_run_unfinished", ["seq"], unique=False, **where("status IN ('created', 'running')")
        )

    op.create_table(
        "session_summary",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_session_summary_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_session_summary_organization_id"),
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_session_summary")),
        sa.UniqueConstraint("id", name=op.f("uq_session_summary_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("session_summary", schema=None) as batch_op:
        batch_op.create_index(
            "ix_session_summary_agent_id_conversation_id_seq",
            ["agent_id", "conversation_id", "seq"],
            unique=False,
        )

    op.create_table(
        "step",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("stop_reason", sa.String(length=64), nullable=True),
        sa.Column("failure", DOCUMENT, nullable=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("context_window", sa.BigInteger(), nullable=False),
        sa.Column("usage", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("model_ns", sa.BigInteger(), nullable=True),
        sa.Column("tools_ns", sa.BigInteger(), nullable=True),
        sa.Column("ttft_ns", sa.BigInteger(), nullable=True),
        sa.Column("feedback", sa.String(length=16), nullable=True),
        sa.Column("tags", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_step_agent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_step_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_step_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_step")),
        sa.UniqueConstraint("id", name=op.f("uq_step_id")),
        sa.UniqueConstraint("run_id", "n", name=op.f("uq_step_run_id_n")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("step", schema=None) as batch_op:
        batch_op.create_index("ix_step_agent_id_seq", ["agent_id", "seq"], unique=False)
        batch_op.create_index(
            "ix_step_organization_id_seq", ["organization_id", "seq"], unique=False
        )
