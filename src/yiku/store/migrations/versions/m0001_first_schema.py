"""The first schema: tenants, archives, passages and their history."""

from collections.abc import Mapping
from time import time_ns

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from yiku.core.tenant import LOCAL_ORGANIZATION, LOCAL_USER
from yiku.store.tables import PgVector

revision = "0001"
down_revision = None

MOMENT = sa.BigInteger()
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
VECTOR = sa.LargeBinary().with_variant(PgVector(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "organization",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
        sa.UniqueConstraint("name", name=op.f("uq_organization_name")),
    )
    op.create_table(
        "archive",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("embedding_model", sa.Text(), nullable=True),
        sa.Column("dimension", sa.Integer(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_archive_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archive")),
        sa.UniqueConstraint(
            "organization_id", "owner", "name", name=op.f("uq_archive_organization_id_owner_name")
        ),
    )
    op.create_table(
        "job",
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_job_organization_id")
        ),
        sa.ForeignKeyConstraint(["archive_id"], ["archive.id"], name=op.f("fk_job_archive_id")),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_job")),
    )
    op.create_table(
        "request",
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("passages", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_request_organization_id")
        ),
        sa.PrimaryKeyConstraint("organization_id", "key", name=op.f("pk_request")),
    )
    op.create_table(
        "user",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_user_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_user_organization_id_name")),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_api_key_organization_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_api_key_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_key_hash")),
    )
    op.create_table(
        "change",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("undone_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["archive_id"], ["archive.id"], name=op.f("fk_change_archive_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_change_organization_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_change")),
        sa.UniqueConstraint("id", name=op.f("uq_change_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "erased",
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("passage_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["archive_id"], ["archive.id"], name=op.f("fk_erased_archive_id")),
        sa.PrimaryKeyConstraint("archive_id", "version", "passage_seq", name=op.f("pk_erased")),
    )
    op.create_table(
        "passage",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("tags", DOCUMENT, nullable=False),
        sa.Column("metadata", DOCUMENT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("speaker", sa.Text(), nullable=True),
        sa.Column("conversation", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("context_id", sa.String(length=64), nullable=True),
        sa.Column("valid_from", MOMENT, nullable=False),
        sa.Column("valid_to", MOMENT, nullable=True),
        sa.Column("superseded_by", sa.String(length=64), nullable=True),
        sa.Column("skill_id", sa.String(length=64), nullable=True),
        sa.Column("forgotten_at", MOMENT, nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["archive_id"], ["archive.id"], name=op.f("fk_passage_archive_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_passage_organization_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_passage")),
        sa.UniqueConstraint("id", name=op.f("uq_passage_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("passage", schema=None) as batch_op:
        batch_op.create_index(
            "ix_passage_archive_id_conversation_seq",
            ["archive_id", "conversation", "seq"],
            unique=False,
        )
        batch_op.create_index(
            "ix_passage_archive_id_fingerprint", ["archive_id", "fingerprint"], unique=False
        )
        batch_op.create_index(
            "ix_passage_archive_id_version", ["archive_id", "version"], unique=False
        )
        batch_op.create_index("ix_passage_context_id", ["context_id"], unique=False)
        batch_op.create_index("ix_passage_superseded_by", ["superseded_by"], unique=False)

    op.create_table(
        "change_item",
        sa.Column("change_seq", SEQ, nullable=False),
        sa.Column("passage_seq", SEQ, nullable=False),
        sa.Column("before", DOCUMENT, nullable=False),
        sa.Column("after", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["change_seq"],
            ["change.seq"],
            name=op.f("fk_change_item_change_seq"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["passage_seq"],
            ["passage.seq"],
            name=op.f("fk_change_item_passage_seq"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("change_seq", "passage_seq", name=op.f("pk_change_item")),
    )
    with op.batch_alter_table("change_item", schema=None) as batch_op:
        batch_op.create_index("ix_change_item_passage_seq", ["passage_seq"], unique=False)

    op.create_table(
        "embedding",
        sa.Column("passage_seq", SEQ, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("vector", VECTOR, nullable=False),
        sa.Column("context_vector", VECTOR, nullable=True),
        sa.ForeignKeyConstraint(
            ["passage_seq"],
            ["passage.seq"],
            name=op.f("fk_embedding_passage_seq"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("passage_seq", "model", name=op.f("pk_embedding")),
    )
    op.create_table(
        "shown",
        sa.Column("passage_seq", SEQ, nullable=False),
        sa.Column("archive_id", sa.String(length=64), nullable=False),
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["archive_id"], ["archive.id"], name=op.f("fk_shown_archive_id")),
        sa.ForeignKeyConstraint(
            ["passage_seq"], ["passage.seq"], name=op.f("fk_shown_passage_seq"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("passage_seq", "conversation", name=op.f("pk_shown")),
    )
    with op.batch_alter_table("shown", schema=None) as batch_op:
        batch_op.create_index("ix_shown_archive_id_at", ["archive_id", "at"], unique=False)

    op.create_table(
        "sighting",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("passage_seq", SEQ, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("speaker", sa.Text(), nullable=True),
        sa.Column("conversation", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_sighting_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["passage_seq"],
            ["passage.seq"],
            name=op.f("fk_sighting_passage_seq"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sighting")),
    )
    with op.batch_alter_table("sighting", schema=None) as batch_op:
        batch_op.create_index("ix_sighting_passage_seq", ["passage_seq"], unique=False)
    _add_local_owner()


def _add_local_owner() -> None:
    """The organization and user of a database that nobody shares."""
    now = time_ns() // 1000
    owner = {"id": LOCAL_ORGANIZATION, "name": "local", "created_at": now}
    person = {**owner, "id": LOCAL_USER, "organization_id": LOCAL_ORGANIZATION}
    op.bulk_insert(table("organization", owner), [owner])
    op.bulk_insert(table("user", person), [person])


def table(name: str, row: Mapping[str, object]) -> sa.TableClause:
    columns: list[sa.ColumnClause[object]] = [sa.column(column) for column in row]
    return sa.table(name, *columns)
