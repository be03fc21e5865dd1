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
│   ├── FolderNotFound
│   ├── FileNotFound
│   ├── ConversationNotFound
│   ├── IdentityNotFound
│   ├── GroupNotFound
│   ├── ScheduleNotFound
│   ├── BatchNotFound
│   ├── McpServerNotFound
│   ├── AgentTemplateNotFound
│   ├── ProjectNotFound
│   ├── UserNotFound
│   ├── OrganizationNotFound
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
│   ├── InvalidSchedule
│   ├── InvalidMcpServer
│   ├── InvalidImport
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
│   ├── FolderExists
│   ├── FileExists
│   ├── IdentityExists
│   ├── McpServerExists
│   ├── AgentTemplateExists
│   ├── ProjectExists
│   ├── UserExists
│   ├── OrganizationExists
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
├── SecretUnreadable
├── SandboxUnavailable
├── McpUnavailable
├── CallbackFailed
├── QuotaExceeded
├── ServerEnding
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

from yiku.core.faults.base import YikuError as YikuError
from yiku.core.faults.conflict import AgentBusy as AgentBusy
from yiku.core.faults.conflict import AgentTemplateExists as AgentTemplateExists
from yiku.core.faults.conflict import AlreadySuperseded as AlreadySuperseded
from yiku.core.faults.conflict import ApprovalPending as ApprovalPending
from yiku.core.faults.conflict import ArchiveExists as ArchiveExists
from yiku.core.faults.conflict import BlockReadOnly as BlockReadOnly
from yiku.core.faults.conflict import Conflict as Conflict
from yiku.core.faults.conflict import EmbeddingModelMismatch as EmbeddingModelMismatch
from yiku.core.faults.conflict import FileExists as FileExists
from yiku.core.faults.conflict import FolderExists as FolderExists
from yiku.core.faults.conflict import IdempotencyConflict as IdempotencyConflict
from yiku.core.faults.conflict import IdentityExists as IdentityExists
from yiku.core.faults.conflict import JobConflict as JobConflict
from yiku.core.faults.conflict import LabelTaken as LabelTaken
from yiku.core.faults.conflict import McpServerExists as McpServerExists
from yiku.core.faults.conflict import NotACanary as NotACanary
from yiku.core.faults.conflict import NothingToApprove as NothingToApprove
from yiku.core.faults.conflict import NothingToRollBack as NothingToRollBack
from yiku.core.faults.conflict import NothingToUndo as NothingToUndo
from yiku.core.faults.conflict import OrganizationExists as OrganizationExists
from yiku.core.faults.conflict import ProjectExists as ProjectExists
from yiku.core.faults.conflict import RoleExists as RoleExists
from yiku.core.faults.conflict import SkillExists as SkillExists
from yiku.core.faults.conflict import StaleAgent as StaleAgent
from yiku.core.faults.conflict import StaleBlock as StaleBlock
from yiku.core.faults.conflict import StalePassage as StalePassage
from yiku.core.faults.conflict import StaleRole as StaleRole
from yiku.core.faults.conflict import ToolExists as ToolExists
from yiku.core.faults.conflict import UndoConflict as UndoConflict
from yiku.core.faults.conflict import UserExists as UserExists
from yiku.core.faults.failed import CallbackFailed as CallbackFailed
from yiku.core.faults.failed import DatabaseBusy as DatabaseBusy
from yiku.core.faults.failed import DatabaseDamaged as DatabaseDamaged
from yiku.core.faults.failed import DatabaseForeign as DatabaseForeign
from yiku.core.faults.failed import DatabaseFull as DatabaseFull
from yiku.core.faults.failed import DatabaseUnreachable as DatabaseUnreachable
from yiku.core.faults.failed import DimensionMismatch as DimensionMismatch
from yiku.core.faults.failed import KeyRefused as KeyRefused
from yiku.core.faults.failed import McpUnavailable as McpUnavailable
from yiku.core.faults.failed import MigrationNeeded as MigrationNeeded
from yiku.core.faults.failed import ModelNotFound as ModelNotFound
from yiku.core.faults.failed import NotAllowed as NotAllowed
from yiku.core.faults.failed import PromptTooLong as PromptTooLong
from yiku.core.faults.failed import ProviderError as ProviderError
from yiku.core.faults.failed import ProviderRefused as ProviderRefused
from yiku.core.faults.failed import ProviderUnavailable as ProviderUnavailable
from yiku.core.faults.failed import QuotaExceeded as QuotaExceeded
from yiku.core.faults.failed import RunFailed as RunFailed
from yiku.core.faults.failed import SandboxUnavailable as SandboxUnavailable
from yiku.core.faults.failed import SecretUnreadable as SecretUnreadable
from yiku.core.faults.failed import ServerEnding as ServerEnding
from yiku.core.faults.failed import StoreError as StoreError
from yiku.core.faults.invalid import BlockTooLong as BlockTooLong
from yiku.core.faults.invalid import EditRefused as EditRefused
from yiku.core.faults.invalid import Invalid as Invalid
from yiku.core.faults.invalid import InvalidFile as InvalidFile
from yiku.core.faults.invalid import InvalidFilter as InvalidFilter
from yiku.core.faults.invalid import InvalidImport as InvalidImport
from yiku.core.faults.invalid import InvalidMcpServer as InvalidMcpServer
from yiku.core.faults.invalid import InvalidSchedule as InvalidSchedule
from yiku.core.faults.invalid import InvalidSkill as InvalidSkill
from yiku.core.faults.invalid import InvalidText as InvalidText
from yiku.core.faults.invalid import InvalidTool as InvalidTool
from yiku.core.faults.invalid import SecretRefused as SecretRefused
from yiku.core.faults.invalid import SettingInvalid as SettingInvalid
from yiku.core.faults.invalid import checked as checked
from yiku.core.faults.invalid import checked_each as checked_each
from yiku.core.faults.missing import AgentNotFound as AgentNotFound
from yiku.core.faults.missing import AgentTemplateNotFound as AgentTemplateNotFound
from yiku.core.faults.missing import ArchiveNotFound as ArchiveNotFound
from yiku.core.faults.missing import BatchNotFound as BatchNotFound
from yiku.core.faults.missing import BlockNotFound as BlockNotFound
from yiku.core.faults.missing import ChangelogNotFound as ChangelogNotFound
from yiku.core.faults.missing import ConversationNotFound as ConversationNotFound
from yiku.core.faults.missing import DecisionNotFound as DecisionNotFound
from yiku.core.faults.missing import FileNotFound as FileNotFound
from yiku.core.faults.missing import FolderNotFound as FolderNotFound
from yiku.core.faults.missing import GroupNotFound as GroupNotFound
from yiku.core.faults.missing import IdentityNotFound as IdentityNotFound
from yiku.core.faults.missing import JobNotFound as JobNotFound
from yiku.core.faults.missing import KeyNotFound as KeyNotFound
from yiku.core.faults.missing import McpServerNotFound as McpServerNotFound
from yiku.core.faults.missing import MessageNotFound as MessageNotFound
from yiku.core.faults.missing import NotFound as NotFound
from yiku.core.faults.missing import OrganizationNotFound as OrganizationNotFound
from yiku.core.faults.missing import PassageNotFound as PassageNotFound
from yiku.core.faults.missing import ProjectNotFound as ProjectNotFound
from yiku.core.faults.missing import RoleNotFound as RoleNotFound
from yiku.core.faults.missing import RunNotFound as RunNotFound
from yiku.core.faults.missing import ScheduleNotFound as ScheduleNotFound
from yiku.core.faults.missing import SkillNotFound as SkillNotFound
from yiku.core.faults.missing import StepNotFound as StepNotFound
from yiku.core.faults.missing import TemplateNotFound as TemplateNotFound
from yiku.core.faults.missing import ToolNotFound as ToolNotFound
from yiku.core.faults.missing import UserNotFound as UserNotFound
