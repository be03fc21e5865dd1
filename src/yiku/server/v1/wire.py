"""The forms of the Letta v1 wire; none of our nouns is imported here.

Names, defaults and optional fields are those of `letta-client`. Requests are checked here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from yiku.server.storable import demand_json, demand_text

BlockLimit = Field(default=100_000, ge=1, le=10_000_000, description="Characters of the value.")


Count = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)]


OF_ROWS = ("agent", "block", "identity", "tool", "folder", "source", "message", "run")
LOOKED_UP = frozenset(
    {"after", "before", "agent_id", "archive_id", "conversation_id", "message_id", "run_id"}
    | {"manager_agent_id", "shared_block_ids"}
    | {f"{noun}_ids" for noun in OF_ROWS}
)
"""Fields that hold ids: one that can't be anybody's is not found, like any other."""


class In(BaseModel):
    """A request: what v1 doesn't know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def can_be_kept(cls, value: Any, info: ValidationInfo) -> Any:
        """JSON can carry what no database takes, or what couldn't be answered again."""
        if isinstance(value, dict):
            demand_json(cast("Any", value))
        elif info.field_name not in LOOKED_UP:
            texts = cast("list[Any]", value) if isinstance(value, list) else [value]
            for text in texts:
                if isinstance(text, str) and not text.isprintable():
                    demand_text(text)
        return cast("Any", value)


class Out(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def of(cls, **values: Any) -> Self:
        """What we made ourselves, every field of it, unchecked. It is `model_construct` in a tenth
        of the time, which lists of a thousand agents need: no field is asked for its aliases."""
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", values)
        object.__setattr__(made, "__pydantic_fields_set__", values.keys())
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made


class HealthOut(Out):
    version: str
    status: str


class Problem(Out):
    """What is wrong with one field of a request."""

    model_config = ConfigDict(extra="allow", frozen=True)

    loc: list[str | int] = Field(description="Where: `body`, `query` or `path`, then the field.")
    msg: str
    type: str


class ErrorOut(Out):
    """Every error has this form; problems with fields (422) are listed."""

    detail: str | list[Problem] = Field(description="What is wrong, and what would be right.")
    error: str = Field(description="The error's name.")
    run_id: str | None = Field(default=None, description="The run it is about, where it is of one.")
    resource: str | None = Field(default=None, description="Of 429: what there is a limit of;")
    limit: int | None = Field(default=None, description="how much;")
    used: int | None = Field(default=None, description="how much of it is used;")
    resets_at: str | None = Field(default=None, description="and when it begins anew.")


SaidOfIt = Field(
    default=None,
    exclude=True,
    description="Without effect: what was answered of a block may be sent as a new one.",
)


class BlockIn(In):
    """A block to create."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"label": "human", "value": "用户喜欢编程和AI技术"}]},
    )

    label: str
    value: str
    limit: int = BlockLimit
    description: str | None = None
    read_only: bool = False
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
    is_template: bool = False
    template_name: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    entity_id: str | None = None
    project_id: str | None = None
    preserve_on_migration: bool | None = None
    hidden: bool | None = None
    id: str | None = SaidOfIt
    created_by_id: str | None = SaidOfIt
    last_updated_by_id: str | None = SaidOfIt


class BlockPatch(In):
    """Fields to change; what is left out, or null, stays."""

    label: str | None = None
    value: str | None = None
    limit: int | None = Field(default=None, ge=1, le=10_000_000)
    description: str | None = None
    read_only: bool | None = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
    is_template: bool | None = None
    template_name: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    entity_id: str | None = None
    project_id: str | None = None
    preserve_on_migration: bool | None = None
    hidden: bool | None = None


class BlockOut(Out):
    id: str
    value: str
    label: str
    limit: int
    description: str | None
    read_only: bool
    tags: list[str]
    metadata: dict[str, Any]
    is_template: bool
    template_name: str | None
    template_id: str | None
    base_template_id: str | None
    deployment_id: str | None
    entity_id: str | None
    project_id: str | None
    preserve_on_migration: bool
    hidden: bool | None
    created_by_id: str
    last_updated_by_id: str


class Cursors(In):
    """Which part of a listing: cursors are ids."""

    limit: int = Field(default=50, ge=1, le=10_000)
    after: str | None = Field(default=None, description="Only what comes after this one.")
    before: str | None = Field(default=None, description="Only what comes before this one.")


class Page(Cursors):
    order: Literal["asc", "desc"] = Field(default="asc", description="asc: the oldest first.")
    order_by: Literal["created_at"] = "created_at"


class NewestFirst(Page):
    """A part of a listing that begins with the newest, unless asked otherwise."""

    order: Literal["asc", "desc"] = Field(default="desc", description="desc: the newest first.")


class BlockQuery(Page):
    """Which blocks are listed."""

    label: str | None = None
    name: str | None = Field(default=None, description="The `template_name`.")
    project_id: str | None = None
    templates_only: bool = False
    tags: list[str] | None = Field(default=None, description="Any of these.")
    match_all_tags: bool = Field(default=False, description="All of the tags.")
    label_search: str | None = Field(default=None, description="Part of the label.")
    value_search: str | None = Field(default=None, description="Part of the value.")
    description_search: str | None = Field(default=None, description="Part of the description.")
    identity_id: str | None = None
    identifier_keys: list[str] | None = None
    connected_to_agents_count_eq: list[Count] | None = None
    connected_to_agents_count_gt: Count | None = None
    connected_to_agents_count_lt: Count | None = None
