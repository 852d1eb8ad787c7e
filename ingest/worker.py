"""Reading where it can do no harm: in a process of its own, with limits of time and memory.

Takes paths, gives documents with their blocks. A PDF, a Word file or a web page may be made to hang its
reader or to fill the memory; the process that reads it is ended then, the document is reported, and the
next one gets a new process. One process reads all documents of an ingest, for a start costs half a
second. Text and Markdown are read here, in time and memory proportional to their size.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType

from ingest.datatypes import Block, Document, Omission, ReadingLimits
from ingest.errors import DocumentError, explain_fault
from ingest.readers import PLAIN_SUFFIXES, read_document
from ingest.structure import find_blocks

__all__ = ["DocumentReader", "Reading"]

MIB = 1 << 20
_END_WAIT_S = 2.0
_START_WAIT_S = 60.0  # a busy machine takes long to start a process


@dataclass(frozen=True, slots=True)
class Reading:
    """A document as read, with what it is made of."""

    document: Document
    blocks: tuple[Block, ...]
    omissions: tuple[Omission, ...]


Read = Callable[[Path, str, ReadingLimits], Reading]


def _read(path: Path, source: str, limits: ReadingLimits) -> Reading:
    document = read_document(path, source, limits)
    blocks, omissions = find_blocks(document)
    return Reading(document, tuple(blocks), tuple(omissions))


def _address_space() -> int:
    """Give how many bytes of address space this process has now, 0 where that cannot be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return 0
    import resource  # noqa: PLC0415 - not on Windows

    return pages * resource.getpagesize()


def _limit_memory(max_mib: int) -> None:
    """Let this process grow by so much, where the system has such a limit (not on Windows, not on macOS)."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    with contextlib.suppress(ValueError, OSError):
        limit = _address_space() + max_mib * MIB
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _end_with_parent() -> None:
    """End this process as soon as the one that asked has gone, for that one holds the limit of time."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _serve(connection: Connection, limits: ReadingLimits, read: Read) -> None:
    """Read what is asked for until the other side has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asked
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_memory(limits.max_memory_mib)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(True)  # so that the start is not counted as reading
        while True:
            path, source = connection.recv()
            answer: Reading | str
            try:
                answer = read(path, source, limits)
            except DocumentError as exc:
                answer = str(exc)
            except MemoryError:
                answer = _too_much(source, limits)
            except RecursionError:
                answer = f"{source} is nested too deeply to be read: export it again, or save its text."
            except Exception as exc:  # noqa: BLE001 - a broken file may bring about any error in a library
                answer = explain_fault(source, exc)
            connection.send(answer)


def _too_much(source: str, limits: ReadingLimits) -> str:
    return (
        f"{source} needs more than {limits.max_memory_mib} MiB of memory to be read: split it, or raise "
        "limits.max_read_memory_mib in guide.toml if you trust it."
    )


class DocumentReader:
    """Reads documents one after the other; used in a ``with`` statement, which ends its process.

    :param read: What is done in the process, replaced in tests.
    """

    def __init__(self, limits: ReadingLimits, read: Read = _read) -> None:
        self._limits = limits
        self._read = read
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> "DocumentReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def read(self, path: Path, source: str) -> Reading:
        """Read one document.

        :raises DocumentError: If it cannot be read, or not within the limits.
        """
        if path.suffix.lower() in PLAIN_SUFFIXES:
            return _read(path, source, self._limits)
        try:
            connection = self._start()
            connection.send((path, source))
            if not connection.poll(self._limits.max_seconds):
                self._end()
                raise DocumentError(
                    f"{source} was not read within {self._limits.max_seconds} seconds: export it again, "
                    "split it, or raise limits.max_read_seconds in guide.toml if you trust it."
                )
            answer = connection.recv()
        except (EOFError, OSError) as exc:
            self._end()
            raise DocumentError(
                f"{source} made the process that read it end (out of memory, or a fault in a library): "
                "export it again or take it away."
            ) from exc
        except BaseException:  # Ctrl-C: what is still being read is of no use
            self._end()
            raise
        if isinstance(answer, str):
            self._end()  # what failed may have left much in memory
            raise DocumentError(answer)
        if not isinstance(answer, Reading):
            raise TypeError(f"The reading process answered with {type(answer)}.")
        return answer

    def _start(self) -> Connection:
        if self._connection is not None and self._process is not None and self._process.is_alive():
            return self._connection
        self._end()
        context = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self._limits, self._read), daemon=True, name="document reader"
        )
        self._process.start()
        theirs.close()
        if not self._connection.poll(_START_WAIT_S):
            raise EOFError
        self._connection.recv()
        return self._connection

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.join(_END_WAIT_S)
        self._connection = self._process = None
