"""What goes over the wire about memory skills; the core checks values, and says what is allowed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from yiku.core.skill import SkillType
from yiku.server.wire import HitOut, Home, Metadata, Out, PassageOut, SoughtIn, Wire
from yiku.server.wire_roles import example

Kind = Literal["encoding", "retrieval"]
Status = Literal["active", "canary", "deprecated"]
Decision = Literal["canary", "approved", "rejected"]
Judgement = Literal["used", "cited", "forgotten", "corrected", "contradicted", "missed"]
Reason = Field(default="", max_length=2000, description="Why; kept in the changelog.")


class SkillIn(Wire):
    """A skill to add: its fields, or its Markdown file as a text."""

    model_config = example(
        name="travel_plans",
        skill_type="encoding",
        description={"en": "Keeps travel plans.", "zh": "记录出行计划。"},
        intent_keywords=["flight", "hotel", "机票", "酒店"],
        prompt_template="Write each travel plan in the text as one sentence, with its date"
        " ({{ now }} is now):\n{{ content }}",
    )

    file: str | None = Field(
        default=None,
        description="The text of a skill's file: front matter, then the template. In place of all"
        " the other fields.",
    )
    name: str | None = Field(default=None, description="Small letters, digits and `_`; unique.")
    skill_type: SkillType | None = None
    description: str | dict[str, str] | None = Field(
        default=None, description="For people: a text, or one for each language (`en`, `zh`)."
    )
    intent_keywords: list[str] = Field(
        default=[], description="Words of texts and queries that it is for, in any language."
    )
    prompt_template: str | None = Field(
        default=None,
        description="Jinja2. Encoding: `content`, `known`, `language`, `now`; retrieval: `query`,"
        " `language`, `now`.",
    )


class SkillEditIn(Wire):
    """What changes of a skill; what is left out stays."""

    model_config = example(
        intent_keywords=["flight", "train", "机票"], reason="train tickets went to another skill"
    )

    file: str | None = Field(
        default=None, description="The text of its file, in place of the other fields."
    )
    description: str | dict[str, str] | None = None
    intent_keywords: list[str] | None = None
    prompt_template: str | None = None
    reason: str = Reason


class SkillReasonIn(Wire):
    reason: str = Reason


class SkillOut(Out):
    """One version of a skill."""

    id: str
    name: str
    version: int = Field(description="Counts the versions of a name, from 1.")
    skill_type: Kind
    status: Status
    description: dict[str, str] = Field(description="By language.")
    intent_keywords: list[str]
    prompt_template: str
    is_base: bool = Field(description="From a file; else by the Designer, or over the API.")
    positive_count: int
    negative_count: int
    negative_rate: float = Field(description="Of all judgements, 0..1; 0 where there are none.")
    parent_id: str | None = Field(description="The version it was made from.")
    created_at: datetime
    created_by: str


class SkillsOut(Out):
    skills: list[SkillOut] = Field(description="By name and version.")
    problems: list[str] = Field(description="Files of the server's folder that can't be used.")


class SkillChangeOut(Out):
    """A change of a skill's prompt: proposed, decided, why and by whom."""

    id: str
    name: str
    skill_id: str = Field(description="The version with the new prompt.")
    old_skill_id: str | None = Field(description="The one it replaces; null: the first.")
    old_prompt: str
    new_prompt: str
    reason: str = Field(description="The Designer's report; or why it was edited or rolled back.")
    status: Decision = Field(description="`canary`: it waits for an administrator.")
    report: dict[str, Any] = Field(
        description="What the canary's trial showed: `verdict`, `pairs`, `wins`, `losses`, `mean`,"
        " `low`, `high`, `p_better`, `p_worse`, `held_out` … Empty where there was none."
    )
    created_at: datetime
    created_by: str
    decided_at: datetime | None
    decided_by: str | None


class SkillShownOut(Out):
    """A skill with all its versions."""

    name: str
    active: SkillOut | None
    versions: list[SkillOut] = Field(description="The newest first.")
    waiting: SkillChangeOut | None = Field(description="Of its canary, which is to be decided on.")


