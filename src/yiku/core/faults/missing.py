"""What was asked for isn't there."""

from yiku.core.faults.base import YikuError


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


class FolderNotFound(NotFound):
    """There is no such folder."""


class FileNotFound(NotFound):
    """There is no such file."""


class ConversationNotFound(NotFound):
    """There is no such conversation."""


class IdentityNotFound(NotFound):
    """There is no such identity."""


class GroupNotFound(NotFound):
    """There is no such group of agents."""


class ScheduleNotFound(NotFound):
    """There is no such schedule."""


class BatchNotFound(NotFound):
    """There is no such batch."""


class McpServerNotFound(NotFound):
    """There is no such MCP server."""


class AgentTemplateNotFound(NotFound):
    """There is no such agent template."""


class ProjectNotFound(NotFound):
    """There is no such project."""


class UserNotFound(NotFound):
    """There is no such user."""


class OrganizationNotFound(NotFound):
    """There is no such organization."""


class KeyNotFound(NotFound):
    """There is no such API key."""
