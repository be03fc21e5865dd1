"""The table of tools. Column names are the fields of `core.tool.Tool`."""

from sqlalchemy import Boolean, Column, Integer, String, Table, Text, UniqueConstraint

from yiku.store.tables import Document, Moment, Seq, metadata, owned

tool = Table(
    "tool",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("name", String(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("tool_type", String(32), nullable=False),
    Column("source_type", String(16), nullable=False),
    Column("source_code", Text),
    Column("json_schema", Document, nullable=False),
    Column("args_json_schema", Document),
    Column("tags", Document, nullable=False),
    Column("pip_requirements", Document, nullable=False),
    Column("npm_requirements", Document, nullable=False),
    Column("return_char_limit", Integer, nullable=False),
    Column("enable_parallel_execution", Boolean, nullable=False),
    Column("default_requires_approval", Boolean),
    Column("metadata", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_by", String(64), nullable=False),
    UniqueConstraint("organization_id", "name"),
    sqlite_autoincrement=True,
)
