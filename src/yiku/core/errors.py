"""Every error Yiku raises on purpose.

YikuError
├── NotFound
│   ├── ArchiveNotFound
│   ├── PassageNotFound
│   ├── BlockNotFound
│   ├── RoleNotFound
│   ├── TemplateNotFound
│   ├── DecisionNotFound
│   ├── JobNotFound
│   ├── ToolNotFound
│   ├── AgentNotFound
│   ├── MessageNotFound
│   ├── RunNotFound
│   ├── StepNotFound
│   ├── SkillNotFound
│   ├── ChangelogNotFound
│   └── KeyNotFound
├── Invalid                     what was asked can't be done as asked
│   ├── InvalidText
│   ├── InvalidFilter
│   ├── InvalidFile
│   ├── BlockTooLong
│   ├── EditRefused
│   ├── InvalidTool
│   ├── InvalidSkill
│   ├── SecretRefused
│   └── SettingInvalid
├── Conflict                    it could be done, but not now
│   ├── ArchiveExists
│   ├── RoleExists
│   ├── ToolExists
│   ├── StaleRole
│   ├── StalePassage
│   ├── StaleBlock
│   ├── BlockReadOnly
│   ├── AlreadySuperseded
│   ├── NothingToUndo
│   ├── UndoConflict
│   ├── IdempotencyConflict
│   ├── JobConflict
│   ├── EmbeddingModelMismatch
│   ├── AgentBusy
│   ├── LabelTaken
│   ├── StaleAgent
│   ├── SkillExists
│   ├── NotACanary
│   ├── NothingToRollBack
│   ├── ApprovalPending
│   └── NothingToApprove
├── NotAllowed
│   └── KeyRefused
├── StoreError
│   ├── DatabaseBusy
│   ├── DatabaseFull
│   ├── DatabaseDamaged
│   ├── DatabaseForeign
│   ├── DatabaseUnreachable
│   └── MigrationNeeded
├── SandboxUnavailable
├── RunFailed
└── ProviderError
    ├── ProviderUnavailable
    ├── ProviderRefused
    │   └── PromptTooLong
    ├── DimensionMismatch
    └── ModelNotFound

The docstring is the default message. An error carries what it is about as attributes, and no
HTTP status: `server/http.py` owns that table.
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from yiku.core.language import Language

T = TypeVar("T")


class YikuError(Exception):
    """Something went wrong in Yiku."""

    def __init__(
        self, message: str | None = None, *, zh: str | None = None, **facts: object
    ) -> None:
        """`zh`: the message in Chinese, of errors that agents are told."""
        self.facts: dict[str, Any] = facts
        self._zh = zh
        super().__init__(message or inspect.getdoc(type(self)) or type(self).__name__)

    @property
    def message(self) -> str:
        return str(self.args[0])

    def told(self, language: Language) -> str:
        """The message in this language; in English, where it is in no other."""
        return self._zh if language == "zh" and self._zh is not None else self.message


class NotFound(YikuError):
    """There is no such thing here."""


class ArchiveNotFound(NotFound):
    """There is no such archive."""


class PassageNotFound(NotFound):
    """There is no such passage."""


class BlockNotFound(NotFound):
    """There is no such block."""


class RoleNotFound(NotFound):
    """There is no such role."""


class TemplateNotFound(NotFound):
    """There is no such role template."""


class DecisionNotFound(NotFound):
    """There is no such decision."""


class JobNotFound(NotFound):
    """There is no such job."""


class ToolNotFound(NotFound):
    """There is no such tool."""


class AgentNotFound(NotFound):
    """There is no such agent."""


class MessageNotFound(NotFound):
    """There is no such message."""


class RunNotFound(NotFound):
    """There is no such run."""


class StepNotFound(NotFound):
    """There is no such step."""


class SkillNotFound(NotFound):
    """There is no such memory skill."""


class ChangelogNotFound(NotFound):
    """There is no such change of a memory skill."""


class KeyNotFound(NotFound):
    """There is no such API key."""


class Invalid(YikuError):
    """The request can't be carried out as it stands."""


