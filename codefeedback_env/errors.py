"""Every error this package raises on purpose."""


class CodeFeedbackError(Exception):
    """Base of all errors raised by codefeedback_env."""


class ConfigError(CodeFeedbackError, ValueError):
    """An option has a value that cannot work; the message says which and what to change."""


class UnknownNameError(ConfigError):
    """A name is not one of the known ones; the message lists those and the closest match."""


class DatasetError(CodeFeedbackError):
    """A dataset row or file cannot be read; the message names file, row and field."""


class DatasetNotFoundError(DatasetError, FileNotFoundError):
    """No data at the place asked for; the message says how to get it."""


class UnknownProblemError(CodeFeedbackError, KeyError):
    """A problem id is not in the problem set."""

    def __str__(self) -> str:
        """The plain message; KeyError would show it quoted."""
        return str(self.args[0]) if self.args else ""


class RecordError(CodeFeedbackError, ValueError):
    """An episode record cannot be read or does not belong to the problems at hand."""


class SandboxError(CodeFeedbackError):
    """The sandbox failed, not the program in it. Never a verdict and never a reward."""


class SandboxUnavailableError(SandboxError):
    """This machine cannot run the sandbox asked for; the message says what would help."""


class EnvClosedError(CodeFeedbackError):
    """The environment was used after close()."""
