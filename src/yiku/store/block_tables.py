"""The tables of core memory. Column names are the fields of the nouns in `core.block`."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from yiku.store.tables import Document, Moment, Seq, metadata, owned

block = Table(
    "block",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("version", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("limit", Integer, nullable=False),
    Column("description", Text),
    Column("read_only", Boolean, nullable=False),
    Column("tags", Document, nullable=False),
    Column("metadata", Document, nullable=False),
    Column("is_template", Boolean, nullable=False),
    Column("template_name", Text),
    Column("template_id", Text),
    Column("base_template_id", Text),
    Column("deployment_id", Text),
    Column("entity_id", Text),
    Column("project_id", Text),
    Column("preserve_on_migration", Boolean, nullable=False),
    Column("hidden", Boolean),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String(64), nullable=False),
    Index("ix_block_organization_id_seq", "organization_id", "seq"),
    Index("ix_block_organization_id_label_seq", "organization_id", "label", "seq"),
    sqlite_autoincrement=True,
)

block_version = Table(
    "block_version",
    metadata,
    Column("block_seq", Seq, ForeignKey("block.seq", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("content", Document, nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", String(64), nullable=False),
    Column("reason", Text),
    Column("step_id", String(64)),
    Column("restores", Integer),
)
"""Every content a block had, whole. `restores`: the version that an undo brought back."""