def checked(field: str, test: Callable[[], T]) -> T:
    """What `test` returns. Raises: what `test` raises, with the field it is about."""
    try:
        return test()
    except Invalid as error:
        error.facts["field"] = field
        raise


class InvalidText(Invalid):
    """The text can't be stored."""


class InvalidFilter(Invalid):
    """The filter can't be applied."""


class InvalidFile(Invalid):
    """The file can't be used."""


class BlockTooLong(Invalid):
    """The block's value would be longer than its limit."""


class EditRefused(Invalid):
    """The edit of the block can't be made as it was asked for."""


class InvalidTool(Invalid):
    """The tool can't be made, or called, like this."""


class InvalidSkill(Invalid):
    """The memory skill can't be used as it is written."""


class SecretRefused(Invalid):
    """The text holds a secret, which is never stored."""


class SettingInvalid(Invalid):
    """A setting has a value that can't be used."""


class Conflict(YikuError):
    """The state of the memory doesn't allow it."""


class ArchiveExists(Conflict):
    """There is already an archive of this name."""


class RoleExists(Conflict):
    """There is already a role of this `role_id`."""


class ToolExists(Conflict):
    """There is already a tool of this name."""


class StaleRole(Conflict):
    """The role has changed since it was read."""


class StalePassage(Conflict):
    """The passage has changed since it was read."""


class StaleBlock(Conflict):
    """The block has changed since it was read."""


class BlockReadOnly(Conflict):
    """Agents may read this block and not edit it."""


class AlreadySuperseded(Conflict):
    """Another passage is in its place already."""


class NothingToUndo(Conflict):
    """There is no change to take back."""


class UndoConflict(Conflict):
    """A later change of another passage stands in the way."""


class IdempotencyConflict(Conflict):
    """This idempotency key was used before with another request."""


class JobConflict(Conflict):
    """Another run of this job has gone on meanwhile."""


class EmbeddingModelMismatch(Conflict):
    """The archive's vectors were made by another embedding model."""


class AgentBusy(Conflict):
    """Another run of this agent goes on."""


class LabelTaken(Conflict):
    """The agent has a block of this label."""


class StaleAgent(Conflict):
    """The agent has changed since it was read."""


class SkillExists(Conflict):
    """There is already a memory skill of this name."""


class NotACanary(Conflict):
    """What is to be approved or rejected is no canary, or no longer."""


class NothingToRollBack(Conflict):
    """The memory skill has no earlier version."""


class ApprovalPending(Conflict):
    """The agent waits for an answer to calls it made."""


class NothingToApprove(Conflict):
    """The agent waits for no such answer."""


class NotAllowed(YikuError):
    """The key does not allow this."""


class KeyRefused(NotAllowed):
    """A valid API key is needed: send it as `Authorization: Bearer yk_…`."""


class StoreError(YikuError):
    """The database failed."""


class DatabaseBusy(StoreError):
    """Another process holds the database's write lock."""


class DatabaseFull(StoreError):
    """The disk is full; nothing of this write was stored."""


class DatabaseDamaged(StoreError):
    """The database file is damaged."""


class DatabaseForeign(StoreError):
    """The file is not a Yiku database."""


class DatabaseUnreachable(StoreError):
    """The database can't be reached."""


class MigrationNeeded(StoreError):
    """The database's schema is not the one this version of Yiku works with."""


class SandboxUnavailable(YikuError):
    """A tool's code can't be run on this machine as it is set up."""


class RunFailed(YikuError):
    """The run failed."""


class ProviderError(YikuError):
    """A model provider failed."""


class ProviderUnavailable(ProviderError):
    """The provider did not answer."""


class ProviderRefused(ProviderError):
    """The provider refused the request."""


class PromptTooLong(ProviderRefused):
    """The prompt is longer than the model's context window."""


class DimensionMismatch(ProviderError):
    """The provider's vectors have another dimension than expected."""


class ModelNotFound(ProviderError):
    """The model's files are not on this machine."""
