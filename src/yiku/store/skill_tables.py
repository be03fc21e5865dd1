"""The tables of memory skills and of the outbox. Column names are the fields of the nouns in
`core.skill`; `memory_skill` and `memory_skill_changelog` are the specification's."""

from sqlalchemy import (
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
    text,
)

from yiku.store.tables import Document, Moment, Seq, metadata, owned

ACTIVE = text("status = 'active'")
CANARY = text("status = 'canary'")


def of_passage(*, primary: bool = False, nullable: bool = False) -> Column[int]:
    """Goes when the passage is deleted for good."""
    passage = ForeignKey("passage.seq", ondelete="CASCADE")
    return Column("passage_seq", Seq, passage, primary_key=primary, nullable=nullable)


memory_skill = Table(
    "memory_skill",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("name", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("skill_type", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("description", Document, nullable=False),
    Column("intent_keywords", Document, nullable=False),
    Column("prompt_template", Text, nullable=False),
    Column("is_base", Boolean, nullable=False),
    Column("positive_count", Integer, nullable=False),
    Column("negative_count", Integer, nullable=False),
    Column("parent_id", String(64)),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    UniqueConstraint("organization_id", "name", "version"),
    Index(
        "uq_memory_skill_active",
        "organization_id",
        "name",
        unique=True,
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
    ),
    Index(
        "uq_memory_skill_canary",
        "organization_id",
        "name",
        unique=True,
        sqlite_where=CANARY,
        postgresql_where=CANARY,
    ),
    sqlite_autoincrement=True,
)
"""A row a version; `name` is unique among those that are active."""

memory_skill_changelog = Table(
    "memory_skill_changelog",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("skill_id", String(64), ForeignKey("memory_skill.id"), nullable=False),
    Column("old_skill_id", String(64), ForeignKey("memory_skill.id")),
    Column("name", String(64), nullable=False),
    Column("old_prompt", Text, nullable=False),
    Column("new_prompt", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("report", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("decided_at", Moment),
    Column("decided_by", String(64)),
    Index("ix_memory_skill_changelog_organization_id_seq", "organization_id", "seq"),
    Index("ix_memory_skill_changelog_skill_id", "skill_id"),
    sqlite_autoincrement=True,
)

memory_encoding = Table(
    "memory_encoding",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("archive_id", String(64), ForeignKey("archive.id", ondelete="CASCADE"), nullable=False),
    Column("skill_id", String(64), ForeignKey("memory_skill.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("content", Text, nullable=False),
    Column("language", String(35), nullable=False),
    Column("raw_id", String(64)),
    Column("agent_id", String(64)),
    Column("run_id", String(64)),
    Column("message_id", String(64)),
    Column("tries", Integer, nullable=False),
    Column("problem", Text),
    Column("operations", Document, nullable=False),
    Column("model", Text),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("encoded_at", Moment),
    Index("ix_memory_encoding_organization_id_status_seq", "organization_id", "status", "seq"),
    Index("ix_memory_encoding_skill_id_seq", "skill_id", "seq"),
    Index("ix_memory_encoding_archive_id", "archive_id"),
    sqlite_autoincrement=True,
)

memory_encoding_item = Table(
    "memory_encoding_item",
    metadata,
    Column(
        "encoding_seq",
        Seq,
        ForeignKey("memory_encoding.seq", ondelete="CASCADE"),
        primary_key=True,
    ),
    of_passage(primary=True),
    Column("op", String(16), nullable=False),
    Column("change_id", String(64)),
    Index("ix_memory_encoding_item_passage_seq", "passage_seq"),
)
"""Which passages an encoding touched. `op`: `raw`, `add`, `supersede` (what was written),
`superseded`, `delete` (what it was written instead of, or was forgotten); `change_id`: the entry of
the passage's history, where it is a change."""

memory_lookup = Table(
    "memory_lookup",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("skill_id", String(64), ForeignKey("memory_skill.id"), nullable=False),
    Column("query", Text, nullable=False),
    Column("refined", Document, nullable=False),
    Column("agent_id", String(64)),
    Column("run_id", String(64)),
    Column("call_id", String(255)),
    Column("created_at", Moment, nullable=False),
    Column("judged_at", Moment),
    Index("ix_memory_lookup_run_id", "run_id"),
    Index("ix_memory_lookup_skill_id_seq", "skill_id", "seq"),
    sqlite_autoincrement=True,
)

memory_lookup_item = Table(
    "memory_lookup_item",
    metadata,
    Column(
        "lookup_seq", Seq, ForeignKey("memory_lookup.seq", ondelete="CASCADE"), primary_key=True
    ),
    of_passage(primary=True),
    Column("place", Integer, nullable=False),
    Index("ix_memory_lookup_item_passage_seq", "passage_seq"),
)
"""What was found, best first: `place` from 1."""

memory_feedback = Table(
    "memory_feedback",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    owned(),
    Column("skill_id", String(64), ForeignKey("memory_skill.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    of_passage(nullable=True),
    Column("encoding_id", String(64)),
    Column("lookup_id", String(64)),
    Column("query", Text),
    Column("evidence", Document, nullable=False),
    Column("key", String(255), nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("organization_id", "key"),
    Index("ix_memory_feedback_skill_id_seq", "skill_id", "seq"),
    Index("ix_memory_feedback_passage_seq", "passage_seq"),
    Index("ix_memory_feedback_encoding_id", "encoding_id"),
    Index("ix_memory_feedback_lookup_id", "lookup_id"),
    sqlite_autoincrement=True,
)

memory_trial = Table(
    "memory_trial",
    metadata,
    Column(
        "changelog_id",
        String(64),
        ForeignKey("memory_skill_changelog.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("n", Integer, primary_key=True),
    Column("encoding_seq", Seq, ForeignKey("memory_encoding.seq", ondelete="CASCADE")),
    Column("lookup_seq", Seq, ForeignKey("memory_lookup.seq", ondelete="CASCADE")),
    Column("failed_before", Boolean, nullable=False),
    Column("old", Document, nullable=False),
    Column("new", Document, nullable=False),
    Column("old_score", Float, nullable=False),
    Column("new_score", Float, nullable=False),
    Index("ix_memory_trial_encoding_seq", "encoding_seq"),
    Index("ix_memory_trial_lookup_seq", "lookup_seq"),
)
"""The pairs of a canary's trial; one goes with the input it was made of."""

skill_event = Table(
    "skill_event",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    owned(),
    Column("kind", String(32), nullable=False),
    Column("facts", Document, nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_skill_event_organization_id_seq", "organization_id", "seq"),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    owned(),
    Column("kind", String(32), nullable=False),
    Column("key", String(255), nullable=False),
    Column("payload", Document, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("holder", Text),
    Column("held_until", Moment),
    Column("problem", Text),
    UniqueConstraint("organization_id", "kind", "key"),
    Index("ix_outbox_due_at", "due_at"),
)
"""What must follow a commit. A job whose `turn` has grown while it was carried out stays."""
