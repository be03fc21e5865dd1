"""It could be done, but not now."""

from yiku.core.faults.base import YikuError


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


class FolderExists(Conflict):
    """A folder with this name is there already."""


class FileExists(Conflict):
    """The folder has a file with this name already."""


class IdentityExists(Conflict):
    """An identity with this key is there already."""


class McpServerExists(Conflict):
    """An MCP server with this name is there already."""


class AgentTemplateExists(Conflict):
    """An agent template with this name is there already."""


class ProjectExists(Conflict):
    """A project with this name is there already."""


class UserExists(Conflict):
    """A user with this name is there already."""


class OrganizationExists(Conflict):
    """An organization with this name is there already."""


class ApprovalPending(Conflict):
    """The agent waits for an answer to calls it made."""


class NothingToApprove(Conflict):
    """The agent waits for no such answer."""
