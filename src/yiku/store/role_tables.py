"""The tables of role memory. Column names are the fields of the nouns in `core.role`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from yiku.store.tables import Blob, Document, Moment, Seq, metadata, owned


def of_archive(*, primary: bool = False) -> Column[str]:
    """The archive a row belongs to, and goes with."""
    return Column(
        "archive_id",
        String(64),
        ForeignKey("archive.id", ondelete="CASCADE"),
        primary_key=primary,
        nullable=False,
    )


def of_role() -> Column[str]:
    """The role a row belongs to, and goes with; the first part of the primary key."""
    return Column(
        "role_key", String(64), ForeignKey("role.key", ondelete="CASCADE"), primary_key=True
    )


def of_passage(*, primary: bool = False, nullable: bool = False) -> Column[int]:
    """The passage a row is about, and goes with: nothing stays of what is deleted."""
    return Column(
        "passage_seq",
        Seq,
        ForeignKey("passage.seq", ondelete="CASCADE"),
        primary_key=primary,
        nullable=nullable,
    )


role_set = Table(
    "role_set",
    metadata,
    of_archive(primary=True),
    owned(),
    Column("version", BigInteger, nullable=False),
    Column("roles_version", BigInteger, nullable=False),
)
"""Counts the changes of an archive's roles and of what is in them; `roles_version` is the count at
the last change of the roles themselves. Each process knows by it whether it is up to date."""

role = Table(
    "role",
    metadata,
    Column("key", String(64), primary_key=True),
    owned(),
    of_archive(),
    Column("role_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("config", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("gated", BigInteger, nullable=False, default=0),
    Column("considered", BigInteger, nullable=False, default=0),
    Column("last_gated", Moment),
    UniqueConstraint("archive_id", "role_id"),
)
"""`gated` of `considered`: how many gatings chose the role, of those it was compared in."""

role_version = Table(
    "role_version",
    metadata,
    of_role(),
    Column("version", Integer, primary_key=True),
    Column("config", Document, nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", String(64), nullable=False),
    Column("reason", Text),
)

role_embedding = Table(
    "role_embedding",
    metadata,
    of_role(),
    Column("model", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("vectors", Blob, nullable=False),
)
"""Vectors of the role's phrases, float32 (n, d), of its configuration `version`."""

role_passage = Table(
    "role_passage",
    metadata,
    of_role(),
    of_passage(primary=True),
    of_archive(),
    Column("score", Float, nullable=False),
    Column("why", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_role_passage_passage_seq", "passage_seq"),
)
"""Which memories a role has. A memory of no role is in the general memory."""

role_move = Table(
    "role_move",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    owned(),
    of_archive(),
    Column("version", BigInteger, nullable=False),
    Column("role_key", String(64), nullable=False),
    Column("role_id", String(64), nullable=False),
    of_passage(),
    Column("joined", Boolean, nullable=False),
    Column("score", Float, nullable=False),
    Column("why", String(16), nullable=False),
    Column("detail", Text),
    Column("job", String(64)),
    Column("at", Moment, nullable=False),
    Column("by", String(64), nullable=False),
    Index("ix_role_move_archive_id_version", "archive_id", "version"),
    Index("ix_role_move_passage_seq", "passage_seq"),
    sqlite_autoincrement=True,
)
"""Every coming and going: a passage's history, and what other processes catch up by. It outlives
its role. `job`: the rerouting it was part of."""

role_job = Table(
    "role_job",
    metadata,
    Column("id", String(64), primary_key=True),
    owned(),
    of_archive(),
    Column("position", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("roles", Document, nullable=False),
    Column("at", Moment, nullable=False),
)
"""Reroutings: how far each has come."""

decision = Table(
    "decision",
    metadata,
    Column("id", String(64), primary_key=True),
    owned(),
    of_archive(),
    Column("kind", String(8), nullable=False),
    of_passage(nullable=True),
    Column("conversation", Text),
    Column("at", Moment, nullable=False),
    Column("detail", Document, nullable=False),
    Index("ix_decision_archive_id_kind_at", "archive_id", "kind", "at"),
    Index("ix_decision_passage_seq", "passage_seq"),
)
"""Why roles were chosen, for whoever asks later; the text it was about isn't repeated here."""
