"""Memory skills, what they wrote and found, and how that did; the outbox."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

MOMENT = sa.BigInteger()
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def where(condition: str) -> dict[str, Any]:
    """An index of some rows only."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:

    op.create_table(
        "memory_skill",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("skill_type", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("description", DOCUMENT, nullable=False),
        sa.Column("intent_keywords", DOCUMENT, nullable=False),
        sa.Column("prompt_template", sa.Text(), nullable=False),
        sa.Column("is_base", sa.Boolean(), nullable=False),
        sa.Column("positive_count", sa.Integer(), nullable=False),
        sa.Column("negative_count", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_memory_skill_organization_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_memory_skill")),
        sa.UniqueConstraint("id", name=op.f("uq_memory_skill_id")),
        sa.UniqueConstraint(
            "organization_id",
            "name",
            "version",
            name=op.f("uq_memory_skill_organization_id_name_version"),
        ),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("memory_skill", schema=None) as batch_op:
        batch_op.create_index(
            "uq_memory_skill_active",
            ["organization_id", "name"],
            unique=True,
            **where("status = 'active'"),
        )
        batch_op.create_index(
            "uq_memory_skill_canary",
            ["organization_id", "name"],
            unique=True,
            **where("status = 'canary'"),
        )

    op.create_table(
        "outbox",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("payload", DOCUMENT, nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("held_until", MOMENT, nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_outbox_organization_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
        sa.UniqueConstraint(
            "organization_id", "kind", "key", name=op.f("uq_outbox_organization_id_kind_key")
        ),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_due_at", ["due_at"], unique=False)

    op.create_table(
        "skill_event",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("facts", DOCUMENT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_skill_event_organization_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_skill_event")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("skill_event", schema=None) as batch_op:
        batch_op.create_index(
            "ix_skill_event_organization_id_seq", ["organization_id", "seq"], unique=False
        )

    op.create_table(
        "memory_encoding",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("skill_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("raw_id", sa.String(length=64), nullable=True),
        sa.Column("agent_id", sa.String(length=64), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("message_id", sa.String(length=64), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("operations", DOCUMENT, nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("encoded_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["archive_id"],
            ["archive.id"],
            name=op.f("fk_memory_encoding_archive_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_memory_encoding_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["skill_id"], ["memory_skill.id"], name=op.f("fk_memory_encoding_skill_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_memory_encoding")),
        sa.UniqueConstraint("id", name=op.f("uq_memory_encoding_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("memory_encoding", schema=None) as batch_op:
        batch_op.create_index("ix_memory_encoding_archive_id", ["archive_id"], unique=False)
        batch_op.create_index(
            "ix_memory_encoding_organization_id_status_seq",
            ["organization_id", "status", "seq"],
            unique=False,
        )
        batch_op.create_index("ix_memory_encoding_skill_id_seq", ["skill_id", "seq"], unique=False)

    op.create_table(
        "memory_lookup",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("skill_id", sa.String(length=64), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("refined", DOCUMENT, nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("call_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("judged_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_memory_lookup_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["skill_id"], ["memory_skill.id"], name=op.f("fk_memory_lookup_skill_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_memory_lookup")),
        sa.UniqueConstraint("id", name=op.f("uq_memory_lookup_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("memory_lookup", schema=None) as batch_op:
        batch_op.create_index("ix_memory_lookup_run_id", ["run_id"], unique=False)
        batch_op.create_index("ix_memory_lookup_skill_id_seq", ["skill_id", "seq"], unique=False)

    op.create_table(
        "memory_skill_changelog",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("skill_id", sa.String(length=64), nullable=False),
        sa.Column("old_skill_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("old_prompt", sa.Text(), nullable=False),
        sa.Column("new_prompt", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("report", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["old_skill_id"],
            ["memory_skill.id"],
            name=op.f("fk_memory_skill_changelog_old_skill_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_memory_skill_changelog_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["skill_id"], ["memory_skill.id"], name=op.f("fk_memory_skill_changelog_skill_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_memory_skill_changelog")),
        sa.UniqueConstraint("id", name=op.f("uq_memory_skill_changelog_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("memory_skill_changelog", schema=None) as batch_op:
        batch_op.create_index(
            "ix_memory_skill_changelog_organization_id_seq",
            ["organization_id", "seq"],
            unique=False,
        )
        batch_op.create_index("ix_memory_skill_changelog_skill_id", ["skill_id"], unique=False)

    op.create_table(
        "memory_encoding_item",
        sa.Column("encoding_seq", SEQ, nullable=False),
        sa.Column("passage_seq", SEQ, nullable=False),
        sa.Column("op", sa.String(length=16), nullable=False),
        sa.Column("change_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["encoding_seq"],
            ["memory_encoding.seq"],
            name=op.f("fk_memory_encoding_item_encoding_seq"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["passage_seq"],
            ["passage.seq"],
            name=op.f("fk_memory_encoding_item_passage_seq"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "encoding_seq", "passage_seq", name=op.f("pk_memory_encoding_item")
        ),
    )
    with op.batch_alter_table("memory_encoding_item", schema=None) as batch_op:
        batch_op.create_index("ix_memory_encoding_item_passage_seq", ["passage_seq"], unique=False)

    op.create_table(
        "memory_feedback",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("skill_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("passage_seq", SEQ, nullable=True),
        sa.Column("encoding_id", sa.String(length=64), nullable=True),
        sa.Column("lookup_id", sa.String(length=64), nullable=True),
        sa.Column("query", sa.Text(), nullable=True),
        sa.Column("evidence", DOCUMENT, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_memory_feedback_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["passage_seq"],
            ["passage.seq"],
            name=op.f("fk_memory_feedback_passage_seq"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["skill_id"], ["memory_skill.id"], name=op.f("fk_memory_feedback_skill_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_memory_feedback")),
        sa.UniqueConstraint("id", name=op.f("uq_memory_feedback_id")),
        sa.UniqueConstraint(
            "organization_id", "key", name=op.f("uq_memory_feedback_organization_id_key")
        ),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("memory_feedback", schema=None) as batch_op:
        batch_op.create_index("ix_memory_feedback_encoding_id", ["encoding_id"], unique=False)
        batch_op.create_index("ix_memory_feedback_lookup_id", ["lookup_id"], unique=False)
        batch_op.create_index("ix_memory_feedback_passage_seq", ["passage_seq"], unique=False)
        batch_op.create_index("ix_memory_feedback_skill_id_seq", ["skill_id", "seq"], unique=False)

    op.create_table(
        "memory_lookup_item",
        sa.Column("lookup_seq", SEQ, nullable=False),
        sa.Column("passage_seq", SEQ, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lookup_seq"],
            ["memory_lookup.seq"],
            name=op.f("fk_memory_lookup_item_lookup_seq"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["passage_seq"],
            ["passage.seq"],
            name=op.f("fk_memory_lookup_item_passage_seq"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("lookup_seq", "passage_seq", name=op.f("pk_memory_lookup_item")),
    )
    with op.batch_alter_table("memory_lookup_item", schema=None) as batch_op:
        batch_op.create_index("ix_memory_lookup_item_passage_seq", ["passage_seq"], unique=False)

    op.create_table(
        "memory_trial",
        sa.Column("changelog_id", sa.String(length=64), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("encoding_seq", SEQ, nullable=True),
        sa.Column("lookup_seq", SEQ, nullable=True),
        sa.Column("failed_before", sa.Boolean(), nullable=False),
        sa.Column("old", DOCUMENT, nullable=False),
        sa.Column("new", DOCUMENT, nullable=False),
        sa.Column("old_score", sa.Float(), nullable=False),
        sa.Column("new_score", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["changelog_id"],
            ["memory_skill_changelog.id"],
            name=op.f("fk_memory_trial_changelog_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["encoding_seq"],
            ["memory_encoding.seq"],
            name=op.f("fk_memory_trial_encoding_seq"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["lookup_seq"],
            ["memory_lookup.seq"],
            name=op.f("fk_memory_trial_lookup_seq"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("changelog_id", "n", name=op.f("pk_memory_trial")),
    )
    with op.batch_alter_table("memory_trial", schema=None) as batch_op:
        batch_op.create_index("ix_memory_trial_encoding_seq", ["encoding_seq"], unique=False)
        batch_op.create_index("ix_memory_trial_lookup_seq", ["lookup_seq"], unique=False)
