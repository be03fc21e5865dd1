"""The tables of conversations, identities, groups, schedules and batches: who talks to whom, and
when. Column names are the fields of the nouns in `core`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from yiku.store.agent_tables import attached, called_back, of_agent, where
from yiku.store.tables import Document, Moment, Seq, metadata, owned

conversation = Table(
    "conversation",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    of_agent(),
    Column("summary", Text),
    Column("description", Text),
    Column("model", Text),
    Column("model_settings", Document),
    Column("context_window", BigInteger),
    Column("hidden", Boolean, nullable=False),
    Column("forked_from", String(64)),
    Column("archived_at", Moment),
    Column("last_message_at", Moment),
    Column("last_run_completed_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String(64), nullable=False),
    Index("ix_conversation_organization_id_seq", "organization_id", "seq"),
    Index("ix_conversation_agent_id_seq", "agent_id", "seq"),
    sqlite_autoincrement=True,
)

identity = Table(
    "identity",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("identifier_key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("identity_type", String(16), nullable=False),
    Column("project_id", Text),
    Column("properties", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String(64), nullable=False),
    UniqueConstraint("organization_id", "identifier_key"),
    sqlite_autoincrement=True,
)

agent_identity = Table(
    "agent_identity",
    metadata,
    of_agent(primary=True),
    attached("identity"),
    owned(),
    Column("position", Integer, nullable=False),
    Index("ix_agent_identity_identity_id", "identity_id"),
)

block_identity = Table(
    "block_identity",
    metadata,
    attached("block"),
    attached("identity"),
    owned(),
    Index("ix_block_identity_identity_id", "identity_id"),
)

agent_group = Table(
    "agent_group",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("manager_type", String(32), nullable=False),
    Column("manager_agent_id", String(64), ForeignKey("agent.id", ondelete="SET NULL")),
    Column("description", Text, nullable=False),
    Column("project_id", Text),
    Column("config", Document, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String(64), nullable=False),
    Index("ix_agent_group_organization_id_seq", "organization_id", "seq"),
    Index("ix_agent_group_manager_agent_id", "manager_agent_id"),
    sqlite_autoincrement=True,
)
"""Not `group`, which is a word of SQL."""


def of_group() -> Column[str]:
    group = ForeignKey("agent_group.id", ondelete="CASCADE")
    return Column("group_id", String(64), group, primary_key=True)


group_agent = Table(
    "group_agent",
    metadata,
    of_group(),
    of_agent(primary=True),
    owned(),
    Column("position", Integer, nullable=False),
    Index("ix_group_agent_agent_id", "agent_id"),
)

group_block = Table(
    "group_block",
    metadata,
    of_group(),
    attached("block"),
    owned(),
    Column("position", Integer, nullable=False),
    Index("ix_group_block_block_id", "block_id"),
)

schedule = Table(
    "schedule",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    of_agent(),
    Column("status", String(16), nullable=False),
    Column("at", Moment),
    Column("cron", Text),
    Column("timezone", Text, nullable=False),
    Column("missed", String(16), nullable=False),
    Column("request", Document, nullable=False),
    Column("next_at", Moment),
    Column("fired_at", Moment),
    Column("fired_count", Integer, nullable=False),
    Column("last_run_id", String(64)),
    Column("problem", Text),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Index("ix_schedule_agent_id_seq", "agent_id", "seq"),
    Index("ix_schedule_next_at", "next_at", **where("next_at IS NOT NULL")),
    sqlite_autoincrement=True,
)
"""Either `at` (once) or `cron`. `next_at` is None where it fires no more."""

batch = Table(
    "batch",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("status", String(16), nullable=False),
    Column("callback_url", Text),
    Column("metadata", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("completed_at", Moment),
    *called_back(),
    Index("ix_batch_organization_id_seq", "organization_id", "seq"),
    sqlite_autoincrement=True,
)

batch_item = Table(
    "batch_item",
    metadata,
    Column("batch_id", String(64), ForeignKey("batch.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    owned(),
    of_agent(),
    Column("request", Document, nullable=False),
    Column("status", String(16), nullable=False),
    Column("run_id", String(64)),
    Column("problem", Text),
    Index("ix_batch_item_agent_id", "agent_id"),
)

step_trace = Table(
    "step_trace",
    metadata,
    Column("step_id", String(64), ForeignKey("step.id", ondelete="CASCADE"), primary_key=True),
    owned(),
    Column("request", Document, nullable=False),
    Column("response", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("ix_step_trace_organization_id_created_at", "organization_id", "created_at"),
)
"""What went to a provider and came back, where traces are kept; written after the step."""