class SkillChangesOut(Out):
    changes: list[SkillChangeOut] = Field(description="The newest first.")
    next: str | None = Field(default=None, description="`before` of the next page.")


class SkillPairOut(Out):
    """One original input of a canary's trial, and what the old and the new prompt made of it."""

    encoding_id: str | None
    lookup_id: str | None
    original: str | None = Field(description="The text or query that both were given.")
    failed_before: bool = Field(description="It stands for a failure; else for a success.")
    old: dict[str, Any] = Field(description="Operations or queries, the checks, the probes.")
    new: dict[str, Any]
    old_score: float = Field(description="0..1.")
    new_score: float


class SkillChangeWholeOut(SkillChangeOut):
    """A change with all that is known of it."""

    diff: str = Field(description="Of the prompts, in the unified form.")
    pairs: list[SkillPairOut] = Field(
        description="Of the canary's trial; those whose input has been deleted for good are gone."
    )


class SkillPreviewOut(Out):
    """What approving a change would do."""

    change: SkillChangeWholeOut
    old: SkillOut | None = Field(description="The version that would be deprecated.")
    new: SkillOut = Field(description="The version that would be active.")
    obstacle: str | None = Field(description="Why it can't be approved; null: it can.")


class SkillDecidedOut(Out):
    change: SkillChangeOut
    active: SkillOut | None = Field(description="What takes part in production from now on.")
    other: SkillOut = Field(description="What doesn't: deprecated, with its counts.")


class SkillCountsOut(Out):
    """A version in figures. Its own counts are of all time; those here of what is still there."""

    skill: SkillOut
    feedback: dict[str, int] = Field(description="Judgements by kind.")
    encodings: dict[str, int] = Field(
        description="Texts by what became of them: `pending`, `encoded`, `kept`, `reverted`."
    )


class SkillJobOut(Out):
    """What is to be done in the background."""

    kind: str = Field(description="`encode`, `judge`, `compact`, `evolve` …")
    key: str = Field(description="What it is about.")
    tries: int
    due_at: datetime
    problem: str | None = Field(description="Why its last try failed.")


class SkillStatsOut(Out):
    versions: list[SkillCountsOut] = Field(description="By name and version.")
    jobs: list[SkillJobOut] = Field(description="What waits, the one that is due first comes first")
    problems: list[str] = Field(description="Files of the server's folder that can't be used.")


class SkillFeedbackOut(Out):
    """One judgement, with what shows it."""

    id: str
    skill_id: str
    kind: Judgement
    positive: bool
    passage_id: str | None
    memory: str | None = Field(description="The memory's text, as it is now.")
    encoding_id: str | None
    original: str | None = Field(description="The text that the memory was made of.")
    lookup_id: str | None
    query: str | None = Field(description="What was asked when it was found, or wasn't.")
    evidence: dict[str, Any]
    created_at: datetime


class SkillFeedbacksOut(Out):
    skill: SkillOut
    feedback: list[SkillFeedbackOut] = Field(description="The newest first.")
    next: str | None = Field(default=None, description="`before` of the next page.")


class EvolveIn(Wire):
    """A cycle of the Designer."""

    skill: str | None = Field(default=None, description="This one only; null: the worst of all.")
    background: bool = Field(
        default=False, description="Don't wait for it: it is answered with 202, and runs as a job."
    )


class SkillExaminedOut(Out):
    name: str
    skill_id: str
    version: int
    positive_count: int
    negative_count: int
    why_not: str | None = Field(description="Why it is left as it is; null: it is to be mended.")


class SkillTryOut(Out):
    refused: str | None = Field(description="Why the proposed prompt isn't the one; null: it is.")
    verdict: str | None = Field(description="Of its trial; null: it never came to one.")


class EvolutionOut(Out):
    """What one cycle did. Nothing of it takes part in production before somebody approves it."""

    examined: list[SkillExaminedOut]
    skill: SkillOut | None = Field(description="The one it worked on.")
    tries: list[SkillTryOut]
    change: SkillChangeOut | None = Field(
        description="A canary, or a change that was rejected because its trial says worse."
    )
    proposed: SkillOut | None
    problem: str | None = Field(description="Why nothing was proposed.")
    prompt_tokens: int = Field(description="Of the Designer's calls; `change.report` has a trial's")
    completion_tokens: int


