"""The errors that a person can act on. Each message says what was found, what was expected, what to do.

GuideError
├── UsageError            wrong command line or option
├── ConfigError           guide.toml or another data file is wrong
├── DocumentError         a source file cannot be read
├── EncoderError          the encoder's weights are missing or not the expected ones
├── IndexMissingError     there is no index where one was expected
│   └── IndexWithdrawnError   all documents of the index were taken away
├── IndexMismatchError    the index was built for another format, encoder or passage size
├── IndexDamagedError     a file of the index is gone or its checksum is wrong
└── IndexLockedError      another ingest is writing to the same index folder
"""

import errno
import io
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

__all__ = [
    "ConfigError",
    "DocumentError",
    "EncoderError",
    "GuideError",
    "IndexDamagedError",
    "IndexLockedError",
    "IndexMismatchError",
    "IndexMissingError",
    "IndexWithdrawnError",
    "UsageError",
    "explain_fault",
    "explain_os_error",
    "place_of",
    "run_command",
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


class IndexWithdrawnError(IndexMissingError):
    """Raised when all documents of the index were taken away, and nothing may be answered from them."""


class IndexMismatchError(GuideError):
    """Raised when the index was built with another format, encoder or passage size."""


class IndexDamagedError(GuideError):
    """Raised when a file of the index is gone or not what the manifest says."""


class IndexLockedError(GuideError):
    """Raised when another ingest holds the lock of the index folder."""


def place_of(exc: Exception) -> traceback.FrameSummary:
    """Tell where an error that was caught was raised."""
    return traceback.extract_tb(exc.__traceback__)[-1]


def explain_fault(source: str, exc: Exception) -> str:
    """Say in one sentence that a document brought about an error that nobody foresaw, and where."""
    place = place_of(exc)
    return (
        f"{source} cannot be read, for it brings about an error ({type(exc).__name__} in "
        f"{Path(place.filename).name}, line {place.lineno}): export it again, or save its text."
    )


def explain_os_error(exc: OSError) -> str:
    """Say in one sentence which file could not be had, and what to look at."""
    place = exc.filename or "A file"
    reason = exc.strerror or exc
    if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{place} cannot be written: {reason}. Make room and run this again; the index is as it was."
    return (
        f"{place} cannot be read or written: {reason}. Check that it is there, its permissions, and --index."
    )


def run_command(command: Callable[[], int]) -> int:
    """Run a command of the product; a failure becomes one sentence on stderr, never a traceback.

    :param command: Gives the exit code where nothing fails.
    :return: The exit code of DESIGN section 3: 0 done, 1 something needs attention, 2 wrong usage.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal or pipe may not know every character of a guide
            stream.reconfigure(errors="backslashreplace")
    try:
        return command()
    except GuideError as exc:
        sys.stderr.write(f"{exc}\n")
        return 2 if isinstance(exc, UsageError) else 1
    except BrokenPipeError:  # whoever read the output has left, as "head" does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as exc:
        sys.stderr.write(f"{explain_os_error(exc)}\n")
        return 1
    except KeyboardInterrupt:
        return 0
