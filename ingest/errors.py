"""The errors that a person can act on. Each message says what was found, what was expected, what to do.

GuideError
├── UsageError            wrong command line or option
├── ConfigError           guide.toml or another data file is wrong
├── DocumentError         a source file cannot be read
├── EncoderError          the encoder's weights are missing or not the expected ones
├── IndexMissingError     there is no index where one was expected
├── IndexMismatchError    the index was built for another format, encoder or passage size
├── IndexDamagedError     a file of the index is gone or its checksum is wrong
└── IndexLockedError      another ingest is writing to the same index folder
"""

__all__ = [
    "ConfigError",
    "DocumentError",
    "EncoderError",
    "GuideError",
    "IndexDamagedError",
    "IndexLockedError",
    "IndexMismatchError",
    "IndexMissingError",
    "UsageError",
]


class GuideError(Exception):
    """Any failure that is reported to the operator as one plain sentence."""


class UsageError(GuideError):
    """Raised when a command is called with options or a path that make no sense."""


class ConfigError(GuideError):
    """Raised when guide.toml, or a data file that it names, is not valid."""


class DocumentError(GuideError):
    """Raised when a source file cannot be read or holds no text."""


class EncoderError(GuideError):
    """Raised when the encoder's weights are missing or not the expected ones."""


class IndexMissingError(GuideError):
    """Raised when there is no index in the folder that was named."""


class IndexMismatchError(GuideError):
    """Raised when the index was built with another format, encoder or passage size."""


class IndexDamagedError(GuideError):
    """Raised when a file of the index is gone or not what the manifest says."""


class IndexLockedError(GuideError):
    """Raised when another ingest holds the lock of the index folder."""