class EvolveAskedOut(Out):
    """The cycle will run in the background; an event tells of its end."""

    kind: str
    key: str = Field(description="The skill's name; `*`: all.")


class RevertIn(Wire):
    """How what a version wrote is taken back."""

    mode: Literal["restore", "encode"] = Field(
        default="restore",
        description="`restore`: the originals stand as they came; `encode`: the active version"
        " encodes them anew.",
    )


class RevertLeftOut(Out):
    encoding_id: str
    why: str


class RevertedOut(Out):
    skill: SkillOut = Field(description="The version.")
    done: int = Field(description="Texts.")
    again: int = Field(description="Of those, to be encoded by the active version.")
    left: list[RevertLeftOut] = Field(description="Texts that stay as they are, and why.")


class EncodePendingIn(Wire):
    limit: int = Field(default=20, ge=1, le=200, description="Texts, the oldest first.")


class EncodePendingOut(Out):
    encoded: int
    kept: int = Field(description="As they came: what was made of them was refused.")
    failed: int
    left: int = Field(description="Pending still, the failed among them; 100: so many, or more.")


class SkillSaveIn(Home):
    """A text to remember, encoded by a skill."""

    model_config = example(user="ann", content="我的邮箱是 test@example.com")

    content: str = Field(description="As it was said.")
    skill: str | None = Field(
        default=None, description="The skill to encode it by; null: its keywords decide."
    )
    tags: list[str] = Field(default=[])


class SkillOperationOut(Out):
    op: Literal["add", "supersede", "delete", "nothing"]
    text: str = Field(description="Of `add` and `supersede`: the memory.")
    target: str | None = Field(description="Which known memory.")


class EncodingOut(Out):
    """A text on its way through a skill."""

    id: str
    skill_id: str
    status: Literal["pending", "encoded", "kept", "reverted"]
    problem: str | None
    operations: list[SkillOperationOut] = Field(description="As they were carried out.")
    model: str | None


class SkillSavedOut(Out):
    outcome: Literal["added", "duplicate", "echo"]
    passage: PassageOut = Field(description="What holds the text as it came.")
    encoding: EncodingOut | None = Field(description="Null: it was known, nothing is encoded.")
    masked: list[str] = Field(description="Kinds of secrets that were taken out of it.")
    may_supersede: list[PassageOut] = Field(
        description="Memories that it may replace; only where no model will compare them."
    )


class SkillQueryIn(SoughtIn):
    """What is looked for, by the skill that fits it."""

    model_config = example(query="我的邮箱", user="ann", limit=5)

    refine: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="Whether a model words it otherwise, too; `auto`: where little is found.",
    )


class SkillFoundOut(Out):
    hits: list[HitOut] = Field(
        description="Best first: `limit` of the query itself, and up to 5 that the skill added."
    )
    skill_id: str
    skill: str = Field(description="The skill's name.")
    why: str = Field(description="How it was chosen: by `keywords`, a `model`, or as the `first`.")
    literals: list[str] = Field(description="What was looked for letter by letter.")
    refined: list[str] = Field(description="What else was asked.")


class SkillForgetIn(Wire):
    """A memory to forget; it counts against the skills that wrote and found it."""

    model_config = example(memory="passage-0190cafe-0000-7000-8000-000000000000", user="ann")

    memory: str = Field(description="A passage's id, or the words of one memory.")
    reason: str | None = Field(default=None, max_length=2000)
    archive_ids: list[str] = Field(default=[], max_length=32)
    user: str = ""
    archives: list[str] = Field(default=[], max_length=32, description="Default: `default`.")


class SkillEventOut(Out):
    """Something happened to a skill."""

    id: int = Field(description="Counts up; `Last-Event-ID` of who comes back.")
    event: str
    facts: Metadata
    at: datetime
