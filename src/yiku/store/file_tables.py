"""The tables of folders and files. Column names are the fields of the nouns in `core.file`."""

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

from yiku.store.agent_tables import attached, of_agent, where
from yiku.store.tables import Blob, Document, Moment, Seq, metadata, owned


def of_file(*, primary: bool = False) -> Column[str]:
    """Goes with the file."""
    file = ForeignKey("file.id", ondelete="CASCADE")
    return Column("file_id", String(64), file, primary_key=primary, nullable=False)


folder = Table(
    "folder",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("archive_id", String(64), ForeignKey("archive.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("instructions", Text),
    Column("embedding", Text),
    Column("metadata", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String(64), nullable=False),
    UniqueConstraint("organization_id", "name"),
    Index("ix_folder_archive_id", "archive_id"),
    sqlite_autoincrement=True,
)
"""Its files' chunks are the passages of `archive_id`, a hidden archive that goes with it."""

file = Table(
    "file",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("folder_id", String(64), ForeignKey("folder.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("original_name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("problem", Text),
    Column("line_count", BigInteger, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("embedded_count", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("folder_id", "name"),
    sqlite_autoincrement=True,
)

file_piece = Table(
    "file_piece",
    metadata,
    of_file(primary=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("bytes", Blob, nullable=False),
)
"""The file as it came, in pieces: every server of one database can parse it, a backup has it."""

file_text = Table(
    "file_text",
    metadata,
    of_file(primary=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("first_line", BigInteger, nullable=False),
    Column("line_count", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_file_text_file_id_first_line", "file_id", "first_line"),
)
"""What it says, in stretches of whole lines; lines are counted from 1."""

file_chunk = Table(
    "file_chunk",
    metadata,
    Column("passage_seq", Seq, ForeignKey("passage.seq", ondelete="CASCADE"), primary_key=True),
    of_file(),
    Column("n", Integer, nullable=False),
    Column("first_line", BigInteger, nullable=False),
    Column("last_line", BigInteger, nullable=False),
    UniqueConstraint("file_id", "n"),
)

agent_folder = Table(
    "agent_folder",
    metadata,
    of_agent(primary=True),
    attached("folder"),
    owned(),
    Column("position", Integer, nullable=False),
    Index("ix_agent_folder_folder_id", "folder_id"),
)

agent_file = Table(
    "agent_file",
    metadata,
    of_agent(primary=True),
    of_file(primary=True),
    owned(),
    Column("id", String(64), nullable=False, unique=True),
    Column("is_open", Boolean, nullable=False),
    Column("first_line", BigInteger),
    Column("last_line", BigInteger),
    Column("accessed_at", Moment, nullable=False),
    Index("ix_agent_file_file_id", "file_id"),
    Index("ix_agent_file_open", "agent_id", "accessed_at", **where("is_open")),
)
"""What an agent sees of a file; no lines: from its beginning."""
