"""Who asks may not, or something that was needed failed."""

from yiku.core.faults.base import YikuError


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


class SecretUnreadable(YikuError):
    """A secret in the database can't be decrypted with this server's key."""


class SandboxUnavailable(YikuError):
    """A tool's code can't be run on this machine as it is set up."""


class McpUnavailable(YikuError):
    """The MCP server doesn't answer."""


class CallbackFailed(YikuError):
    """Who asked to be called back didn't take the call."""


class QuotaExceeded(YikuError):
    """The organization has used what it may."""


class ServerEnding(YikuError):
    """This server ends, and begins nothing any more: ask again, of another one or when it is back.

    Nothing of what was asked has been stored.
    """


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
