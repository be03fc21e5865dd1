"""The tables. Column names are the fields of the nouns in `core`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine, UserDefinedType

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exact."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(0, 0, micros)


class Moment(TypeDecorator[datetime]):
    """An aware datetime as microseconds since 1970 UTC.

    Integers compare, sort and index alike in SQLite and Postgres, and go into the index's arrays
    as they are.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


def to_vector(value: str | bytes) -> NDArray[np.float32]:
    """float32[d] of what the driver gave: pgvector's text, or SQLite's blob."""
    if isinstance(value, str):
        return np.array(value[1:-1].split(","), dtype=np.float32)
    return np.frombuffer(value, dtype="<f4")


class PgVector(UserDefinedType[str]):
    """pgvector's `vector`, its dimension left open: archives may have different models."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "vector"


class Vector(TypeDecorator[NDArray[np.float32]]):
    """float32[d]: a blob in SQLite, pgvector's `vector` in Postgres."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        own = PgVector() if dialect.name == "postgresql" else LargeBinary()
        return dialect.type_descriptor(own)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        array = np.ascontiguousarray(value, dtype="<f4")
        if dialect.name == "postgresql":
            return "[" + ",".join(map(repr, array.tolist())) + "]"
        return array.tobytes()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else to_vector(value)


class Blob(TypeDecorator[bytes]):
    """Bytes, as `bytes` from every driver."""

    impl = LargeBinary
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:
        return None if value is None else bytes(value)


class Document(TypeDecorator[Any]):
    """JSON: text in SQLite, `jsonb` in Postgres."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON())
        from sqlalchemy.dialects.postgresql import JSONB  # 40 ms that SQLite's users needn't wait

        return dialect.type_descriptor(JSONB())


Seq = BigInteger().with_variant(Integer(), "sqlite")
"""Ascending row numbers; SQLite hands them out for INTEGER primary keys only."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def owned() -> Column[str]:
    """The organization a row belongs to: on every table, in every query."""
    return Column("organization_id", String(64), ForeignKey("organization.id"), nullable=False)


organization = Table(
    "organization",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("deleted_at", Moment),
)
"""`deleted_at`: from then on nobody finds it, and what belongs to it goes in the background."""

user = Table(
    "user",
    metadata,
    Column("id", String(64), primary_key=True),
    owned(),
    Column("name", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
    UniqueConstraint("organization_id", "name"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", String(64), primary_key=True),
    owned(),
    Column("user_id", String(64), ForeignKey("user.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("scope", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
)

archive = Table(
    "archive",
    metadata,
    Column("id", String(64), primary_key=True),
    owned(),
    Column("owner", Text, nullable=False, default=""),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("embedding_model", Text),
    Column("dimension", Integer),
    Column("version", BigInteger, nullable=False, default=0),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("organization_id", "owner", "name"),
)

passage = Table(
    "passage",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("archive_id", String(64), ForeignKey("archive.id"), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("language", String(35), nullable=False),
    Column("tags", Document, nullable=False),
    Column("metadata", Document, nullable=False),
    Column("at", Moment, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("speaker", Text),
    Column("conversation", Text),
    Column("message", Text),
    Column("context_id", String(64)),
    Column("valid_from", Moment, nullable=False),
    Column("valid_to", Moment),
    Column("superseded_by", String(64)),
    Column("skill_id", String(64)),
    Column("forgotten_at", Moment),
    Column("fingerprint", Blob, nullable=False),
    Column("terms", Blob, nullable=False),
    Index("ix_passage_archive_id_version", "archive_id", "version"),
    Index("ix_passage_archive_id_conversation_seq", "archive_id", "conversation", "seq"),
    Index("ix_passage_archive_id_fingerprint", "archive_id", "fingerprint"),
    Index("ix_passage_context_id", "context_id"),
    Index("ix_passage_superseded_by", "superseded_by"),
    sqlite_autoincrement=True,
)
"""`fingerprint` recognises an exact repetition; `terms` are its packed lexical tokens."""

embedding = Table(
    "embedding",
    metadata,
    Column("passage_seq", Seq, ForeignKey("passage.seq", ondelete="CASCADE"), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("vector", Vector, nullable=False),
    Column("context_vector", Vector),
)
"""`context_vector`: the turn before and the text together; NULL where there is none."""

erased = Table(
    "erased",
    metadata,
    Column("archive_id", String(64), ForeignKey("archive.id"), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("passage_seq", BigInteger, primary_key=True),
)
"""Row numbers of deleted passages, so that indexes in other processes drop them too."""

change = Table(
    "change",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("archive_id", String(64), ForeignKey("archive.id"), nullable=False),
    Column("action", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", String(64), nullable=False),
    Column("reason", Text),
    Column("undone_by", String(64)),
    sqlite_autoincrement=True,
)

change_item = Table(
    "change_item",
    metadata,
    Column("change_seq", Seq, ForeignKey("change.seq", ondelete="CASCADE"), primary_key=True),
    Column("passage_seq", Seq, ForeignKey("passage.seq", ondelete="CASCADE"), primary_key=True),
    Column("before", Document, nullable=False),
    Column("after", Document, nullable=False),
    Index("ix_change_item_passage_seq", "passage_seq"),
)
"""The changed fields of one passage, as they were and as they became."""

sighting = Table(
    "sighting",
    metadata,
    Column("id", String(64), primary_key=True),
    owned(),
    Column("passage_seq", Seq, ForeignKey("passage.seq", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("speaker", Text),
    Column("conversation", Text),
    Column("message", Text),
    Index("ix_sighting_passage_seq", "passage_seq"),
)

shown = Table(
    "shown",
    metadata,
    Column("passage_seq", Seq, ForeignKey("passage.seq", ondelete="CASCADE"), primary_key=True),
    Column("archive_id", String(64), ForeignKey("archive.id"), nullable=False),
    Column("conversation", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Index("ix_shown_archive_id_at", "archive_id", "at"),
)
"""Passages that a search put into a context, for the echo guard."""

request = Table(
    "request",
    metadata,
    Column("organization_id", String(64), ForeignKey("organization.id"), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("passages", Document, nullable=False),
)
"""Requests that came with an idempotency key: what they asked (hashed), and what they stored."""

job = Table(
    "job",
    metadata,
    Column("organization_id", String(64), ForeignKey("organization.id"), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("archive_id", String(64), ForeignKey("archive.id"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),
)
"""How far a resumable piece of work has come (an import): written with what it stores."""
