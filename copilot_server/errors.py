"""Every error a user can meet, as one tree.

Each error says what went wrong and, where there is one, the remedy. The command line prints both and
exits with ``exit_code``; the language server shows both and goes on serving.
"""

from __future__ import annotations


class CopilotServerError(Exception):
    """The root of the tree: a message for people, a remedy and a process exit code."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class ConfigError(CopilotServerError):
    """A flag, a setting or a settings file is wrong."""

    exit_code = 2


class ModelError(CopilotServerError):
    """Something about a model: naming it, fetching it or reading it."""

    exit_code = 3


class UnknownModelError(ModelError):
    """No manifest, folder or file has this name."""


class ModelNotCachedError(ModelError):
    """The model is known but not on this machine, and must not be fetched now."""


class ConsentError(ModelError):
    """The model would have to be fetched, and the user has not agreed to that.

    ``question``: what to ask the user.
    """

    def __init__(self, message: str, *, remedy: str = "", question: str) -> None:
        super().__init__(message, remedy=remedy)
        self.question = question


class FetchCancelledError(ModelError):
    """The user has ended a pull. What has arrived is kept, and the next one continues from there."""


class DownloadError(ModelError):
    """No source provided the model."""


class HashMismatchError(ModelError):
    """A file's bytes do not have the hash that its manifest names."""


class DiskSpaceError(ModelError):
    """The disk has too little space for the file."""


class EngineError(CopilotServerError):
    """The engine could not start or could not finish a generation."""

    exit_code = 4


class DeviceError(EngineError):
    """The device or dtype that the settings name is not available on this machine."""


class EngineUnavailableError(EngineError):
    """A remote engine cannot be used now, but may be available again soon."""


class EngineChangedError(EngineError):
    """A remote engine serves another model than before, whose prompts differ."""


class PromptTooLongError(EngineError):
    """A prompt and its completion do not fit the model's context window."""


class SandboxUnavailableError(CopilotServerError):
    """No sandbox works on this machine, so nothing the model wrote may run."""

    exit_code = 5


class DataError(CopilotServerError):
    """A problem set is missing or damaged."""

    exit_code = 6


class StatisticsError(CopilotServerError):
    """The statistics of suggestions cannot be read or written."""

    exit_code = 7


class NewerDatabaseError(StatisticsError):
    """A later version of this program has written the statistics, in a schema unknown to this one."""
