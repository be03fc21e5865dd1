"""The tables of those who run a server: projects, quotas, the audit log, MCP servers, templates,
and where imports came from. Column names are the fields of the nouns in `core`."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from yiku.store.tables import Blob, Document, Moment, Seq, metadata, owned

project = Table(
    "project",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("name", Text, nullable=False),
    Column("slug", String(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    UniqueConstraint("organization_id", "slug"),
    sqlite_autoincrement=True,
)

quota = Table(
    "quota",
    metadata,
    Column("organization_id", String(64), ForeignKey("organization.id"), primary_key=True),
    Column("resource", String(32), primary_key=True),
    Column("most", BigInteger, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String(64), nullable=False),
)
"""The most of a resource an organization may have, or use in a day; no row: the setting's."""

daily_usage = Table(
    "daily_usage",
    metadata,
    Column("organization_id", String(64), ForeignKey("organization.id"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("messages", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("shard", BigInteger, primary_key=True, autoincrement=False),
)
"""Days are of UTC; a day counts what all of its rows do."""

audit_event = Table(
    "audit_event",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("at", Moment, nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("key_id", String(64)),
    Column("action", String(64), nullable=False),
    Column("target", Text),
    Column("facts", Document, nullable=False),
    Column("address", Text),
    Index("ix_audit_event_organization_id_seq", "organization_id", "seq"),
    sqlite_autoincrement=True,
)
"""Only ever added to."""

mcp_server = Table(
    "mcp_server",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("name", String(128), nullable=False),
    Column("transport", String(16), nullable=False),
    Column("config", Document, nullable=False),
    Column("secrets", Blob),
    Column("problem", Text),
    Column("synced_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String(64), nullable=False),
    UniqueConstraint("organization_id", "name"),
    sqlite_autoincrement=True,
)
"""`secrets`: token, headers and environment, encrypted."""

mcp_tool = Table(
    "mcp_tool",
    metadata,
    Column("tool_id", String(64), ForeignKey("tool.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "mcp_server_id",
        String(64),
        ForeignKey("mcp_server.id", ondelete="CASCADE"),
        nullable=False,
    ),
    owned(),
    Column("remote_name", Text, nullable=False),
    Column("problems", Document, nullable=False),
    UniqueConstraint("mcp_server_id", "remote_name"),
)
"""Which tool of which server a tool of ours is."""

template = Table(
    "template",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("project_id", Text),
    Column("latest_version", Integer, nullable=False),
    Column("working", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String(64), nullable=False),
    UniqueConstraint("organization_id", "name"),
    sqlite_autoincrement=True,
)
"""`working`: the agent file as it is edited now; saved versions are `template_version`."""

template_version = Table(
    "template_version",
    metadata,
    Column(
        "template_id", String(64), ForeignKey("template.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("agent_file", Document, nullable=False),
    Column("message", Text),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
)

imported = Table(
    "imported",
    metadata,
    Column("organization_id", String(64), ForeignKey("organization.id"), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("target_id", String(64), nullable=False),
    Column("position", BigInteger),
    Column("at", Moment, nullable=False),
    Index("ix_imported_target_id", "target_id"),
)
"""What an import made of what: a second one finds it there. `source`: the file's or account's own
mark; `key`: the thing's id there; `position`: how much of it is stored, where it comes in parts."""
