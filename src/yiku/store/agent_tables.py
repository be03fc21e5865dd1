"""The tables of agents. Column names are the fields of the nouns in `core.agent`, `core.message`
and `core.run`; an empty `conversation_id` is None there: the agent's own conversation."""

from typing import Any

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
    text,
)

from yiku.store.tables import Document, Moment, Seq, metadata, owned


def of_agent(*, primary: bool = False) -> Column[str]:
    """The agent a row belongs to, and goes with."""
    return Column(
        "agent_id",
        String(64),
        ForeignKey("agent.id", ondelete="CASCADE"),
        primary_key=primary,
        nullable=False,
    )


def attached(what: str) -> Column[str]:
    """What an agent has; the attachment goes with either of them."""
    return Column(
        f"{what}_id",
        String(64),
        ForeignKey(f"{what}.id", ondelete="CASCADE"),
        primary_key=True,
    )


def called_back() -> tuple[Column[Any], ...]:
    """What came of telling the end of something to who asked for that."""
    return (
        Column("callback_sent_at", Moment),
        Column("callback_status_code", Integer),
        Column("callback_error", Text),
    )


def where(condition: str) -> dict[str, Any]:
    """An index of some rows only: it costs the others nothing."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


agent = Table(
    "agent",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("project_id", Text),
    Column("template_id", Text),
    Column("base_template_id", Text),
    Column("config", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String(64), nullable=False),
    Column("last_stop_reason", String(64)),
    Column("last_run_completed_at", Moment),
    Column("last_run_ms", BigInteger),
    Index("ix_agent_organization_id_created_at_seq", "organization_id", "created_at", "seq"),
    Index("ix_agent_organization_id_name", "organization_id", "name"),
    sqlite_autoincrement=True,
)
"""`config`: the fields of AgentConfig that have no column here, and are no tags."""

agent_tag = Table(
    "agent_tag",
    metadata,
    of_agent(primary=True),
    Column("tag", Text, primary_key=True),
    owned(),
    Column("position", Integer, nullable=False),
    Index("ix_agent_tag_organization_id_tag", "organization_id", "tag"),
)

agent_block = Table(
    "agent_block",
    metadata,
    of_agent(primary=True),
    attached("block"),
    owned(),
    Column("label", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("owned", Boolean, nullable=False),
    UniqueConstraint("agent_id", "label"),
    Index("ix_agent_block_block_id", "block_id"),
)
"""`label` is the block's, here for its key: no two blocks of an agent have the same one. `owned`:
it was made with the agent, and goes with it where no other agent has it."""

agent_tool = Table(
    "agent_tool",
    metadata,
    of_agent(primary=True),
    attached("tool"),
    owned(),
    Column("position", Integer, nullable=False),
    Index("ix_agent_tool_tool_id", "tool_id"),
)

agent_archive = Table(
    "agent_archive",
    metadata,
    of_agent(primary=True),
    attached("archive"),
    owned(),
    Column("position", Integer, nullable=False),
    Column("owned", Boolean, nullable=False),
    Index("ix_agent_archive_archive_id", "archive_id"),
)

message = Table(
    "message",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    of_agent(),
    Column("conversation_id", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("parts", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("run_id", String(64)),
    Column("step_id", String(64)),
    Column("model", Text),
    Column("name", Text),
    Column("otid", Text),
    Column("sender_id", Text),
    Column("group_id", Text),
    Column("is_archived", Boolean, nullable=False),
    Column("waits", Boolean, nullable=False),
    Column("copied_from", String(64)),
    Index("ix_message_agent_id_seq", "agent_id", "seq"),
    Index("ix_message_agent_id_conversation_id_seq", "agent_id", "conversation_id", "seq"),
    Index(
        "ix_message_in_context",
        "agent_id",
        "conversation_id",
        "seq",
        **where("NOT is_archived"),
    ),
    Index("ix_message_waiting", "agent_id", "conversation_id", "seq", **where("waits")),
    Index("ix_message_otid", "agent_id", "otid", unique=True, **where("otid IS NOT NULL")),
    Index("ix_message_run_id", "run_id", "seq", **where("run_id IS NOT NULL")),
    Index("ix_message_step_id", "step_id", "seq", **where("step_id IS NOT NULL")),
    sqlite_autoincrement=True,
)
"""`waits`: calls in it wait for an answer that isn't stored yet."""

session_summary = Table(
    "session_summary",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    of_agent(),
    Column("conversation_id", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("model", Text),
    Index("ix_session_summary_agent_id_conversation_id_seq", "agent_id", "conversation_id", "seq"),
    sqlite_autoincrement=True,
)

run = Table(
    "run",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    of_agent(),
    Column("conversation_id", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("stop_reason", String(64)),
    Column("failure", Document),
    Column("request", Document, nullable=False),
    Column("background", Boolean, nullable=False),
    Column("usage", Document, nullable=False),
    Column("context_tokens", BigInteger),
    Column("step_count", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("completed_at", Moment),
    Column("ttft_ns", BigInteger),
    Column("duration_ns", BigInteger),
    Column("cancel_asked", Boolean, nullable=False),
    Column("resumptions", Integer, nullable=False),
    Column("metadata", Document, nullable=False),
    *called_back(),
    Index("ix_run_organization_id_seq", "organization_id", "seq"),
    Index("ix_run_agent_id_seq", "agent_id", "seq"),
    Index("ix_run_unfinished", "seq", **where("status IN ('created', 'running')")),
    sqlite_autoincrement=True,
)
"""`background` is the request's, here to be asked for."""

step = Table(
    "step",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("run_id", String(64), ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
    of_agent(),
    Column("n", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("stop_reason", String(64)),
    Column("failure", Document),
    Column("model", Text, nullable=False),
    Column("context_window", BigInteger, nullable=False),
    Column("usage", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("model_ns", BigInteger),
    Column("tools_ns", BigInteger),
    Column("ttft_ns", BigInteger),
    Column("feedback", String(16)),
    Column("tags", Document, nullable=False),
    UniqueConstraint("run_id", "n"),
    Index("ix_step_organization_id_seq", "organization_id", "seq"),
    Index("ix_step_agent_id_seq", "agent_id", "seq"),
    sqlite_autoincrement=True,
)

lease = Table(
    "lease",
    metadata,
    of_agent(primary=True),
    Column("conversation_id", String(64), primary_key=True),
    owned(),
    Column("run_id", String(64), nullable=False),
    Column("holder", Text, nullable=False),
    Column("until", Moment, nullable=False),
)
"""No foreign key to the run: it is taken before the run is stored, and outlives none."""
