"""One ingest at a time: the lock of an index folder, and who holds it."""

import contextlib
import json
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ingest.errors import IndexLockedError, UsageError

__all__ = ["hold_lock"]

logger = logging.getLogger(__name__)

LOCK_WAIT_S = 30.0
FIRST_WAIT_S = 0.5  # a wait as short as this is not worth a word
_HOLDER = "lock.holder"  # not in the lock file itself, which Windows lets nobody else read


def _holder(index_dir: Path) -> str:
    """Name the process that holds the lock, as well as it is known."""
    try:
        held_by = json.loads((index_dir / _HOLDER).read_text(encoding="utf-8"))
        return f"process {held_by['pid']} on {held_by['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not said which it is"


def _acquire(lock: FileLock, index_dir: Path) -> None:
    try:
        lock.acquire(timeout=min(FIRST_WAIT_S, LOCK_WAIT_S))
    except Timeout:
        logger.warning("Another ingest is writing to %s (%s); waiting for it.", index_dir, _holder(index_dir))
        lock.acquire(timeout=LOCK_WAIT_S)


@contextlib.contextmanager
def hold_lock(index_dir: Path) -> Iterator[None]:
    """Hold the lock of an index folder for the length of a ``with`` statement.

    A killed process holds nothing: the operating system gives its lock back.

    :raises IndexLockedError: If another ingest holds it for longer than half a minute.
    :raises UsageError: If a file stands where the folder should be.
    """
    try:
        index_dir.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as exc:
        file = next((path for path in (index_dir, *index_dir.parents) if path.is_file()), index_dir)
        raise UsageError(
            f"{file} is a file, and the index needs a folder; give --index the path of a folder, which need "
            "not be there yet."
        ) from exc
    lock = FileLock(index_dir / "lock")
    try:
        _acquire(lock, index_dir)
    except Timeout as exc:
        raise IndexLockedError(
            f"Another ingest is writing to {index_dir} ({_holder(index_dir)}); wait until it has ended and "
            "run this again."
        ) from exc
    try:
        holder = {"pid": os.getpid(), "host": socket.gethostname()}
        with contextlib.suppress(OSError):  # on a full disk nobody is told who holds the lock; it holds
            (index_dir / _HOLDER).write_text(json.dumps(holder), encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            (index_dir / _HOLDER).unlink()
        lock.release()
