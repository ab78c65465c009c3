"""Every exception that darktrigger raises on purpose.

The command line prints the message of a :class:`DarktriggerError` and exits with 1;
anything else that escapes is a bug of ours.
"""

from __future__ import annotations

from pathlib import Path


class DarktriggerError(Exception):
    """Base class: the message alone must tell a user what to do."""


class ConfigError(DarktriggerError):
    """A configuration that cannot be used: unknown key, wrong type, contradiction."""


class InputFileError(DarktriggerError):
    """One input file is unusable.

    Parameters
    ----------
    path
        The file, as the user named it.
    cause
        What was found and what was expected, as one sentence without a full stop.
    """

    def __init__(self, path: str | Path, cause: str) -> None:
        super().__init__(f"{path}: {cause}")
        self.path = str(path)
        self.cause = cause

    def __reduce__(self) -> tuple[type[InputFileError], tuple[str, str]]:
        # Worker processes send exceptions home by pickle, which replays __init__.
        return type(self), (self.path, self.cause)


class UnreadableFileError(InputFileError):
    """The file is absent, truncated, or of another format."""


class MissingBranchError(InputFileError):
    """The file lacks branches that the stage needs."""


class EmptyInputError(InputFileError):
    """The file is sound but holds no events."""


class BadValueError(InputFileError):
    """The file holds values that no detector gives: NaN, infinity, out of range."""


class ModelFileError(InputFileError):
    """A trigger model or checkpoint that does not keep its contract."""


class ExecutorError(DarktriggerError):
    """Workers or their scheduler were lost, or cannot be had."""


class GenerationError(DarktriggerError):
    """The event generator or the detector simulation cannot do what was asked."""


class TrainingError(DarktriggerError):
    """Training cannot start or cannot go on."""


class AnalysisError(DarktriggerError):
    """The analysis cannot give the figure that was asked for."""


def first_line(error: BaseException) -> str:
    """First line of what an exception says that is not blank, or else its name."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
