"""Role memory: roles, what they have, and the decisions about it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

MOMENT = sa.BigInteger()
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "role",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("role_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("config", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("gated", sa.BigInteger(), nullable=False),
        sa.Column("considered", sa.BigInteger(), nullable=False),
        sa.Column("last_gated", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["archive_id"], ["archive.id"], name=op.f("fk_role_archive_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_role_organization_id")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_role")),
        sa.UniqueConstraint("archive_id", "role_id", name=op.f("uq_role_archive_id_role_id")),
    )
    op.create_table(
        "role_job",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("roles", DOCUMENT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["archive_id"], ["archive.id"], name=op.f("fk_role_job_archive_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_role_job_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_job")),
    )
    op.create_table(
        "role_set",
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("roles_version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["archive_id"], ["archive.id"], name=op.f("fk_role_set_archive_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_role_set_organization_id")
        ),
        sa.PrimaryKeyConstraint("archive_id", name=op.f("pk_role_set")),
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("passage_seq", SEQ, nullable=True),
        sa.Column("conversation", sa.Text(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["archive_id"], ["archive.id"], name=op.f("fk_decision_archive_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_decision_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["passage_seq"],
            ["passage.seq"],
            name=op.f("fk_decision_passage_seq"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.create_index(
            "ix_decision_archive_id_kind_at", ["archive_id", "kind", "at"], unique=False
        )
        batch_op.create_index("ix_decision_passage_seq", ["passage_seq"], unique=False)

    op.create_table(
        "role_embedding",
        sa.Column("role_key", sa.String(length=64), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("vectors", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["role_key"], ["role.key"], name=op.f("fk_role_embedding_role_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("role_key", "model", name=op.f("pk_role_embedding")),
    )
    op.create_table(
        "role_move",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("role_key", sa.String(length=64), nullable=False),
        sa.Column("role_id", sa.String(length=64), nullable=False),
        sa.Column("passage_seq", SEQ, nullable=False),
        sa.Column("joined", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("job", sa.String(length=64), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["archive_id"], ["archive.id"], name=op.f("fk_role_move_archive_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_role_move_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["passage_seq"],
            ["passage.seq"],
            name=op.f("fk_role_move_passage_seq"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_role_move")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("role_move", schema=None) as batch_op:
        batch_op.create_index(
            "ix_role_move_archive_id_version", ["archive_id", "version"], unique=False
        )
        batch_op.create_index("ix_role_move_passage_seq", ["passage_seq"], unique=False)

    op.create_table(
        "role_passage",
        sa.Column("role_key", sa.String(length=64), nullable=False),
        sa.Column("passage_seq", SEQ, nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["archive_id"],
            ["archive.id"],
            name=op.f("fk_role_passage_archive_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["passage_seq"],
            ["passage.seq"],
            name=op.f("fk_role_passage_passage_seq"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["role_key"], ["role.key"], name=op.f("fk_role_passage_role_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("role_key", "passage_seq", name=op.f("pk_role_passage")),
    )
    with op.batch_alter_table("role_passage", schema=None) as batch_op:
        batch_op.create_index("ix_role_passage_passage_seq", ["passage_seq"], unique=False)

    op.create_table(
        "role_version",
        sa.Column("role_key", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("config", DOCUMENT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["role_key"], ["role.key"], name=op.f("fk_role_version_role_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("role_key", "version", name=op.f("pk_role_version")),
    )
